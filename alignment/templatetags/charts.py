"""Drawings for pages: `{% chart title curve %}` and `{% interval low point high %}`. Server-made SVG without styles."""

from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.translation import gettext_lazy as _

from alignment.domain.plots import XY, Mark, xy_plot
from feedback.domain.chart import line_chart

register = template.Library()

INTERVAL_WIDTH = 320
_PAD = 12

_TITLES = {
    "loss": _("Loss"),
    "reward": _("Reward"),
    "rewards/accuracies": _("Pairs told apart"),
    "rewards/margins": _("Margin"),
    "fold_loss": _("Loss on the folds"),
    "fold_accuracy": _("Accuracy on the folds"),
    "grad_norm": _("Gradient norm"),
    "tokens_per_s": _("Tokens a second"),
    "kl_nats": _("KL to the reference, nats"),
    "accuracy": _("Accuracy"),
    "mean_tokens": _("Mean length, tokens"),
    "cut_share": _("Share cut at the limit"),
    "learning_rate": _("Learning rate"),
    "entropy": _("Entropy, nats"),
    "policy_loss": _("Policy loss"),
    "value_loss": _("Value loss"),
    "explained_variance": _("Variance that the value function explains"),
    "clip_share": _("Share of tokens clipped"),
    "update_kl_nats": _("KL of an update, nats a token"),
    "policy_steps": _("Optimizer steps of an update"),
    "kl_coef": _("KL weight"),
    "mix_loss": _("Loss on the pretraining mix"),
    "value_grad_norm": _("Gradient norm of the value function"),
    "margin": _("Margin"),
    "chosen_nats": _("Chosen answers against the reference, nats"),
    "rejected_nats": _("Rejected answers against the reference, nats"),
    "good_nats": _("Good answers against the reference, nats"),
    "bad_nats": _("Bad answers against the reference, nats"),
    "mismatched_kl_nats": _("KL estimated from foreign answers, nats"),
    "sampled_reward": _("Reward of the sampled answers"),
    "n_kept": _("Answers kept"),
}
SQUARE = (0.5, 1.0)
"""Of certainty and of being right: a model that knows nothing of a pair is at one half."""


@register.inclusion_tag("alignment/svg/line_chart.html")
def chart(name: str, curve: Sequence[tuple[int, float]], key: Any = "") -> dict[str, Any]:
    """Draw a curve, with a text for those who cannot see it and a table of its values."""
    title = _TITLES.get(name) or name.replace("_", " ").capitalize()
    return {"title": title, "chart": line_chart(curve), "id": f"chart-{key}-{name}".replace("/", "-").replace(".", "-")}


@register.inclusion_tag("alignment/svg/xy.html")
def xy(
    title: str, points: Sequence[XY], key: str, marks: Sequence[Mark] = (), *, square: bool = False
) -> dict[str, Any]:
    """Draw points with intervals over a measured axis, with a text for those who cannot see it; `key` is its id."""
    plot = xy_plot(points, marks=marks, square=SQUARE if square else None)
    return {"title": title, "points": points, "plot": plot, "id": f"plot-{key}"}


@register.inclusion_tag("alignment/svg/interval.html")
def interval(low: Any, point: Any, high: Any) -> dict[str, Any]:
    """Draw a win rate with its interval on the scale from 0 to 1."""
    numbers = [value for value in (low, point, high) if isinstance(value, int | float)]
    if len(numbers) < 3:
        return {"is_drawn": False}
    at = [round(_PAD + (INTERVAL_WIDTH - 2 * _PAD) * min(1.0, max(0.0, value)), 1) for value in numbers]
    return {
        "is_drawn": True, "low": numbers[0], "point": numbers[1], "high": numbers[2],
        "x_low": at[0], "x_point": at[1], "x_high": at[2],
        "x_start": _PAD, "x_half": INTERVAL_WIDTH / 2, "x_end": INTERVAL_WIDTH - _PAD, "width": INTERVAL_WIDTH,
    }  # fmt: skip
