"""Which projects have no first answers yet because their base is still being built."""

from django.db.models import F, Q

from alignment.domain.states import FINAL_ROUND_STATES, RoundState
from alignment.models import Round


def projects_building() -> set[int]:
    """Return the ids of projects whose base is being built, or whose first answers are being sampled."""
    live = Round.objects.exclude(state__in=FINAL_ROUND_STATES)
    first_answers = Q(state=RoundState.SAMPLING, project__rounds__is_build=True) & Q(
        number=F("project__rounds__number") + 1
    )
    return set(live.filter(Q(is_build=True) | first_answers).values_list("project", flat=True))
