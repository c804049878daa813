"""Opening the next round when one has ended, with tasks from the policies that are to be compared."""

from django.conf import settings
from django.db import transaction as database
from django.utils import translation

from alignment.domain.sampling import plan_even
from alignment.domain.states import RoundState
from alignment.models import Deployment, ModelVersion, Round
from alignment.selectors.deployment import deployment_live, version_base
from feedback.dispatch import dispatch
from feedback.domain.errors import Invalid
from feedback.domain.protocol import ProtocolKind, answers_of_task
from feedback.domain.states import BatchState
from feedback.models import Batch, Task
from feedback.selectors.project import protocol_current
from feedback.services.batch import batch_create, batch_reopen
from feedback.services.live_batch import live_batch
from feedback.services.transition import transition_log


def round_open_next(*, after: Round) -> Round | None:
    """Make the round that follows one that has just ended, in the caller's transaction.

    Labels are never lost: a batch that still has open tasks goes on in the next round. Returns None while the
    project has no policy that could answer.
    """
    live = deployment_live(project=after.project)
    if live is None:
        return None
    batch = _batch_to_go_on(after)
    state = RoundState.LABELING if batch is not None else RoundState.SAMPLING
    following = Round.objects.create(
        project=after.project, number=after.number + 1, state=state, seed=after.seed + 1, batch=batch
    )
    transition_log(obj=following, from_state="", to_state=state)
    if batch is None:
        batch_plan(round=following, after=after)
    dispatch("alignment.round_advance", round_id=following.pk)
    return following


def batch_plan(*, round: Round, after: Round | None) -> bool:
    """Give a round its batch; return whether it has one now, else `waiting_for` says what is missing."""
    live = deployment_live(project=round.project)
    assert live is not None, "a round is opened only for a project with a live policy"
    is_new = after is not None and after.state == RoundState.DEPLOYED and after.policy_id == live.version_id
    try:
        with translation.override(settings.LANGUAGE_CODE), database.atomic():  # what is stored is for every reader
            batch = _batch(round, _versions_to_compare(live) if is_new else [live.version])
            Round.objects.filter(pk=round.pk).update(batch=batch, waiting_for="")
    except Invalid as error:
        Round.objects.filter(pk=round.pk).update(waiting_for=error.message)
        return False
    round.batch = batch
    return True


def _versions_to_compare(live: Deployment) -> list[ModelVersion]:
    """Return a new policy, the one before it, and SFT.

    Two policies in a row are much alike: rankings of their answers alone let the reward model forget what it was that
    they learnt to do better than SFT.
    """
    before = [live.previous.version] if live.previous is not None else []
    return list(dict.fromkeys([live.version, *before, version_base(live.version)]))


def _batch(round_: Round, versions: list[ModelVersion]) -> Batch:
    project = round_.project
    kind = ProtocolKind(protocol_current(project=project).kind)
    if kind == ProtocolKind.LIVE:
        return live_batch(project=project)  # its answers are written while people chat
    return batch_create(
        project=project,
        plan=plan_even([_source_id(version) for version in versions], answers_of_task(kind, project.answers_per_task)),
        n_prompts=project.prompts_per_batch,
        seed=round_.seed,
    )


def _batch_to_go_on(after: Round) -> Batch | None:
    """Return the ended round's batch when people still have something to do in it, reopened if it was closed."""
    batch = after.batch
    if batch is None or after.state not in {RoundState.FAILED, RoundState.CANCELLED}:
        return None
    batch.refresh_from_db()
    if batch.state not in {BatchState.OPEN, BatchState.CLOSED}:
        return None
    if not Task.objects.filter(batch=batch, open_slots__gt=0).exists():
        return None
    if batch.state == BatchState.CLOSED:
        batch_reopen(batch=batch, reason=f"round {after.number} ended without a policy")
    return batch


def _source_id(version: ModelVersion) -> int:
    assert version.source_id is not None, f"{version} answers prompts and so has a source"
    return version.source_id
