"""`python -m modeling adapter`: what is done with adapters beside training and serving them."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from modeling.adapters.comparing import adapters_compare
from modeling.adapters.exporting import adapter_export
from modeling.adapters.listing import adapters_list
from modeling.adapters.merging import adapter_merge
from modeling.errors import ModelingError
from modeling.spec import ExitCode, SpecError


def main(options: argparse.Namespace) -> int:
    """Do what was asked; the options are those of `options.py`. Returns the exit code."""
    try:
        _ACTIONS[options.action](options)
    except (ModelingError, SpecError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command line's answer
        return error.exit_code if isinstance(error, ModelingError) else ExitCode.BAD_INPUT
    return ExitCode.OK


def _merge(options: argparse.Namespace) -> None:
    adapter_merge(options.base, options.adapter, options.out)
    _say(f"{options.out} is a base with the adapter in its weights.")


def _export(options: argparse.Namespace) -> None:
    for note in adapter_export(options.adapter, options.out, base=options.base):
        _say(note)


def _list(options: argparse.Namespace) -> None:
    rows = adapters_list(options.folder)
    if options.json:
        for row in rows:
            _say(json.dumps(row))
    elif rows:
        _say(_table(rows))
    else:
        _say(f"There are no adapters under {options.folder}.")


def _compare(options: argparse.Namespace) -> None:
    found = adapters_compare(
        options.base, options.first, options.second, prompts=options.prompts,
        max_new_tokens=options.max_new_tokens, seed=options.seed,
    )  # fmt: skip
    if options.json:
        _say(json.dumps(found))
        return
    _say(_table(found.pop("layers")))
    for name, value in found.items():
        _say(f"{name}: {_shown(value)}")


_ACTIONS: dict[str, Callable[[argparse.Namespace], None]] = {
    "merge": _merge, "export": _export, "list": _list, "compare": _compare,
}  # fmt: skip


def _table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [list(rows[0]), *([_shown(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _say(text: str) -> None:
    print(text)  # noqa: T201 - the command line's answer
