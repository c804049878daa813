"""Taking in what people judged: once a key, exactly as many as wanted, nothing lost."""

import dataclasses
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from feedback.domain.errors import Conflict, Invalid, LeaseLost, NotAllowed
from feedback.domain.judging import verdict_by_item, verdict_check
from feedback.domain.masking import MASK
from feedback.domain.messages import check_text
from feedback.domain.protocol import ProtocolKind, ProtocolOptions
from feedback.domain.ranking import LETTERS, pairs_from_ranks
from feedback.domain.states import LEARNED_FROM, AssignmentState, BatchState, Role, Standing, TaskPurpose
from feedback.domain.verdict import Verdict
from feedback.domain.working_time import check_active_s
from feedback.models import Assignment, Batch, Judgment, Membership, Protocol, Task, User
from feedback.selectors.assignment import answer_texts, assignment_get
from feedback.selectors.gold import gold_batch
from feedback.selectors.project import protocol_for
from feedback.services.assignment import slot_give, slot_take
from feedback.services.burst import burst_hold
from feedback.services.drawing import qualification_review
from feedback.services.overlap import overlap_review
from feedback.services.rows import row_add, rows_change
from feedback.services.transition import transition_log

MAX_RATIONALE_LENGTH = 10_000
_SAID = (
    "ranks", "cannot_judge", "all_bad", "strength", "ratings", "flags", "edited_item", "edited_answer", "rationale",
)  # fmt: skip
"""What two submits under one key must have in common to be the same one; the seconds may differ."""


@dataclasses.dataclass(frozen=True)
class JudgmentSubmit:
    judgment: Judgment
    created: bool
    """False when the key was used before: this is the judgment that was stored then."""


def judgment_submit(
    *,
    assignment_id: int,
    annotator: User,
    verdict: Verdict,
    client_key: str,
    rationale: str = "",
    active_s: float | None = None,
) -> JudgmentSubmit:
    """Store a judgment under the protocol version that the assignment was shown under.

    The same key with the same judgment again returns the first one. On an assignment that has a judgment, another key
    corrects it, as long as the batch is open. After the lease ran out a judgment counts if the slot is still free; when
    it is not, the judgment is kept with `counted` False. A closed batch still takes it, for the next round.

    Raises: NotAllowed, RankError, Invalid, LeaseLost (it was skipped), Conflict (batch closed, or key used otherwise).
    """
    assignment = assignment_get(assignment_id=assignment_id)
    if assignment is None:
        raise NotAllowed(_("This task is with another annotator."))
    return assignment_judge(
        assignment=assignment,
        annotator=annotator,
        verdict=verdict,
        client_key=client_key,
        rationale=rationale,
        active_s=active_s,
    )


def assignment_judge(
    *,
    assignment: Assignment,
    annotator: User,
    verdict: Verdict,
    client_key: str,
    rationale: str = "",
    active_s: float | None = None,
) -> JudgmentSubmit:
    """Do as `judgment_submit` does, for an assignment that the caller has just read."""
    if assignment.annotator_id != annotator.pk:
        raise NotAllowed(_("This task is with another annotator."))
    n_answers = len(assignment.order)
    protocol = assignment.protocol or protocol_for(project=assignment.task.project, n_answers=n_answers)
    fields: dict[str, Any] = {
        "client_key": check_text(client_key, "client_key", max_length=64),
        "protocol": protocol,
        "rationale": check_text(rationale, _("The rationale"), max_length=MAX_RATIONALE_LENGTH, empty=True),
        "active_s": check_active_s(active_s),
        **_check_verdict(verdict, assignment, protocol),
    }
    try:
        with transaction.atomic():
            # Nearly always this is the first judgment, so that is tried before anything is looked up.
            return _first(assignment, fields) or _submit(assignment, fields)
    except IntegrityError:
        # The key was used before, or a twin of this request was first: now its judgment can be seen.
        with transaction.atomic():
            return _submit(assignment, fields)


def _first(assignment: Assignment, fields: dict[str, Any]) -> JudgmentSubmit | None:
    if not _move(assignment, AssignmentState.HELD):
        return None
    return _store(assignment, fields, counted=True)


def _submit(assignment: Assignment, fields: dict[str, Any]) -> JudgmentSubmit:
    known = _replay(assignment, fields)
    if known is not None:
        return known
    first = _first(assignment, fields)
    if first is not None:
        return first
    if Assignment.objects.filter(pk=assignment.pk, state=AssignmentState.EXPIRED).exists():
        # The rows of membership, task and assignment in this order, as a claim takes them.
        counted = _may_count(assignment) and slot_take(task_id=assignment.task_id)
        if _move(assignment, AssignmentState.EXPIRED):
            return _store(assignment, fields, counted=counted)
        if counted:  # a twin of this request was first
            slot_give(task_id=assignment.task_id)
    return _replay(assignment, fields) or _correct(assignment, fields)


