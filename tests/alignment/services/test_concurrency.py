"""Two workers at the same moment: every state change and every run happens once. Meant above all for PostgreSQL."""

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection

from alignment.domain.recipe import Recipe
from alignment.domain.states import DeploymentState, RoundState, RunState, VersionKind
from alignment.models import Deployment, Round, Run
from alignment.runs.lease import lease_claim
from alignment.services.advance import round_advance
from alignment.services.deployment import deployment_finish
from feedback.domain.states import Split
from feedback.models import Snapshot, Transition
from tests.alignment.factories import (
    BuildRoundFactory,
    DeploymentFactory,
    EvaluationFactory,
    ModelVersionFactory,
    RoundFactory,
    RunFactory,
)
from tests.feedback.factories import (
    JudgmentFactory,
    MembershipFactory,
    PromptFactory,
    QualityReportFactory,
    SnapshotFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)

N_WORKERS = 4


def at_once(work: Callable[[], object]) -> list[object]:
    """Call a function in several threads that start together; raise what any of them raised."""
    barrier, results, errors = threading.Barrier(N_WORKERS), [], []

    def run() -> None:
        try:
            barrier.wait()
            results.append(work())
        except Exception as error:  # noqa: BLE001 - raised again below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(N_WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


@pytest.fixture
def launched(house):
    """A round just launched, of a project with a gold score."""
    build = BuildRoundFactory(gold="tests.gold:score")
    live = DeploymentFactory(project=build.project)
    PromptFactory(project=build.project, split=Split.HELDOUT)
    path = house / "preferences.jsonl"
    path.write_text("{}\n")
    snapshot = SnapshotFactory(
        project=build.project, files={"preferences.jsonl": {"path": str(path), "sha256": "", "rows": 1}}
    )
    return RoundFactory(
        project=build.project, state=RoundState.SNAPSHOT, snapshot=snapshot, previous=live.version,
        recipe=Recipe().to_json(),
    )  # fmt: skip


def test_a_run_is_claimed_by_one(broker):
    run = RunFactory()
    assert Counter(lease is None for lease in at_once(lambda: lease_claim(run_id=run.pk))) == {True: 3, False: 1}


def test_advancing_at_once_makes_one_run_and_one_transition(broker, launched):
    at_once(lambda: round_advance(round_id=launched.pk))
    assert Run.objects.get().purpose == "reward"
    assert Transition.objects.filter(object_type="alignment.round", object_id=launched.pk).count() == 1
    assert broker.names() == ["alignment.run_execute"]


def test_freezing_the_rankings_at_once_makes_one_snapshot(broker, launched):
    annotator = MembershipFactory(project=launched.project).user
    judgments = [
        JudgmentFactory(assignment__task__project=launched.project, assignment__annotator=annotator) for _ in "ab"
    ]
    Round.objects.filter(pk=launched.pk).update(snapshot=None, last_judgment_id=judgments[0].pk)
    launched.snapshot.delete()
    at_once(lambda: round_advance(round_id=launched.pk))
    assert broker.names() == ["feedback.quality_compute"]
    broker.messages.clear()
    launched.project.quality_reports.get().delete()
    QualityReportFactory(project=launched.project, last_judgment_id=judgments[0].pk)
    at_once(lambda: round_advance(round_id=launched.pk))
    launched.refresh_from_db()
    assert launched.state == RoundState.REWARD
    assert launched.snapshot == Snapshot.objects.get()
    assert launched.snapshot.judgment_ids == [judgments[0].pk]
    assert Run.objects.get().purpose == "reward"


def test_a_failed_run_ends_its_round_once_and_opens_one_next(broker, launched):
    RunFactory(round=launched, state=RunState.FAILED, error="collapsed")
    PromptFactory(project=launched.project)
    at_once(lambda: round_advance(round_id=launched.pk))
    assert list(Round.objects.order_by("number").values_list("number", "state")) == [
        (0, RoundState.DEPLOYED), (1, RoundState.FAILED), (2, RoundState.SAMPLING),
    ]  # fmt: skip
    assert launched.project.batches.count() == 1


def test_a_build_that_two_workers_advance_deploys_once_and_does_not_fail(broker, house, monkeypatch):
    round_ = BuildRoundFactory(state=RoundState.BUILDING)
    sft = ModelVersionFactory(project=round_.project, kind=VersionKind.SFT, parent=None)
    monkeypatch.setattr("alignment.services.build.build_stages", lambda _: [])
    monkeypatch.setattr("alignment.services.build._policy", lambda _: sft)
    monkeypatch.setattr("alignment.services.build._prompts", lambda _: None)
    monkeypatch.setattr("alignment.services.build.deployment_finish", lambda *, deployment_id: None)
    at_once(lambda: round_advance(round_id=round_.pk))
    assert Deployment.objects.get(round=round_).version == sft
    round_.refresh_from_db()
    assert round_.state == RoundState.BUILDING


def test_a_deployment_goes_live_once(broker, launched, policy_server):
    old = Deployment.objects.get()
    PromptFactory(project=launched.project)
    policy_server(old.version)
    round_ = EvaluationFactory(round=RoundFactory(project=old.project, number=9, state=RoundState.REJECTED)).round
    Round.objects.filter(pk=launched.pk).update(state=RoundState.REJECTED)
    Round.objects.filter(pk=round_.pk).update(state=RoundState.GATE)
    version = ModelVersionFactory(project=old.project)
    policy_server(version)
    new = DeploymentFactory(project=old.project, version=version, state=DeploymentState.LOADING, round=round_)
    at_once(lambda: deployment_finish(deployment_id=new.pk))
    states = dict(Deployment.objects.values_list("pk", "state"))
    assert states == {old.pk: DeploymentState.RETIRED, new.pk: DeploymentState.LIVE}
    round_.refresh_from_db()
    assert round_.state == RoundState.DEPLOYED
    assert Round.objects.filter(number=10).count() == 1
