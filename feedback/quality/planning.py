"""How many more comparisons: until two sources differ, and for a wished interval.

Comparisons that share a prompt or a task say less than independent ones. The design effect, comparisons made over what
they are worth, is taken from those made so far, and further ones are taken to be made in the same way.
"""

import math
from collections.abc import Sequence

from feedback.domain.quality import Estimate, PlanRow
from feedback.quality.intervals import Z

MOST = 1_000_000
"""Further comparisons: beyond it the two sources are as good as each other."""
HALF_WIDTHS = (0.1, 0.05, 0.03, 0.02, 0.01)


def more_comparisons(rate: Estimate, worth: float) -> int | None:
    """Return how many more comparisons leave one half outside the interval of a win rate that stays as it is.

    Wilson's interval leaves one half out when |p - 1/2| > z / (2 sqrt(n)), so n = (z / (2 |p - 1/2|))^2 independent
    ones are needed, and n times the design effect of these. 0 when it does already; None over `MOST`.
    """
    if rate.value is None or rate.low is None or rate.high is None or worth <= 0:
        return None
    if rate.low > 0.5 or rate.high < 0.5:
        return 0
    distance = abs(rate.value - 0.5)
    if distance < Z / 2 / math.sqrt(2 * MOST + rate.n):
        return None
    needed = (Z / (2 * distance)) ** 2 * rate.n / worth
    more = max(1, math.ceil(needed - rate.n))
    return more if more <= MOST else None


def comparisons_for(half_width: float, design_effect: float) -> int:
    """Return how many comparisons make an interval of plus and minus `half_width` around a win rate of one half.

    Wilson's half-width is z / (2 sqrt(n + z^2)) there, where it is widest: n = z^2 / (4 h^2) - z^2.
    """
    return math.ceil(design_effect * (Z**2 / (4 * half_width**2) - Z**2))


def plan(
    *,
    design_effect: float,
    comparisons_per_judgment: float,
    seconds: float | None,
    half_widths: Sequence[float] = HALF_WIDTHS,
) -> tuple[PlanRow, ...]:
    """Return what each half-width costs in comparisons of two sources, in judgments and in hours of work."""
    if comparisons_per_judgment <= 0:
        return ()
    rows = []
    for half_width in half_widths:
        n = comparisons_for(half_width, design_effect)
        judgments = math.ceil(n / comparisons_per_judgment)
        rows.append(PlanRow(half_width, n, judgments, None if seconds is None else judgments * seconds / 3600))
    return tuple(rows)
