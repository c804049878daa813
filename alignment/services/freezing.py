"""Freezing what a launched round works on: its recipe, its closed batch and its pinned rankings, all in one step."""

from django.utils import timezone

from alignment.domain.errors import RoundRefused
from alignment.domain.recipe import Recipe
from alignment.domain.states import RoundState
from alignment.models import ModelVersion, Round
from alignment.selectors.ranking import rankings_usable
from alignment.selectors.version import version_continued
from alignment.services.checking import rankings_check
from alignment.services.specs import build_recipe
from feedback.domain.errors import Conflict
from feedback.domain.states import BatchState, IllegalTransition
from feedback.models import Snapshot, User
from feedback.services.batch import batch_close
from feedback.services.snapshot import snapshot_create
from feedback.services.transition import transition


def round_freeze(*, round: Round, recipe: Recipe, previous: ModelVersion, by: User) -> None:
    """Move a round out of labeling, in the caller's transaction. Raises: RoundRefused, which must roll it back."""
    try:
        transition(
            obj=round, to=RoundState.SNAPSHOT, actor=by, recipe=recipe.to_json(), previous=previous, launched_by=by,
            launched_at=timezone.now(), waiting_for="",
        )  # fmt: skip
    except (IllegalTransition, Conflict) as error:
        raise RoundRefused("Somebody else has just launched or ended this round.") from error
    if round.batch is not None and round.batch.state == BatchState.OPEN:
        batch_close(batch=round.batch, by=by, reason=f"round {round.number} was launched")
    needs_halves = not build_recipe(round.project).gold
    not_in = _trained_on(previous) if recipe.start == "continue" else ()
    usable = rankings_usable(project=round.project, not_in=not_in, halves=needs_halves)
    rankings_check(recipe=recipe, usable=usable)
    snapshot = snapshot_create(project=round.project, by=by, not_in=not_in, halves=needs_halves)
    Round.objects.filter(pk=round.pk).update(snapshot=snapshot)
    round.snapshot = snapshot


def _trained_on(policy: ModelVersion) -> list[Snapshot]:
    """Return the snapshots that an adapter which is to be continued was trained on."""
    found: list[Snapshot] = []
    version: ModelVersion | None = policy
    while version is not None and version.run is not None:
        if version.run.round.snapshot is not None:
            found.append(version.run.round.snapshot)
        version = version_continued(version)
    return found
