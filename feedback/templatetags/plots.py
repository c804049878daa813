"""Drawings of figures: `{% histogram title edges_and_counts unit %}` and `{% intervals title rows ... %}`.

Server-made SVG without styles, with a text for those who cannot see it and a table of the numbers.
"""

from collections.abc import Sequence
from typing import Any

from django import template

from feedback.domain.plot import IntervalRow, histogram_plot, interval_plot
from feedback.domain.quality import Histogram

register = template.Library()


@register.inclusion_tag("feedback/svg/histogram.html")
def histogram(title: str, figures: Histogram, unit: str, rows: str, key: str, csv: str = "") -> dict[str, Any]:
    """Draw counts; `unit` is what is measured, `rows` what is counted, `csv` where its file is."""
    plot = histogram_plot(figures.edges, figures.counts)
    return {"title": title, "plot": plot, "unit": unit, "counted": rows, "id": f"plot-{key}", "csv": csv}


@register.inclusion_tag("feedback/svg/intervals.html")
def intervals(title: str, rows: Sequence[IntervalRow], reference: float, key: str, bounds: str = "") -> dict[str, Any]:
    """Draw values with their intervals below each other; `bounds` is "share" for the scale from 0 to 1."""
    plot = interval_plot(rows, reference=reference, bounds=(0.0, 1.0) if bounds == "share" else None)
    return {"title": title, "plot": plot, "id": f"plot-{key}", "reference": reference, "values": rows}
