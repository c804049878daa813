"""Rounds of projects of every kind: what their batches ask for, and what training gets of their judgments."""

import json
from pathlib import Path

import pytest

from alignment.domain.states import DeploymentState, RoundState, VersionKind
from alignment.models import Deployment, Round
from alignment.selectors.deployment import deployment_live
from alignment.selectors.ranking import Usable, rankings_usable
from alignment.services.opening import batch_plan
from alignment.services.sampling import batch_sample
from feedback.domain.protocol import Dimension, Editing, ProtocolKind, ProtocolOptions
from feedback.domain.states import BatchState, UserKind
from feedback.domain.verdict import Verdict
from feedback.models import Project, Task
from feedback.services.assignment import assignment_claim, assignment_show
from feedback.services.judgment import judgment_submit
from feedback.services.snapshot import snapshot_create
from tests.alignment.factories import BuildRoundFactory, DeploymentFactory, ModelVersionFactory, RoundFactory
from tests.feedback.factories import MembershipFactory, PromptFactory, ProtocolFactory, TaskFactory

pytestmark = pytest.mark.django_db


def opening(kind: ProtocolKind, **options) -> tuple[Project, Round]:
    """A project of that kind with a live policy, and a round that has no batch yet."""
    project = BuildRoundFactory().project
    ProtocolFactory(project=project, kind=kind, options=ProtocolOptions(**options).to_json())
    DeploymentFactory(project=project)
    PromptFactory.create_batch(3, project=project)
    return project, RoundFactory(project=project, batch=None)


@pytest.mark.parametrize(("kind", "n_answers"), [("rank", 4), ("rate", 4), ("pairwise", 2)])
def test_a_batch_asks_for_as_many_answers_as_its_kind_shows(kind, n_answers):
    _, round_ = opening(ProtocolKind(kind), dimensions=(Dimension("kind", "Kind"),))

    assert batch_plan(round=round_, after=None)

    assert sum(entry["n"] for entry in round_.batch.plan) == n_answers
    assert round_.batch.state == BatchState.SAMPLING


@pytest.mark.parametrize(("kind", "n_answers"), [("rank", [2, 1, 1]), ("pairwise", [1, 1, 0])])
def test_a_new_policy_is_compared_with_the_one_before_and_with_sft(kind, n_answers):
    """Where tasks have room for two, the three take turns."""
    project, round_ = opening(ProtocolKind(kind))
    live = deployment_live(project=project)
    versions = [live.version]
    for _ in range(2):
        Deployment.objects.update(state=DeploymentState.RETIRED)
        policy = ModelVersionFactory(project=project, kind=VersionKind.POLICY, parent=versions[-1])
        live = DeploymentFactory(project=project, version=policy, previous=live)
        versions.insert(0, policy)
    after = RoundFactory(project=project, state=RoundState.DEPLOYED, policy=live.version, batch=None, number=7)

    assert batch_plan(round=round_, after=after)

    expected = [{"source": version.source_id, "n": n} for version, n in zip(versions, n_answers, strict=False)]
    assert round_.batch.plan == expected


def test_prompts_whose_answers_are_written_ask_no_policy(broker):
    _, round_ = opening(ProtocolKind.WRITE)
    batch_plan(round=round_, after=None)

    batch_sample(batch_id=round_.batch.pk)  # no policy server runs in this test

    round_.batch.refresh_from_db()
    assert (round_.batch.plan, round_.batch.state) == ([], BatchState.OPEN)
    assert Task.objects.filter(batch=round_.batch).count() == 3


def test_a_round_of_conversations_waits_for_them_in_an_open_batch():
    _, round_ = opening(ProtocolKind.LIVE)

    assert batch_plan(round=round_, after=None)

    assert (round_.batch.state, round_.batch.tasks.count()) == (BatchState.OPEN, 0)


def test_training_gets_the_pairs_of_every_judgment_and_stumbles_over_none(settings, tmp_path):
    settings.ARTIFACTS_ROOT = tmp_path
    project, _ = opening(ProtocolKind.RANK, top_k=1, editing=Editing.MAY)
    annotator = MembershipFactory(project=project, user__kind=UserKind.SIMULATED).user
    said = [
        Verdict(ranks=(1, None, None)),  # two pairs
        Verdict(ranks=(1, 2, None), cannot_judge=(2,)),  # one
        Verdict(all_bad=True),
        Verdict(ranks=(1, 1, 1)),
        Verdict(ranks=(1, 1, 1), edited_position=0, edited_answer="Better."),  # one by improving
    ]
    for number, verdict in enumerate(said):
        TaskFactory(project=project, n_answers=3)
        assignment = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))
        judgment_submit(assignment_id=assignment.pk, annotator=annotator, verdict=verdict, client_key=str(number))

    usable = rankings_usable(project=project, until_judgment_id=10**9, not_in=(), halves=False)
    snapshot = snapshot_create(project=project)

    assert usable == {"": Usable(3, 2)}
    assert {name: snapshot.counts[name] for name in ("judgments", "pairs", "ties", "edited")} == {
        "judgments": 5, "pairs": 3, "ties": 6, "edited": 1,
    }  # fmt: skip
    rows = [json.loads(line) for line in Path(snapshot.files["preferences.jsonl"]["path"]).read_text().splitlines()]
    assert [row["edited"] for row in rows] == [False, False, False, True]
