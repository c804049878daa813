"""Freezing what a launched round works on: its recipe, its closed batch, and which rankings count."""

from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from alignment.domain.errors import RoundRefused
from alignment.domain.recipe import Recipe
from alignment.domain.states import RoundState
from alignment.models import ModelVersion, Round
from alignment.selectors.ranking import rankings_usable
from alignment.selectors.version import version_snapshots
from alignment.services.checking import rankings_check
from alignment.services.specs import build_recipe
from feedback.domain.errors import Conflict
from feedback.domain.states import BatchState, IllegalTransition
from feedback.models import User
from feedback.selectors.judgment import judgments_counted
from feedback.services.batch import batch_close
from feedback.services.transition import transition


def round_freeze(*, round: Round, recipe: Recipe, previous: ModelVersion, by: User) -> None:
    """Move a round out of labeling, in the caller's transaction. Raises: RoundRefused, which must roll it back.

    Quick, for somebody waits for the answer: the rankings are counted here and written by `round_pin`.
    """
    last = judgments_counted(project=round.project).aggregate(last=Max("pk"))["last"] or 0
    try:
        transition(
            obj=round, to=RoundState.SNAPSHOT, actor=by, recipe=recipe.to_json(), previous=previous,
            last_judgment_id=last, launched_by=by, launched_at=timezone.now(), waiting_for="",
        )  # fmt: skip
    except (IllegalTransition, Conflict) as error:
        raise RoundRefused(_("Somebody else has just launched or ended this round.")) from error
    if round.batch is not None and round.batch.state == BatchState.OPEN:
        batch_close(batch=round.batch, by=by, reason=f"round {round.number} was launched")
    usable = rankings_usable(
        project=round.project,
        until_judgment_id=last,
        not_in=version_snapshots(previous) if recipe.only_new_rankings else (),
        halves=not build_recipe(round.project).gold,
    )
    rankings_check(recipe=recipe, usable=usable)
