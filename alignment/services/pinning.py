"""Writing what a launch froze, the rankings and the held-out prompts: all that follows reads files and no live rows."""

from django.db import transaction as database
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from alignment.domain.recipe import Recipe
from alignment.domain.states import RoundState
from alignment.models import Round
from alignment.selectors.version import version_snapshots
from alignment.services.datasets import prompts_file
from alignment.services.specs import build_recipe, round_previous
from feedback.domain.errors import Conflict
from feedback.domain.states import Split
from feedback.models import Snapshot
from feedback.selectors.quality import LIVE, report_newest
from feedback.services.quality import quality_ask
from feedback.services.snapshot import snapshot_create
from feedback.services.transition import transition

_FIGURES_FIRST = gettext_noop(
    "The quality report is brought up to date first: the training takes from it how far each annotator can be trusted."
)


def figures_ready(*, round: Round) -> bool:
    """Return whether a quality report knows of all rankings that stood at the launch; otherwise ask for one.

    What could not be computed since the launch is done without: a judgment of which nothing is known counts as it was
    said.
    """
    newest = report_newest(project=round.project)
    asked_since = newest is not None and round.launched_at is not None and newest.created_at >= round.launched_at
    is_live = newest is not None and newest.state in LIVE
    if newest is not None and not is_live and (asked_since or newest.last_judgment_id >= round.last_judgment_id):
        return True
    if not is_live:
        quality_ask(project=round.project, by=round.launched_by)
    Round.objects.filter(pk=round.pk, state=round.state).update(waiting_for=_FIGURES_FIRST)
    return False


def round_pin(*, round: Round) -> None:
    """Pin the rankings that stood at the launch and let the training begin.

    Raises: RoundRefused when nothing is held out that the base has not seen, Conflict: look again.
    """
    prompts_file(round, Split.HELDOUT)
    with database.atomic():
        # Holds the round's row: a second worker waits here, finds the round moved on, and writes no second snapshot.
        # SQLite holds everybody who writes: 2.7 s for 5,000 rankings of four answers each.
        if not Round.objects.filter(pk=round.pk, state=round.state).update(state=round.state):
            raise Conflict(_("%(what)s has changed meanwhile; look again.") % {"what": round})
        transition(obj=round, to=RoundState.REWARD, snapshot=round.snapshot or _snapshot(round), waiting_for="")


def _snapshot(round_: Round) -> Snapshot:
    recipe = Recipe.from_json(round_.recipe)
    return snapshot_create(
        project=round_.project,
        by=round_.launched_by,
        until_judgment_id=round_.last_judgment_id,
        not_in=version_snapshots(round_previous(round_)) if recipe.only_new_rankings else (),
        halves=not build_recipe(round_.project).gold,
    )
