"""What pages of the labeling app show about builds and rounds, without that app knowing that there are any."""

from django import template

from alignment.selectors.building import projects_building
from alignment.selectors.round import round_numbers

register = template.Library()


@register.simple_tag
def building_projects() -> set[int]:
    """Return the ids of projects that have nothing to rank yet because their base is being built."""
    return projects_building()


@register.simple_tag
def snapshot_rounds(snapshot_id: int) -> list[int]:
    """Return the numbers of the rounds that were trained on a snapshot."""
    return round_numbers(snapshot_id=snapshot_id)