def _may_count(assignment: Assignment) -> bool:
    """Tell whether a late judgment of this person may count; no exclusion that begins now overlooks it."""
    own = Membership.objects.filter(
        project=assignment.task.project_id, user=assignment.annotator_id, role=Role.ANNOTATOR
    )
    own.update(n_claims=F("n_claims"))  # holds the row
    return not own.filter(standing=Standing.EXCLUDED).exists()


def _replay(assignment: Assignment, fields: dict[str, Any]) -> JudgmentSubmit | None:
    known = Judgment.objects.filter(annotator=assignment.annotator_id, client_key=fields["client_key"]).first()
    if known is None:
        return None
    same = all(getattr(known, name) == fields[name] for name in _SAID)
    if known.assignment_id != assignment.pk or not same:
        raise Conflict(_("This client_key was used for another judgment; send a correction under a new key."))
    return JudgmentSubmit(known, created=False)


def _move(assignment: Assignment, before: AssignmentState) -> bool:
    if not rows_change(_MOVE, AssignmentState.SUBMITTED.value, assignment.pk, before.value):
        return False
    transition_log(obj=assignment, from_state=before, to_state=AssignmentState.SUBMITTED, actor=assignment.annotator)
    return True


_MOVE = "UPDATE feedback_assignment SET state = %s WHERE id = %s AND state = %s"


def _correct(assignment: Assignment, fields: dict[str, Any]) -> JudgmentSubmit:
    latest = Judgment.objects.filter(assignment=assignment, superseded_by=None).first()
    if latest is None:
        raise LeaseLost(_("You gave this task back; go on with the next one."))
    if assignment.task.purpose in LEARNED_FROM:
        raise Conflict(_("Training and qualification tasks cannot be changed once they are submitted."))
    # Holds the batch's row, so that no correction slips in after the batch was closed. A gold task has no batch; it can
    # be corrected as long as those can among which it hides.
    batch_id = assignment.task.batch_id or gold_batch(project=assignment.task.project, judged_at=latest.created_at)
    if batch_id is None or not Batch.objects.filter(pk=batch_id, state=BatchState.OPEN).update(state=BatchState.OPEN):
        raise Conflict(_("The batch is closed, so this judgment can no longer be corrected."))
    latest.refresh_from_db(fields=["counted"])  # it may have been taken out of the count before the row was held
    return _store(assignment, fields, counted=latest.counted, supersedes=latest)


def _store(
    assignment: Assignment, fields: dict[str, Any], *, counted: bool, supersedes: Judgment | None = None
) -> JudgmentSubmit:
    pairs = pairs_from_ranks(fields["ranks"], fields["cannot_judge"])
    judgment = Judgment(
        assignment=assignment,
        task=assignment.task,
        annotator=assignment.annotator,
        n_pairs=len(pairs.won),
        n_ties=len(pairs.tied),
        counted=counted,
        supersedes=supersedes,
        **fields,
    )
    row_add(judgment)
    rows_change("DELETE FROM feedback_draft WHERE assignment_id = %s", assignment.pk)
    _follow_up(judgment)
    return JudgmentSubmit(judgment, created=True)


def _follow_up(judgment: Judgment) -> None:
    """Do what a judgment brings with it, in its transaction."""
    if judgment.supersedes is not None:
        return
    purpose = judgment.task.purpose
    if purpose == TaskPurpose.LABEL:
        if judgment.task.reserved_for_id == judgment.annotator_id:
            # Done by the person whom it waited for: now it is everybody's.
            Task.objects.filter(pk=judgment.task_id, reserved_for=judgment.annotator_id).update(reserved_for=None)
        burst_hold(judgment=judgment)
        overlap_review(judgment=judgment)
    if purpose in LEARNED_FROM:
        membership = Membership.objects.select_related("project").get(
            project=judgment.task.project_id, user=judgment.annotator_id, role=Role.ANNOTATOR
        )
        qualification_review(membership=membership)


def _check_verdict(verdict: Verdict, assignment: Assignment, protocol: Protocol) -> dict[str, Any]:
    checked = verdict_check(
        verdict,
        kind=ProtocolKind(protocol.kind),
        options=ProtocolOptions.from_json(protocol.options),
        n_answers=len(assignment.order),
    )
    if MASK in checked.edited_answer:
        raise Invalid(_("Write what should stand in the place of %(mask)s.") % {"mask": MASK})
    stored = verdict_by_item(checked, assignment.order)
    if (
        stored.edited_item is not None
        and stored.edited_answer == answer_texts(assignment=assignment)[stored.edited_item]
    ):
        assert checked.edited_position is not None
        raise Invalid(
            _("The improved answer is the same as %(letter)s; change it, or take it away.")
            % {"letter": LETTERS[checked.edited_position]}
        )
    return stored.to_fields()
