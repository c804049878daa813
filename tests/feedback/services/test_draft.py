import datetime as dt

import pytest
from django.utils import timezone

from feedback.domain.errors import Conflict, Invalid, NotAllowed
from feedback.domain.protocol import SkipReason
from feedback.domain.states import AssignmentState
from feedback.domain.verdict import Verdict
from feedback.models import Assignment, Draft
from feedback.selectors.draft import draft_of
from feedback.services.assignment import assignment_claim, assignment_release, assignment_show, assignments_expire
from feedback.services.draft import MAX_LENGTH, draft_save
from feedback.services.judgment import judgment_submit
from tests.feedback.factories import MembershipFactory, ProjectFactory, TaskFactory

pytestmark = pytest.mark.django_db
TYPED = {"rank_A": ["1"], "flag_B": ["unsafe", "broken"], "rating_helpful_A": ["3"], "rationale": ["so\nfar"]}


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def assignment(project):
    TaskFactory(project=project)
    annotator = MembershipFactory(project=project).user
    return assignment_show(assignment=assignment_claim(project=project, annotator=annotator))


def save(assignment, fields=None, version=0):
    fields = TYPED if fields is None else fields
    return draft_save(assignment=assignment, annotator=assignment.annotator, fields=fields, version=version)


def submit(assignment, key="key"):
    verdict = Verdict(ranks=(1, 2))
    judgment_submit(assignment_id=assignment.pk, annotator=assignment.annotator, verdict=verdict, client_key=key)


def test_what_was_typed_is_kept_as_it_was_sent_and_replaced_by_the_next_save(assignment):
    assert save(assignment).version == 1
    assert draft_of(assignment=assignment).fields == TYPED
    again = save(assignment, {"rank_A": ["2"]}, version=1)

    assert (again.version, again.fields) == (2, {"rank_A": ["2"]})
    assert Draft.objects.count() == 1


def test_a_tab_that_knows_an_older_version_overwrites_nothing(assignment):
    save(assignment)
    save(assignment, {"rationale": ["newer"]}, version=1)

    for version in (0, 1):
        with pytest.raises(Conflict, match="Another tab"):
            save(assignment, version=version)
    assert draft_of(assignment=assignment).fields == {"rationale": ["newer"]}


def test_a_draft_ends_with_its_judgment_and_does_not_come_back_after_it(assignment):
    save(assignment)
    submit(assignment)

    assert draft_of(assignment=assignment) is None
    with pytest.raises(Conflict, match="done or was given back"):
        save(assignment, version=1)
    assert not Draft.objects.exists()


def test_a_correction_has_a_draft_of_its_own(assignment):
    submit(assignment)

    save(assignment, {"correction": ["1"], "rank_A": ["2"]})
    assert draft_of(assignment=assignment) is not None
    submit(assignment, key="another")
    assert draft_of(assignment=assignment) is None


def test_a_refused_judgment_keeps_the_draft(assignment):
    save(assignment)

    with pytest.raises(Invalid):
        judgment_submit(
            assignment_id=assignment.pk, annotator=assignment.annotator, verdict=Verdict(), client_key="key"
        )
    assert draft_of(assignment=assignment).fields == TYPED


def test_a_lease_that_ran_out_loses_no_draft(project, assignment):
    save(assignment)
    assignments_expire(now=assignment.lease_expires_at)
    assert save(assignment, version=1).version == 2

    again = assignment_claim(project=project, annotator=assignment.annotator)

    assert draft_of(assignment=again).fields == TYPED


def test_a_skipped_task_leaves_no_draft(assignment):
    save(assignment)
    assignment_release(assignment=assignment, annotator=assignment.annotator, reason=SkipReason.UNCLEAR)

    assert not Draft.objects.exists()
    with pytest.raises(Conflict):
        save(assignment, version=1)


def test_only_fields_of_the_form_are_kept(assignment):
    draft = save(assignment, TYPED | {"csrfmiddlewaretoken": ["secret"], "rank_Z": ["1"], "assignment": ["7"]})

    assert draft.fields == TYPED


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ([], 0),
        ({1: ["1"]}, 0),
        ({"rank_A": "1"}, 0),
        ({"rank_A": [1]}, 0),
        ({"rationale": ["a\x00"]}, 0),
        ({"rationale": ["r" * 1_000_000]}, 0),
        ({"rationale": ["r" * 1_000], "edited_answer": ["e" * MAX_LENGTH]}, 0),
        ({}, -1),
        ({}, True),
        ({}, 2**31),
    ],
)
def test_what_no_page_sends_is_refused(assignment, fields, version):
    with pytest.raises(Invalid):
        draft_save(assignment=assignment, annotator=assignment.annotator, fields=fields, version=version)
    assert not Draft.objects.exists()


def test_nobody_writes_into_anothers_draft(project, assignment):
    with pytest.raises(NotAllowed):
        draft_save(assignment=assignment, annotator=MembershipFactory(project=project).user, fields=TYPED, version=0)


def test_who_types_for_longer_than_the_lease_keeps_the_task(assignment):
    nearly = timezone.now() + dt.timedelta(seconds=1)
    Assignment.objects.filter(pk=assignment.pk).update(lease_expires_at=nearly)
    save(assignment)

    assert assignments_expire(now=nearly + dt.timedelta(seconds=60)) == 0
    assignment.refresh_from_db()
    lease_s = (assignment.lease_expires_at - timezone.now()).total_seconds()
    assert assignment.task.project.lease_s - 10 < lease_s <= assignment.task.project.lease_s


def test_typing_brings_no_task_back_that_was_given_back_already(assignment):
    long_ago = timezone.now() - dt.timedelta(seconds=1)
    Assignment.objects.filter(pk=assignment.pk).update(lease_expires_at=long_ago)
    assignments_expire()
    save(assignment)

    assignment.refresh_from_db()
    assert (assignment.state, assignment.lease_expires_at) == (AssignmentState.EXPIRED, long_ago)
