"""Sixteen people at once on PostgreSQL, of whom some are killed and some let their leases run out.

CONCURRENCY_FULL=1 makes it 20,000 assignments, which takes minutes.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection

from feedback.domain.states import AssignmentState, UserKind
from feedback.models import Assignment, Judgment, Task, Transition
from tests.feedback.factories import MembershipFactory, ProjectFactory
from tests.feedback.services.test_concurrency import ROOT, open_batch

OVERLAP = 3
N_PEOPLE = 16
N_TASKS, N_KILLED = (6_667, 150) if os.environ.get("CONCURRENCY_FULL") else (200, 12)
BROKEN = """
    SELECT count(*) FROM feedback_task AS task WHERE overlap <> open_slots
        + (SELECT count(*) FROM feedback_assignment WHERE task_id = task.id AND state = 'held')
        + (SELECT count(*) FROM feedback_judgment AS judgment WHERE task_id = task.id AND counted AND NOT EXISTS
            (SELECT 1 FROM feedback_judgment AS later WHERE later.supersedes_id = judgment.id))
"""
"""Tasks whose slots do not add up at one moment: a single statement sees a single state of the database."""


def n_broken():
    with connection.cursor() as cursor:
        cursor.execute(BROKEN)
        return cursor.fetchone()[0]


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="on SQLite writers wait in a line; test_concurrency has it")
def test_sixteen_people_some_killed_and_some_too_late_fill_every_slot_exactly(tmp_path):
    project = ProjectFactory(overlap=OVERLAP)
    open_batch(project, n_tasks=N_TASKS)
    people = [MembershipFactory(project=project, user__kind=UserKind.SIMULATED).user for _ in range(N_PEOPLE)]
    begun = time.monotonic()

    crowd = start(project, tmp_path, people)
    looks = []
    while crowd.poll() is None:
        looks.append(n_broken())
        time.sleep(0.5)

    assert crowd.returncode == 0, (tmp_path / "errors").read_text()[-3_000:]
    assert set(looks) == {0}, "overlap = open slots + leases + counted judgments, at every moment"
    assert n_broken() == 0
    assert set(Task.objects.values_list("open_slots", flat=True)) == {0}
    assert not Assignment.objects.filter(state=AssignmentState.HELD).exists()
    counted = Counter(Judgment.objects.filter(counted=True).values_list("task", flat=True))
    assert counted == dict.fromkeys(Task.objects.values_list("pk", flat=True), OVERLAP)
    told = {int(line) for file in tmp_path.glob("*.told") for line in file.read_text().splitlines()}
    assert told <= set(Judgment.objects.values_list("pk", flat=True))
    assert set(Counter(Judgment.objects.values_list("assignment", flat=True)).values()) == {1}
    n_expired = Transition.objects.filter(to_state=AssignmentState.EXPIRED).count()
    assert n_expired, "no lease ran out: this test shows less than it says"
    print(  # noqa: T201 - figures of the run, shown with -s
        f"{len(told)} acknowledged, {sum(counted.values())} counted, {Judgment.objects.filter(counted=False).count()} "
        f"late, {n_expired} leases ran out, {N_KILLED} killed, {len(looks)} looks, {time.monotonic() - begun:.0f} s"
    )


def start(project, folder: Path, people):
    names = [person.username for person in people]
    arguments = [connection.settings_dict["NAME"], project.pk, folder, 7, N_KILLED, *names]
    with (folder / "errors").open("w") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.feedback.crowd_processes", *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
            stderr=errors,
        )
