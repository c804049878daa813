"""Finding the numbers that are none: a training that went wrong reports nan, and no database stores it as JSON."""

import math
from collections.abc import Iterator
from typing import Any


def not_finite(value: Any, name: str = "") -> Iterator[str]:
    """Yield the name of every nan and infinity inside JSON-like data: `metrics.folds[0].loss`."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from not_finite(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from not_finite(item, f"{name}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield name
