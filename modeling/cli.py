"""`python -m modeling <stage or tool>`: from a command line or a `spec.json` to a finished run directory.

Knows the table of stages, how a specification is put together and what each kind of failure looks like from outside.
Imports no torch: only the chosen stage or tool does, once its options are understood.
"""

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from modeling.errors import BadInput, ModelingError
from modeling.flags import spec_from_command, stage_help
from modeling.process import process_settle
from modeling.rundir import RunDir
from modeling.spec import STAGES, ExitCode, Spec, SpecError
from modeling.spec.result import RESULT

STAGE_FUNCTIONS = {
    "corpus": "modeling.world.corpus:run",
    "tokenizer": "modeling.training.tokenizer:run",
    "pretrain": "modeling.training.pretrain:run",
    "sft": "modeling.training.sft:run",
    "reward": "modeling.training.reward:run",
    "dpo": "modeling.training.dpo:run",
    "kto": "modeling.training.kto:run",
    "rft": "modeling.training.rft:run",
    "rloo": "modeling.training.rloo:run",
    "grpo": "modeling.training.rloo:run",
    "ppo": "modeling.training.ppo:run",
    "evaluate": "modeling.evaluation.evaluate:run",
}
"""Stage name to `module:run(spec, run) -> final metrics`."""

TOOLS = {
    "adapter": ("modeling.adapters", "Merge an adapter into its base, export it, list or compare adapters."),
    "sample": ("modeling.sampling", "Print answers of a model to a prompt, or to a file of prompts."),
    "serve": ("modeling.serving", "Serve a base and its adapters behind an OpenAI-compatible HTTP interface."),
}
"""Tool name to (package with `options:parser()` and `cli:main(options) -> exit code`, its sentence)."""

_ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "true",
    # Waiting threads sleep instead of spinning: beside busy processes on two cores this trains 3 to 5 times as fast.
    "OMP_WAIT_POLICY": "passive",
    "TRANSFORMERS_VERBOSITY": "error",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS is deterministic only with this, and reads it once
}


def main(argv: Sequence[str]) -> int:
    """Run a stage or a tool. Returns the exit code."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if not argv or argv[0] in ("-h", "--help"):
        print(_overview())  # noqa: T201 - the command line's answer
        return ExitCode.OK
    name, rest = argv[0], argv[1:]
    if name in TOOLS:
        return _run_tool(name, rest)
    if name not in STAGES:
        return _fail(f"There is no stage or tool {name!r}. Choose one of: {', '.join((*STAGES, *TOOLS))}.")
    return _run_stage(name, rest)


def _run_tool(name: str, argv: Sequence[str]) -> int:
    package, _ = TOOLS[name]
    try:
        options = _resolve(f"{package}.options:parser")().parse_args(argv)
        return int(_resolve(f"{package}.cli:main")(options) or ExitCode.OK)
    except ModelingError as error:
        return _fail(str(error), code=error.exit_code)


def _run_stage(stage: str, argv: Sequence[str]) -> int:
    parser = _run_options(stage)
    if {"-h", "--help"} & set(argv):
        print(parser.format_help(), stage_help(stage), sep="\n")  # noqa: T201
        return ExitCode.OK
    options, flags = parser.parse_known_args(argv)
    if options.run_dir is None:
        return _fail("Name the folder to work in: --run-dir DIR.")
    if (options.run_dir / RESULT).exists():
        print(f"{options.run_dir} already holds a result: nothing to do.")  # noqa: T201
        return ExitCode.OK
    process_settle(die_with_parent=not options.detached)
    try:
        run = RunDir(options.run_dir, options.resume_from)
    except OSError as error:
        return _fail(f"{options.run_dir} cannot be used as a run directory: {error.strerror}.")
    return _attempt(stage, flags, run)


def _attempt(stage: str, flags: Sequence[str], run: RunDir) -> int:
    try:
        spec = spec_from_command(stage, flags, run)
        run.stop_on_signals()
        _execute(spec, run)
    except SpecError as error:
        return _fail(str(error), run)
    except ModelingError as error:
        return _fail(str(error), run, error.exit_code)
    except Exception as error:  # noqa: BLE001 - the boundary: recorded for the watcher, the traceback for the log
        traceback.print_exc()
        return _fail(f"{type(error).__name__}: {error}", run, ExitCode.CRASHED)
    return ExitCode.OK


def _execute(spec: Spec, run: RunDir) -> None:
    function = _resolve(STAGE_FUNCTIONS[spec.stage])
    # Torch comes with the device: here, after every cheap reason to fail.
    device = importlib.import_module("modeling.device")
    device.seed_everything(spec.seed)
    metrics = function(spec, run)
    picked = device.pick_device(spec.stage)
    run.finish(
        stage=spec.stage, seed=spec.seed, metrics=metrics, versions=device.versions(), device=picked.name,
        dtype=picked.dtype_name,
    )  # fmt: skip


def _resolve(target: str) -> Callable[..., Any]:
    module, _, function = target.partition(":")
    try:
        resolved: Callable[..., Any] = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise BadInput(f"{module} is not part of this installation.") from error
    return resolved


def _fail(message: str, run: RunDir | None = None, code: ExitCode = ExitCode.BAD_INPUT) -> int:
    if run is not None:
        run.error(message)
    print(message, file=sys.stderr)  # noqa: T201 - the command line's answer
    return code


def _run_options(stage: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m modeling {stage}", add_help=False, allow_abbrev=False)
    parser.add_argument(
        "--run-dir", type=Path, metavar="DIR",
        help="folder for events, checkpoints and the result; its spec.json, if any, is the default of the flags below",
    )  # fmt: skip
    parser.add_argument(
        "--resume-from", type=Path, nargs="+", default=[], metavar="DIR",
        help="folders of earlier attempts: go on from their newest checkpoint",
    )  # fmt: skip
    parser.add_argument("--detached", action="store_true", help="live on when the parent process ends")
    return parser


def _overview() -> str:
    width = max(map(len, (*STAGES, *TOOLS)))
    stages = [f"  {name:{width}}  {_sentence(spec)}" for name, spec in STAGES.items()]
    tools = [f"  {name:{width}}  {sentence}" for name, (_, sentence) in TOOLS.items()]
    return "\n".join([
        "usage: python -m modeling <stage> --run-dir DIR [--resume-from DIR ...] [--field value ...]",
        "       python -m modeling <tool> ...",
        "", "Stages, each of which fills one run directory:", *stages,
        "", "Tools:", *tools,
        "", "`python -m modeling <stage> --help` lists its fields.",
        "A finished run directory holds result.json and artifacts/.",
    ])  # fmt: skip


def _sentence(spec: type[Spec]) -> str:
    return (spec.__doc__ or "").strip().splitlines()[0]
