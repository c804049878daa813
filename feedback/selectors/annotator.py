"""One annotator of a project as its admins see them: standing, counts, holds, blocks, and why they get no task now."""

import dataclasses
import datetime as dt
import zoneinfo

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from feedback.domain.states import AssignmentState, BatchState, HoldState, Role, Standing, TaskPurpose
from feedback.models import Assignment, Batch, Hold, Judgment, Membership, Project, Snapshot, Task, Transition, User

_MAY_CLAIM = (Standing.LEARNING, Standing.WORKING)
_SENTENCES = {
    Standing.UNQUALIFIED: gettext_lazy("You are not qualified for this project."),
    Standing.STOPPED: gettext_lazy(
        "Several of your last judgments came faster than anybody can read. There are no new tasks until an admin has "
        "looked at them."
    ),
    Standing.PAUSED: gettext_lazy("An admin of this project has paused your work."),
    Standing.EXCLUDED: gettext_lazy("You no longer work on this project."),
}


@dataclasses.dataclass(frozen=True)
class Halt:
    """Why somebody gets no task now, for themselves."""

    sentence: str
    reason: str = ""
    """What an admin wrote about it."""

    def __str__(self) -> str:
        return f"{self.sentence} {self.reason}".strip()


@dataclasses.dataclass(frozen=True)
class AnnotatorCounts:
    n_judgments: int
    """Tasks judged; corrections are none of their own."""
    n_counted: int
    n_skipped: int
    active_s: float
    n_today: int
    """In the person's time zone."""


@dataclasses.dataclass(frozen=True)
class Block:
    """Tasks of a batch that wait for one person."""

    batch_number: int
    n_left: int


@dataclasses.dataclass(frozen=True)
class ExclusionProgress:
    n_left: int
    n_done: int
    """Judgments that are out of the count by now."""


@dataclasses.dataclass(frozen=True)
class HeldJudgment:
    judgment: Judgment
    seconds: float


def annotator_membership(*, project: Project, user: User | int) -> Membership | None:
    """Return somebody's membership as an annotator, also a former one's."""
    return (
        Membership.objects.filter(project=project, user=user, role=Role.ANNOTATOR)
        .select_related("project", "user")
        .first()
    )


def annotator_halt(*, membership: Membership) -> Halt | None:
    """Return why this person gets no task now, or None when they may go on.

    A day's limit counts what is in hand, so that it is never overstepped.
    """
    if membership.standing not in _MAY_CLAIM:
        standing = Standing(membership.standing)
        if standing == Standing.UNQUALIFIED and membership.standing_reason:
            return Halt(membership.standing_reason)  # a whole sentence with the figures
        return Halt(str(_SENTENCES[standing]), membership.standing_reason)
    cap = membership.daily_cap or membership.project.daily_cap
    if cap is None or judged_today(membership=membership) + _in_hand(membership) < cap:
        return None
    return Halt(
        _(
            "You have reached today's limit of %(cap)d judgments. You can go on tomorrow; your day ends at midnight in "
            "%(zone)s."
        )
        % {"cap": cap, "zone": membership.user.time_zone}
    )


def judged_today(*, membership: Membership) -> int:
    """Return how many tasks of the project this person judged since midnight in their time zone."""
    now = timezone.now().astimezone(zoneinfo.ZoneInfo(membership.user.time_zone))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Judgment.objects.filter(
        annotator=membership.user_id,
        created_at__gte=midnight.astimezone(dt.UTC),
        task__project=membership.project_id,
        supersedes=None,
    ).count()


def _in_hand(membership: Membership) -> int:
    return Assignment.objects.filter(
        annotator=membership.user_id,
        state=AssignmentState.HELD,
        lease_expires_at__gt=timezone.now(),
        task__project=membership.project_id,
    ).count()


def annotator_counts(*, membership: Membership) -> AnnotatorCounts:
    own = Judgment.objects.filter(annotator=membership.user_id, task__project=membership.project_id)
    sums = own.aggregate(
        n_judgments=Count("pk", filter=Q(supersedes=None)),
        n_counted=Count("pk", filter=Q(supersedes=None, counted=True)),
        active_s=Sum("active_s", default=0.0),
    )
    skipped = Assignment.objects.filter(
        annotator=membership.user_id, state=AssignmentState.RELEASED, task__project=membership.project_id
    )
    return AnnotatorCounts(**sums, n_skipped=skipped.count(), n_today=judged_today(membership=membership))


