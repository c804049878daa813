"""What pages of the labeling app show about builds, without that app knowing that there are any."""

from django import template

from alignment.selectors.building import projects_building

register = template.Library()


@register.simple_tag
def building_projects() -> set[int]:
    """Return the ids of projects that have nothing to rank yet because their base is being built."""
    return projects_building()
