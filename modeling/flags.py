"""A stage's specification from `spec.json` and flags: `--field value`, `--lora.rank 8`, files as plain paths."""

import contextlib
import dataclasses
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from modeling.errors import BadInput
from modeling.rundir import RunDir, write_json
from modeling.spec import STAGES, FileRef, RewardSource, Spec, spec_from_json
from modeling.spec.base import build, pin_files
from modeling.spec.result import SPEC

_registry = ConstructorRegistry()


@_registry.primitive_rule
def _file_from_path(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[FileRef] | None:
    if info.type is not FileRef:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="FILE",
        instance_from_str=lambda args: FileRef(args[0]),
        is_instance=lambda value: isinstance(value, FileRef),
        str_from_instance=lambda file: [file.path],
    )


@_registry.primitive_rule
def _optional_file_from_path(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[FileRef | None] | None:
    if info.type != FileRef | None:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="FILE",
        instance_from_str=lambda args: FileRef(args[0]) if args[0] else None,
        is_instance=lambda value: value is None or isinstance(value, FileRef),
        str_from_instance=lambda file: [file.path if file else ""],
    )


@_registry.primitive_rule
def _reward_source_from_json(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[RewardSource] | None:
    if info.type is not RewardSource:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="JSON",
        instance_from_str=lambda args: build(RewardSource, _json_of(args[0]), "rewards"),
        is_instance=lambda value: isinstance(value, RewardSource),
        str_from_instance=lambda source: [json.dumps(dataclasses.asdict(source))],
    )


def _json_of(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadInput(f'{text} is not JSON: write a reward source like {{"model": "DIR"}}.') from error


def spec_from_command(stage: str, flags: Sequence[str], run: RunDir) -> Spec:
    """Put the specification together, pin its files and record it in the run directory. Raises: BadInput, SpecError."""
    given = _given_spec(stage, run)
    spec = given if given is not None and not flags else _parse(stage, flags, given)
    spec = pin_files(spec)
    spec.validate()
    _check_attempts(spec, run)
    if spec != given:
        write_json(run.path / SPEC, spec.to_json())
    return spec


def stage_help(stage: str) -> str:
    """Return the list of a stage's fields."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        _parse(stage, ["--help"], None)
    return text.getvalue()


def _given_spec(stage: str, run: RunDir) -> Spec | None:
    data = _read_spec(run.path / SPEC)
    if data is None:
        return None
    if data.get("stage") != stage:
        raise BadInput(f"The run directory's {SPEC} is for stage {data.get('stage')!r}, not {stage!r}.")
    return spec_from_json(data)


def _check_attempts(spec: Spec, run: RunDir) -> None:
    """A checkpoint made under other settings would silently mix two runs."""
    for folder in run.resume_from:
        data = _read_spec(folder / SPEC)
        if data is not None and spec_from_json(data) != spec:
            raise BadInput(f"{folder} was run with other settings, so its checkpoints cannot be resumed here.")


def _read_spec(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise BadInput(f"{path} must hold an object.")
    return data


def _parse(stage: str, flags: Sequence[str], default: Spec | None) -> Spec:
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            spec: Spec = tyro.cli(
                STAGES[stage], args=list(flags), prog=f"python -m modeling {stage}", registry=_registry,
                config=(tyro.conf.FlagConversionOff,),
                default=tyro.MISSING_NONPROP if default is None else default,
            )  # fmt: skip
    except SystemExit as leaving:
        if leaving.code in (0, None):
            raise
        raise BadInput(_sentence(complaint.getvalue(), stage)) from leaving
    return spec


def _sentence(box: str, stage: str) -> str:
    """Make one sentence of tyro's boxed complaint, without its title."""
    text = re.sub(r"╭.*╮\n|[╰╯│─\n]+|\x1b\[[0-9;]*m", " ", box)
    text = re.split(r"Argument helptext:|For full helptext", text)[0]
    text = re.sub(r"\s+", " ", text).strip().rstrip(".")
    return f"{text}. See `python -m modeling {stage} --help`."