def standing_history(*, membership: Membership) -> QuerySet[Transition]:
    """Return what happened to a membership, the newest first."""
    return (
        Transition.objects.filter(object_type="feedback.membership", object_id=membership.pk)
        .select_related("actor")
        .order_by("-pk")
    )


def hold_list(*, membership: Membership) -> QuerySet[Hold]:
    """Return a person's holds, the newest first."""
    return Hold.objects.filter(membership=membership).select_related("decided_by").order_by("-pk")


def hold_get(*, membership: Membership, hold_id: int) -> Hold | None:
    return Hold.objects.select_related("membership").filter(membership=membership, pk=hold_id).first()


def hold_judgments(*, hold: Hold) -> list[HeldJudgment]:
    """Return the judgments of a burst, with the seconds between showing and submitting."""
    judgments = hold.judgments.select_related("assignment", "task__prompt").order_by("pk")
    return [
        HeldJudgment(judgment, (judgment.created_at - judgment.assignment.shown_at).total_seconds())
        for judgment in judgments
        if judgment.assignment.shown_at is not None
    ]


def holds_waiting(*, project: Project) -> dict[int, int]:
    """Return the number of holds that nobody has looked at, by user id."""
    rows = Hold.objects.filter(membership__project=project, state=HoldState.REVIEWING)
    return dict(rows.values_list("membership__user").annotate(n=Count("pk")))


def standings(*, project: Project) -> dict[int, Membership]:
    """Return the active annotators of a project by user id."""
    rows = Membership.objects.filter(project=project, role=Role.ANNOTATOR, is_active=True)
    return {membership.user_id: membership for membership in rows}


def block_list(*, membership: Membership) -> list[Block]:
    """Return what waits for this person in each open batch."""
    tasks = Task.objects.filter(
        reserved_for=membership.user_id,
        batch__in=_open_batches(membership.project_id),
        open_slots__gt=0,
        purpose=TaskPurpose.LABEL,
    )
    rows = tasks.values_list("batch__number").annotate(n=Count("pk")).order_by("batch__number")
    return [Block(number, n) for number, n in rows]


def _open_batches(project_id: int) -> QuerySet[Batch]:
    return Batch.objects.filter(project=project_id, state=BatchState.OPEN)


def exclusion_rows(*, membership: Membership) -> QuerySet[Judgment]:
    """Return what an exclusion, or its undoing, has still to do: the first judgment of each task that it concerns.

    What somebody decided as an adjudicator is no annotator's work and stays.
    """
    own = Judgment.objects.filter(annotator=membership.user_id, task__project=membership.project_id, supersedes=None)
    if membership.standing != Standing.EXCLUDED:
        return own.filter(is_excluded=True)
    return own.filter(counted=True, adjudication=None, task__batch__in=_open_batches(membership.project_id))


def exclusion_progress(*, membership: Membership) -> ExclusionProgress:
    out = Judgment.objects.filter(
        annotator=membership.user_id, is_excluded=True, task__project=membership.project_id, supersedes=None
    )
    return ExclusionProgress(exclusion_rows(membership=membership).count(), out.count())


def exclusions_unfinished() -> list[Membership]:
    """Return memberships whose judgments do not yet count, or not count, as their standing says."""
    annotators = Membership.objects.filter(role=Role.ANNOTATOR)
    excluded = [one for one in annotators.filter(standing=Standing.EXCLUDED) if exclusion_rows(membership=one).exists()]
    out = Judgment.objects.filter(annotator=OuterRef("user"), is_excluded=True, task__project=OuterRef("project"))
    return [*excluded, *annotators.exclude(standing=Standing.EXCLUDED).filter(Exists(out))]


def snapshots_with(*, membership: Membership) -> list[tuple[Snapshot, int]]:
    """Return the snapshots that pinned judgments of this person, each with how many. Reads every snapshot's ids."""
    own = set(
        Judgment.objects.filter(annotator=membership.user_id, task__project=membership.project_id).values_list(
            "pk", flat=True
        )
    )
    found = []
    for snapshot in Snapshot.objects.filter(project=membership.project_id).order_by("pk").iterator(chunk_size=1):
        n = sum(judgment_id in own for judgment_id in snapshot.judgment_ids)
        if n:
            found.append((snapshot, n))
    return found
