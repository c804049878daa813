"""An admin changes tasks while annotators, each a process of its own, claim and judge them."""

import random
import time
from collections import Counter

import pytest
from django.db.models import Sum

from feedback.domain.states import AssignmentState, UserKind
from feedback.models import Assignment, Batch, Judgment, Task
from feedback.services.task import task_overlap_raise, task_prioritise, task_requeue
from tests.feedback.factories import MembershipFactory, ProjectFactory, TaskFactory, UserFactory
from tests.feedback.services.test_concurrency import errors, start

N_TASKS = 60
N_PEOPLE = 3


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
def test_every_slot_is_exact_while_an_admin_takes_tasks_back_and_asks_for_more(tmp_path):
    project = ProjectFactory(overlap=2)
    tasks = [task.pk for task in TaskFactory.create_batch(N_TASKS, project=project)]
    admin = UserFactory()
    people = [MembershipFactory(project=project, user__kind=UserKind.SIMULATED).user for _ in range(N_PEOPLE)]
    processes = [start(person, project, seed, tmp_path) for seed, person in enumerate(people)]

    chance = random.Random(3)
    raised: set[int] = set()
    while Judgment.objects.count() < N_TASKS:  # half of what was asked for: nobody has come to the end
        assert all(process.poll() is None for process in processes), errors(tmp_path)
        chosen = chance.sample(tasks, 4)
        task_prioritise(task_ids=chosen, priority=chance.randrange(5), by=admin, reason="order")
        task_requeue(task_ids=chosen, by=admin, reason="take back")
        more = set(chosen[:2]) - raised
        assert task_overlap_raise(task_ids=more, by=admin, reason="more") == len(more)
        raised |= more
        time.sleep(0.2)  # else the admin does nothing but take tasks back, and nobody ends one
    for process in processes:
        assert process.wait(timeout=240) == 0, errors(tmp_path)

    words = Judgment.objects.filter(superseded_by=None)
    counted, said = (Counter(rows.values_list("task", flat=True)) for rows in (words.filter(counted=True), words))
    open_slots = dict(Task.objects.values_list("pk", "open_slots"))
    assert {pk: counted[pk] + open_slots[pk] for pk in tasks} == {pk: 3 if pk in raised else 2 for pk in tasks}
    # A slot is left only where everybody has had their say, one of them too late to count.
    assert {said[pk] for pk in tasks if open_slots[pk]} <= {N_PEOPLE}
    assert not Assignment.objects.filter(state=AssignmentState.HELD).exists()
    assert Batch.objects.get().n_wanted == Task.objects.aggregate(n=Sum("overlap"))["n"]
