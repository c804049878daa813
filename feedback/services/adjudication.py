"""Deciding what people disagree about: one further judgment of a task, by somebody who has not had it."""

import datetime as dt

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from feedback.domain.errors import Conflict, NotAllowed
from feedback.domain.states import AdjudicationState, AssignmentState
from feedback.domain.verdict import Verdict
from feedback.models import Adjudication, Assignment, Batch, Judgment, Task, User
from feedback.selectors.adjudication import adjudication_order
from feedback.services.judgment import judgment_submit
from feedback.services.transition import transition, transition_log

_LEASE = dt.timedelta(minutes=1)
"""It is judged in the same transaction."""


def adjudication_decide(
    *,
    adjudication: Adjudication,
    by: User,
    verdict: Verdict,
    client_key: str,
    rationale: str = "",
    active_s: float | None = None,
) -> Judgment:
    """Store an adjudicator's judgment beside the others; the first one wins. The same key again returns it.

    The task's overlap rises by one, so that it has as many counted judgments as it wants.

    Raises: NotAllowed for somebody who has had the task, Conflict when somebody else has decided, RankError, Invalid.
    """
    adjudication.refresh_from_db()
    decided = adjudication.judgment
    if decided is not None and (decided.annotator_id, decided.client_key) == (by.pk, client_key):
        return decided
    _check(adjudication, by)
    with transaction.atomic():
        try:
            transition(obj=adjudication, to=AdjudicationState.DECIDED, actor=by, decided_at=timezone.now())
        except Conflict:
            adjudication.refresh_from_db()
            _check(adjudication, by)
            raise
        task = adjudication.task
        assert task.batch_id is not None, "only tasks of batches are adjudicated"
        Task.objects.filter(pk=task.pk).update(overlap=F("overlap") + 1)
        Batch.objects.filter(pk=task.batch_id).update(n_wanted=F("n_wanted") + 1)
        assignment = Assignment.objects.create(
            task=task,
            annotator=by,
            order=adjudication_order(adjudication=adjudication, user=by),
            lease_expires_at=timezone.now() + _LEASE,
        )
        transition_log(
            obj=assignment, from_state="", to_state=AssignmentState.HELD, actor=by, reason=gettext_noop("adjudication")
        )
        judgment = judgment_submit(
            assignment_id=assignment.pk,
            annotator=by,
            verdict=verdict,
            client_key=client_key,
            rationale=rationale,
            active_s=active_s,
        ).judgment
        Adjudication.objects.filter(pk=adjudication.pk).update(judgment=judgment)
    return judgment


def _check(adjudication: Adjudication, by: User) -> None:
    if adjudication.state == AdjudicationState.DECIDED:
        decided = adjudication.judgment
        name = decided.annotator.username if decided else ""
        raise Conflict(
            _("%(name)s has decided this already. What you entered is still here, but nothing more is needed.")
            % {"name": name}
        )
    if Assignment.objects.filter(task=adjudication.task_id, annotator=by).exists():
        raise NotAllowed(_("You have had this task as an annotator; somebody else decides it."))
