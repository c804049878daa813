"""One person on several devices, or a browser that sends things twice: real connections at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection

from feedback.domain.errors import Conflict
from feedback.domain.states import AssignmentState, TaskPurpose, UserKind
from feedback.domain.verdict import Verdict
from feedback.models import Assignment, Draft, Judgment, Task
from feedback.services.assignment import assignment_claim, assignment_prefetch, assignment_show
from feedback.services.draft import draft_save
from feedback.services.judgment import judgment_submit
from tests.feedback.factories import MembershipFactory, ProjectFactory, TaskFactory
from tests.feedback.services.test_drawing import repeater_make

pytestmark = pytest.mark.django_db(transaction=True)
N = 6


@pytest.fixture
def project():
    project = ProjectFactory()
    TaskFactory.create_batch(4 * N, project=project)
    return project


@pytest.fixture
def annotator(project):
    return MembershipFactory(project=project, user__kind=UserKind.SIMULATED).user  # people are not that fast


def at_once(*calls):
    """Call all in threads of their own that begin together; return what each returned or raised."""
    start = threading.Barrier(len(calls))

    def run(call):
        try:
            start.wait()
            return call()
        except Exception as error:  # noqa: BLE001 - what a thread raised is looked at by the test
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def held():
    return Assignment.objects.filter(state=AssignmentState.HELD)


def taken():
    return sum(task.overlap - task.open_slots for task in Task.objects.all())


def test_prefetching_on_many_devices_holds_one_further_task(project, annotator):
    assignment_show(assignment=assignment_claim(project=project, annotator=annotator))

    found = at_once(*[partial(assignment_prefetch, project=project, annotator=annotator)] * N)

    assert len(set(found)) == 1, found
    assert (held().count(), taken()) == (2, 2)


def test_claims_and_prefetches_together_hold_two_tasks(project, annotator):
    person = {"project": project, "annotator": annotator}

    found = at_once(*[partial(assignment_claim, **person), partial(assignment_prefetch, **person)] * (N // 2))

    assert not [error for error in found if isinstance(error, Exception)]
    assert held().count() <= 2
    assert taken() == held().count()


def test_two_people_never_prefetch_the_last_task_both(project):
    people = [MembershipFactory(project=project).user for _ in range(N)]
    for person in people:
        assignment_show(assignment=assignment_claim(project=project, annotator=person))
    Task.objects.filter(open_slots=1, assignments=None).update(open_slots=0)
    last = TaskFactory(project=project)

    found = at_once(*[partial(assignment_prefetch, project=project, annotator=person) for person in people])

    assert sum(isinstance(one, Assignment) for one in found) == 1, found
    assert not [error for error in found if isinstance(error, Exception)]
    last.refresh_from_db()
    assert (last.open_slots, held().count()) == (0, N + 1)


def test_a_submit_that_comes_many_times_at_once_is_one_judgment(project, annotator):
    assignment = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))
    verdict = Verdict(ranks=(2, 1))
    submit = partial(judgment_submit, assignment_id=assignment.pk, annotator=annotator, verdict=verdict, client_key="k")

    found = at_once(*[submit] * N)

    assert sorted(done.created for done in found) == [False] * (N - 1) + [True]
    assert Judgment.objects.count() == 1


def test_tabs_that_save_at_once_make_one_draft_and_the_others_are_told(project, annotator):
    assignment = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))

    def save(tab):
        fields = {"rationale": [f"tab {tab}"]}
        return draft_save(assignment=assignment, annotator=annotator, fields=fields, version=0)

    found = at_once(*[partial(save, tab) for tab in range(N)])

    saved = [one for one in found if isinstance(one, Draft)]
    assert len(saved) == 1, found
    assert all(isinstance(one, Conflict) for one in found if one not in saved)
    assert Draft.objects.get().fields == saved[0].fields


def test_no_draft_outlives_its_judgment_however_they_meet(project, annotator):
    for number in range(N):
        assignment = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))
        save = partial(draft_save, assignment=assignment, annotator=annotator, fields={"rank_A": ["1"]})
        submit = partial(judgment_submit, assignment_id=assignment.pk, annotator=annotator, client_key=str(number))
        save(version=0)

        submitted, *saves = at_once(partial(submit, verdict=Verdict(ranks=(2, 1))), *[partial(save, version=1)] * 3)

        assert submitted.created
        assert all(isinstance(one, Draft | Conflict) for one in saves), saves
        assert not Draft.objects.exists()


def test_devices_that_ask_at_once_get_one_repeat_and_leave_no_other_behind():
    repeater = repeater_make()
    TaskFactory(project=repeater.project)
    found = at_once(*[partial(assignment_claim, project=repeater.project, annotator=repeater.user)] * N)

    assert not [one for one in found if isinstance(one, Exception)]
    assert held().count() == 1
    repeats = Task.objects.filter(purpose=TaskPurpose.REPEAT)
    assert list(repeats.values_list("pk", flat=True)) == [one.task_id for one in held() if one.task.repeat_of_id]
