"""What can be asked of `make round`."""

import argparse
import dataclasses
import importlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from config.environment import home_dir

Gold = Callable[[str, str], float]
"""A hidden score of (prompt text, answer text)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Parsed options; `recipe` and `build` are JSON objects that the site checks."""

    rounds: int
    seed: int
    rankings: int
    gold: str
    out: Path
    database: str
    recipe: dict[str, Any]
    build: dict[str, Any]


def parse(arguments: Sequence[str] | None) -> Options:
    """Read the command line; ends the program with a sentence when it is wrong."""
    parser = argparse.ArgumentParser(prog="make round", description="Run the loop once or more, without a browser.")
    parser.add_argument("--rounds", type=_positive, default=1, help="how many rounds (1)")
    parser.add_argument("--seed", type=int, default=1, help="of the base, the annotators and every training (1)")
    parser.add_argument("--rankings", type=_positive, default=300, help="at most so many a round (300)")
    parser.add_argument(
        "--recipe", type=_json_object, default={}, metavar="FILE", help="JSON: the recipe of each round"
    )
    parser.add_argument("--build", type=_json_object, default={}, metavar="FILE", help="JSON: how the base is built")
    parser.add_argument(
        "--gold", default="modeling.world.gold:score", metavar="MODULE:FUNCTION",
        help="called with prompt text and answer text, returns a float; judges the evaluation too",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="keeps eval.jsonl and result.json")
    parser.add_argument("--database", default="", metavar="URL", help="another database than the home's own SQLite")
    found = vars(parser.parse_args(arguments))
    found["out"] = (found["out"] or home_dir() / "rounds" / time.strftime("%Y%m%d-%H%M%S")).resolve()
    try:
        load_gold(found["gold"])
    except (ImportError, AttributeError, ValueError) as error:
        parser.error(f"--gold {found['gold']}: {error}")
    return Options(**found)


def load_gold(name: str) -> Gold:
    """Return the function that `module:function` names. Raises: ImportError, AttributeError, ValueError."""
    module, _, function = name.partition(":")
    if not function:
        raise ValueError("write it as module:function.")
    gold: Gold = getattr(importlib.import_module(module), function)
    return gold


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(Path(text).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text} must hold one JSON object")
    return value
