import json

import pytest

from alignment.domain.states import RunState
from alignment.selectors.run import run_eta_s
from alignment.selectors.rundir import attempt_folder
from tests.alignment.factories import RunFactory

pytestmark = pytest.mark.django_db


def running(events):
    """A run whose attempt reported (second, done, total, unit)."""
    run = RunFactory(state=RunState.RUNNING, attempt=1)
    lines = [
        json.dumps({"t": t, "type": "progress", "done": done, "total": total, "unit": unit})
        for t, done, total, unit in events
    ]
    attempt_folder(run).mkdir(parents=True)
    (attempt_folder(run) / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return run


def test_the_time_left_follows_from_the_pace():
    assert run_eta_s(running([(10.0, 0, 100, "steps"), (14.0, 20, 100, "steps")])) == 16.0
    assert run_eta_s(running([(10.0, 5, 100, "steps")])) is None


def test_a_stage_that_counts_answers_first_and_then_steps_is_judged_by_its_steps():
    sampled = [(0.0, 0, 4000, "answers"), (20.0, 4000, 4000, "answers")]
    assert run_eta_s(running([*sampled, (21.0, 1, 240, "steps")])) is None
    assert run_eta_s(running([*sampled, (21.0, 1, 240, "steps"), (23.0, 5, 240, "steps")])) == 117.5
