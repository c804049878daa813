"""The gate: may this policy be deployed without a written reason? Pure arithmetic over an evaluation's metrics."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from alignment.domain.recipe import Gate

HIGHER_IS_BETTER = ("distinct_share", "well_formed_share")
LOWER_IS_BETTER = ("cut_share",)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether the gate opens, and one sentence for each thing that kept it shut."""

    passed: bool
    reasons: tuple[str, ...]


def gate_judge(metrics: Mapping[str, Any], gate: Gate) -> Verdict:
    """Compare an evaluation with the gate's thresholds. A missing or non-finite number never passes."""
    reasons = [*_win_rate(metrics, gate), *_kl(metrics, gate)]
    for name in HIGHER_IS_BETTER:
        reasons += _drop(name, _number(metrics, f"sft_{name}"), _number(metrics, name), gate.max_drop)
    for name in LOWER_IS_BETTER:
        reasons += _drop(name, _number(metrics, name), _number(metrics, f"sft_{name}"), gate.max_drop)
    return Verdict(passed=not reasons, reasons=tuple(reasons))


def _win_rate(metrics: Mapping[str, Any], gate: Gate) -> list[str]:
    low = _number(metrics, "win_rate_low")
    if low > gate.min_win_rate_low:
        return []
    so = f"The win rate's interval begins at {low:.3f}, not above {gate.min_win_rate_low:.3f}"
    return [f"{so}: the gain over the SFT policy may be chance."]


def _kl(metrics: Mapping[str, Any], gate: Gate) -> list[str]:
    kl = _number(metrics, "kl_nats")
    if kl <= gate.max_kl_nats:
        return []
    return [f"The policy is {kl:.2f} nats from the SFT policy; at most {gate.max_kl_nats:.2f} are allowed."]


def _drop(name: str, better: float, worse: float, max_drop: float) -> list[str]:
    if better - worse <= max_drop:
        return []
    return [f"{name} is worse than the SFT policy's by {better - worse:.3f}; at most {max_drop:.3f} is allowed."]


def _number(metrics: Mapping[str, Any], name: str) -> float:
    value = metrics.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan
