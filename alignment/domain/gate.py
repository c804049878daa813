"""The gate: may this policy be deployed without a written reason? Pure arithmetic over an evaluation's metrics."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alignment.domain.recipe import Gate

HIGHER_IS_BETTER = {
    "distinct_share": gettext_lazy("The share of distinct answers"),
    "well_formed_share": gettext_lazy("The share of well-formed text"),
}
LOWER_IS_BETTER = {"cut_share": gettext_lazy("The share of answers cut at the length limit")}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether the gate opens, and one sentence for each thing that kept it shut, in the language of whoever asks."""

    passed: bool
    reasons: tuple[str, ...]


def gate_judge(metrics: Mapping[str, Any], gate: Gate) -> Verdict:
    """Compare an evaluation with the gate's thresholds. A missing or non-finite number never passes."""
    reasons = [*_win_rate(metrics, gate), *_kl(metrics, gate)]
    for name, words in HIGHER_IS_BETTER.items():
        reasons += _drop(str(words), _number(metrics, f"sft_{name}"), _number(metrics, name), gate.max_drop)
    for name, words in LOWER_IS_BETTER.items():
        reasons += _drop(str(words), _number(metrics, name), _number(metrics, f"sft_{name}"), gate.max_drop)
    return Verdict(passed=not reasons, reasons=tuple(reasons))


def _win_rate(metrics: Mapping[str, Any], gate: Gate) -> list[str]:
    low = _number(metrics, "win_rate_low")
    if low > gate.min_win_rate_low:
        return []
    said = _(
        "The win rate's interval begins at %(low)s, not above %(least)s: the gain over the SFT policy may be chance."
    )
    return [said % {"low": f"{low:.3f}", "least": f"{gate.min_win_rate_low:.3f}"}]


def _kl(metrics: Mapping[str, Any], gate: Gate) -> list[str]:
    kl = _number(metrics, "kl_nats")
    if kl <= gate.max_kl_nats:
        return []
    said = _("The policy is %(kl)s nats from the SFT policy; at most %(most)s are allowed.")
    return [said % {"kl": f"{kl:.2f}", "most": f"{gate.max_kl_nats:.2f}"}]


def _drop(what: str, better: float, worse: float, max_drop: float) -> list[str]:
    if better - worse <= max_drop:
        return []
    said = _("%(what)s is worse than the SFT policy's by %(by)s; at most %(most)s is allowed.")
    return [said % {"what": what, "by": f"{better - worse:.3f}", "most": f"{max_drop:.3f}"}]


def _number(metrics: Mapping[str, Any], name: str) -> float:
    value = metrics.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan
