"""Curves from a run's events: pure functions over lines of `events.jsonl`."""

import json
from collections.abc import Iterable
from typing import Any

MAX_POINTS = 200
"""A chart of 400 pixels shows no more; a long run logs thousands."""

Curve = list[tuple[int, float]]


def events_parse(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Parse event lines, leaving out a last one that is still being written."""
    events = []
    for line in lines:
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue  # cut off by a kill or not yet whole: the next look sees it
        if isinstance(event, dict):
            events.append(event)
    return events


def curves_from(events: Iterable[dict[str, Any]], max_points: int = MAX_POINTS) -> dict[str, Curve]:
    """Collect each measurement's points in order of step, thinned to at most `max_points`, the last always kept."""
    curves: dict[str, dict[int, float]] = {}
    for event in events:
        if event.get("type") != "metrics":
            continue
        for name, value in event.get("values", {}).items():
            if isinstance(value, int | float):
                curves.setdefault(name, {})[int(event["step"])] = float(value)
    return {name: _thin(sorted(points.items()), max_points) for name, points in curves.items()}


def _thin(points: Curve, max_points: int) -> Curve:
    if len(points) <= max_points:
        return points
    stride = -(-len(points) // max_points)
    return [*points[:-1:stride], points[-1]]
