"""Real processes against the real database: on PostgreSQL when DATABASE_URL names one, else on a file of SQLite."""

import datetime as dt
import io
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from feedback.domain.states import AssignmentState, UserKind
from feedback.models import Assignment, Judgment, Task
from feedback.services.batch import batch_create, batch_open
from feedback.services.prompt import prompts_import
from feedback.services.response import responses_add
from tests.feedback.factories import MembershipFactory, ProjectFactory, SourceFactory

ROOT = Path(__file__).resolve().parents[3]
N_TASKS = 400
N_PROCESSES = 8
N_KILLED = 3


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
def test_eight_annotators_of_whom_three_are_killed_fill_every_slot_exactly(tmp_path):
    project = ProjectFactory(overlap=2)
    open_batch(project)
    people = [MembershipFactory(project=project, user__kind=UserKind.SIMULATED).user for _ in range(N_PROCESSES)]
    processes = [start(person, project, seed, tmp_path) for seed, person in enumerate(people)]

    chance = random.Random(7)
    for process, person in zip(processes[:N_KILLED], people, strict=False):
        wait_for(lambda person=person: Judgment.objects.filter(annotator=person).count() >= 10)
        time.sleep(chance.random() / 5)  # so that it dies anywhere, also in the middle of a transaction
        process.kill()
        process.wait()
        Assignment.objects.filter(annotator=person, state=AssignmentState.HELD).update(
            lease_expires_at=timezone.now() - dt.timedelta(seconds=1)
        )
    for process in processes[N_KILLED:]:
        assert process.wait(timeout=400) == 0, errors(tmp_path)

    counted = Counter(Judgment.objects.filter(counted=True, superseded_by=None).values_list("task", flat=True))
    assert counted == dict.fromkeys(Task.objects.values_list("pk", flat=True), 2)
    assert set(Task.objects.values_list("open_slots", flat=True)) == {0}
    assert not Assignment.objects.filter(state=AssignmentState.HELD).exists()
    told = {int(line) for file in tmp_path.glob("*.out") for line in file.read_text().split("\n")[:-1]}
    assert told <= set(Judgment.objects.values_list("pk", flat=True))
    assert set(Counter(Judgment.objects.values_list("assignment", flat=True)).values()) == {1}


def open_batch(project, n_tasks=N_TASKS):
    rows = [{"prompt": f"Question {n}?", "split": "ranked"} for n in range(n_tasks)]
    prompts_import(project=project, file=io.BytesIO(json.dumps(rows).encode()), filename="prompts.json")
    source = SourceFactory(project=project)
    batch = batch_create(project=project, plan=[(source.pk, 2)], n_prompts=n_tasks, seed=1)
    prompts = batch.prompts.values_list("pk", flat=True)
    responses_add(batch=batch, rows=[(pk, source.pk, n, f"Answer {n}", "stop", {}) for pk in prompts for n in range(2)])
    batch_open(batch=batch)
    assert Task.objects.count() == n_tasks


def start(person, project, seed, folder):
    arguments = [connection.settings_dict["NAME"], person.username, project.pk, seed]
    out, err = folder / f"{seed}.out", folder / f"{seed}.err"
    with out.open("w") as stdout, err.open("w") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.feedback.annotator_process", *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdout=stdout,
            stderr=stderr,
        )


def wait_for(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "nothing happens"
        time.sleep(0.05)


def errors(folder):
    return "\n".join(file.read_text()[-2_000:] for file in folder.glob("*.err"))
