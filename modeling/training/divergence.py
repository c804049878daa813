"""When an online training must end without a result, and what is reported of one that did not."""

import math
from collections.abc import Mapping, Sequence

from modeling.errors import Refused

N_LAST_STEPS = 5
"""How many steps the final figures average: one batch of answers alone is noisy."""


def finite_refuse(step: int, figures: Mapping[str, float]) -> None:
    """Raises: Refused when a figure is not finite."""
    broken = sorted(name for name, value in figures.items() if not math.isfinite(value))
    if broken:
        raise Refused(f"Training diverged at step {step + 1}: {', '.join(broken)} not finite. Lower learning_rate.")


def divergence_refuse(step: int, figures: Mapping[str, float], *, max_kl_nats: float) -> None:
    """Raises: Refused when a figure is not finite or the policy is too far from its reference."""
    finite_refuse(step, figures)
    if figures["kl_nats"] > max_kl_nats:
        raise Refused(
            f"Training diverged at step {step + 1}: {figures['kl_nats']:.1f} nats from the reference, the limit is "
            f"{max_kl_nats:g}. Lower learning_rate or raise kl_coef."
        )


def final_figures(history: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the figures of the last steps, averaged."""
    last = history[-N_LAST_STEPS:]
    return {f"final_{key}": sum(item[key] for item in last) / len(last) for key in (last[0] if last else ())}
