import datetime as dt
import uuid

import pytest
from django.utils import timezone

from alignment.domain.states import RunState
from alignment.models import Run
from alignment.runs.lease import Lease, LeaseLost, lease_beat, lease_claim, lease_end
from alignment.runs.reaper import MAX_ATTEMPTS, STILL_LOOKS, runs_requeue_lost, runs_resend
from tests.alignment.factories import RunFactory

pytestmark = pytest.mark.django_db(transaction=True)


def held(**changes) -> tuple[Run, Lease]:
    run = RunFactory(**changes)
    lease = lease_claim(run_id=run.pk)
    run.refresh_from_db()
    return run, lease


def look(times: int) -> None:
    for _ in range(times):
        runs_requeue_lost()


def test_a_run_whose_heart_stood_still_for_three_looks_is_queued_again(broker):
    run, lease = held()
    look(STILL_LOOKS)  # the first of these sees the heartbeat of the claim
    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    look(1)
    run.refresh_from_db()
    assert (run.state, run.lease_id) == (RunState.QUEUED, None)
    assert broker.names() == ["alignment.run_execute"]
    with pytest.raises(LeaseLost):
        lease_beat(lease)


def test_a_beating_heart_is_left_alone(broker):
    run, lease = held()
    for _ in range(10):
        look(2)
        lease_beat(lease)
    run.refresh_from_db()
    assert run.state == RunState.RUNNING


def test_a_replaced_workers_result_does_not_count(broker):
    run, old = held()
    look(STILL_LOOKS + 1)
    new = lease_claim(run_id=run.pk)
    with pytest.raises(LeaseLost):
        lease_end(old, to=RunState.SUCCEEDED, metrics={"win_rate": 0.1})
    lease_end(new, to=RunState.SUCCEEDED, metrics={"win_rate": 0.9})
    with pytest.raises(LeaseLost):
        lease_end(old, to=RunState.FAILED, error="too late")
    run.refresh_from_db()
    assert (run.state, run.attempt, run.metrics) == (RunState.SUCCEEDED, 2, {"win_rate": 0.9})


def test_a_lost_run_that_was_to_stop_is_cancelled(broker):
    run, _ = held()
    Run.objects.filter(pk=run.pk).update(stop_requested=True)
    look(STILL_LOOKS + 1)
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED


def test_a_run_that_loses_every_worker_fails_in_the_end(broker):
    run, _ = held(attempt=MAX_ATTEMPTS - 1)
    look(STILL_LOOKS + 1)
    run.refresh_from_db()
    assert run.state == RunState.FAILED
    assert "disappeared" in run.error


def test_only_one_of_two_claims_gets_the_run(broker):
    run = RunFactory()
    assert lease_claim(run_id=run.pk) is not None
    assert lease_claim(run_id=run.pk) is None


def test_a_run_that_waits_for_long_is_sent_again_once_a_while(broker):
    run = RunFactory(sent_at=timezone.now() - dt.timedelta(seconds=31))
    RunFactory(sent_at=timezone.now())
    RunFactory(state=RunState.RUNNING, lease_id=uuid.uuid4())
    assert runs_resend() == 1
    assert broker.messages == [("alignment.run_execute", {"run_id": run.pk})]
    assert runs_resend() == 0
