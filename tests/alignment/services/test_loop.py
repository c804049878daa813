"""The loop through the services, with fake stages and a fake policy server, in seconds."""

import json
from pathlib import Path

import pytest

from alignment.domain.errors import DeploymentRefused, RecipeError, RoundRefused
from alignment.domain.recipe import BuildRecipe, Recipe
from alignment.domain.states import DeploymentState, RoundState, RunState, VersionKind
from alignment.models import Deployment, ModelVersion, Round
from alignment.selectors.build import build_is_done, build_progress
from alignment.selectors.deployment import deployment_live, version_base
from alignment.selectors.round import round_detail, round_live
from alignment.selectors.version import version_lineage, version_of_response
from alignment.services.advance import round_advance, rounds_advance_all
from alignment.services.build import build_start
from alignment.services.datasets import RANKINGS_OF_POLICY
from alignment.services.deployment import deployment_finish, deployment_rollback
from alignment.services.round import round_cancel, round_deploy, round_launch, round_reject
from feedback.domain.errors import NotAllowed
from feedback.domain.states import BatchState, Split
from feedback.models import Response, Task, Transition
from feedback.services.assignment import assignment_claim
from tests.alignment.playing import CONTINUED, GOLD, build, judge, launched, rank_all

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_demo_builds_itself_up_to_the_first_tasks(project, boss, broker, policy_server):
    build_start(project=project, recipe=BuildRecipe(), by=boss)
    broker.drain()
    deployment = Deployment.objects.get()
    assert deployment.state == DeploymentState.LOADING
    assert "not up yet" in deployment.error
    assert [stage.state for stage in build_progress(project=project)] == [*["succeeded"] * 4, "running", "waiting"]
    policy_server(deployment.version)
    rounds_advance_all()
    broker.drain()
    assert build_is_done(project=project)
    assert [stage.curve != [] for stage in build_progress(project=project)][:4] == [True] * 4
    first = round_live(project=project)
    assert (first.number, first.state, first.batch.state) == (1, RoundState.LABELING, BatchState.OPEN)
    assert Response.objects.count() == 24 * 3
    assert Task.objects.count() == 24
    assert round_detail(first).sampling.share == 1.0
    answer = Response.objects.first()
    assert answer.decoding["temperature"] == 1.0
    assert str(answer.decoding["seed"]) in answer.text


def test_rankings_become_a_deployed_policy_and_the_next_tasks_mix_both(
    project, boss, annotator, broker, policy_server, base
):
    build(project, boss, broker, policy_server, base)
    assert rank_all(project, annotator) == 24
    round_ = launched(project, boss, broker)
    assert round_.state == RoundState.GATE
    assert {run.purpose: run.state for run in round_.runs.all()} == dict.fromkeys(
        ["reward", "policy", "evaluate"], RunState.SUCCEEDED
    )
    assert round_.evaluation.passed
    assert round_.evaluation.judge == GOLD
    round_deploy(round=round_, by=boss)
    broker.drain()
    round_.refresh_from_db()
    assert round_.state == RoundState.DEPLOYED
    assert deployment_live(project=project).version == round_.policy
    following = round_live(project=project)
    assert (following.number, following.state) == (2, RoundState.LABELING)
    counts = {entry["source"]: Response.objects.filter(batch=following.batch, source=entry["source"]).count()
              for entry in following.batch.plan}  # fmt: skip
    sft = version_base(round_.policy)
    assert counts == {round_.policy.source_id: 36, sft.source_id: 36}


def test_a_policy_walks_back_to_people_rankings_and_texts(project, boss, annotator, broker, policy_server):
    build(project, boss, broker, policy_server)
    rank_all(project, annotator)
    round_ = launched(project, boss, broker)
    policy, *behind = version_lineage(round_.policy).walk()
    assert policy.snapshot == round_.snapshot
    assert policy.snapshot.counts["judgments"] == 24
    assert [person.n_judgments for person in policy.people] == [24]
    assert policy.people[0].pseudonym != "ann"
    assert [step.version.kind for step in behind] == ["sft", "reward", "base"]
    sft, reward, base = behind
    assert [file.field for file in reward.inputs] == ["preferences"]
    assert [file.path.rsplit("/", 1)[1] for file in (*sft.inputs, *base.inputs)] == ["dialogues.jsonl", "texts.jsonl"]
    assert all(len(file.sha256) == 64 for step in (policy, *behind) for file in step.inputs)
    assert version_of_response(Response.objects.first()) == sft.version


def test_without_a_gold_score_a_second_reward_model_of_other_prompts_judges(
    project, boss, annotator, broker, policy_server, base
):
    build(project, boss, broker, policy_server, base, gold="")
    rank_all(project, annotator)
    round_ = launched(project, boss, broker)
    assert round_.state == RoundState.GATE
    specs = {run.purpose: run.spec for run in round_.runs.all()}
    files = {purpose: specs[purpose]["preferences"][0]["path"] for purpose in ("reward", "judge")}
    prompts = {
        purpose: {json.loads(line)["prompt_id"] for line in Path(path).read_text().splitlines()}
        for purpose, path in files.items()
    }
    assert prompts["reward"]
    assert prompts["judge"]
    assert not prompts["reward"] & prompts["judge"]
    judge = ModelVersion.objects.get(kind=VersionKind.JUDGE)
    assert specs["evaluate"]["judge"].endswith(judge.path)
    assert round_.evaluation.judge == judge.name


def test_dpo_without_a_gold_score_sees_nothing_that_its_judge_has_seen(
    project, boss, annotator, broker, policy_server, base
):
    build(project, boss, broker, policy_server, base, gold="")
    rank_all(project, annotator)
    round_ = launched(project, boss, broker, Recipe(method="dpo"))
    spec = round_.runs.get(purpose="policy").spec
    assert Path(spec["preferences"][0]["path"]).name == RANKINGS_OF_POLICY
    assert spec["reward"].endswith(ModelVersion.objects.get(kind=VersionKind.REWARD).path)
    ranked = {str(pk) for pk in project.prompts.filter(split=Split.RANKED).values_list("pk", flat=True)}
    pool = [json.loads(line)["id"] for line in Path(spec["prompts"]["path"]).read_text().splitlines()]
    assert pool
    assert not ranked & set(pool)


def test_a_second_round_continues_the_adapter_on_new_rankings_only(
    project, boss, annotator, broker, policy_server, base
):
    build(project, boss, broker, policy_server, base)
    rank_all(project, annotator)
    first = launched(project, boss, broker)
    round_deploy(round=first, by=boss)
    broker.drain()
    rank_all(project, annotator)
    second = launched(project, boss, broker, CONTINUED)
    assert second.state == RoundState.GATE
    assert not set(first.snapshot.judgment_ids) & set(second.snapshot.judgment_ids)
    spec = second.runs.get(purpose="policy").spec
    assert spec["adapter"].endswith(first.policy.path)
    assert spec["reference"] == "adapter"
    assert second.runs.get(purpose="evaluate").spec["previous"] == spec["adapter"]
    lineage = version_lineage(second.policy)
    assert first.policy in [parent.version for parent in lineage.parents]


def test_an_online_round_is_evaluated_along_its_training_and_on_the_bases_texts(
    project, boss, annotator, broker, policy_server
):
    build(project, boss, broker, policy_server)
    rank_all(project, annotator)
    round_ = launched(project, boss, broker, Recipe(policy={"n_steps": 3}))
    specs = {run.purpose: run.spec for run in round_.runs.all()}
    assert specs["policy"]["snapshots"] == 3  # no more than steps
    assert Path(specs["evaluate"]["snapshots"]).name == "snapshots"
    (texts,) = specs["evaluate"]["texts"]
    assert texts["path"].endswith("texts.jsonl")
    assert len(texts["sha256"]) == 64


def test_an_offline_round_on_an_import_has_neither(project, boss, annotator, broker, policy_server, base):
    build(project, boss, broker, policy_server, base)
    rank_all(project, annotator)
    spec = launched(project, boss, broker, Recipe(method="dpo")).runs.get(purpose="evaluate").spec
    assert (spec["snapshots"], spec["texts"]) == ("", [])


@pytest.mark.parametrize(("policy", "has_pool"), [({}, True), ({"n_prompts": 0}, True), ({}, False)])
def test_dpo_samples_pairs_beside_the_judged_ones_where_the_pool_has_prompts(
    project, boss, annotator, broker, policy_server, base, policy, has_pool
):
    build(project, boss, broker, policy_server, base)
    rank_all(project, annotator)
    if not has_pool:
        project.prompts.filter(split=Split.POOL).delete()
    round_ = launched(project, boss, broker, Recipe(method="dpo", policy=policy))
    spec = round_.runs.get(purpose="policy").spec
    assert round_.state == RoundState.GATE
    assert len(spec["preferences"]) == 1
    if has_pool and not policy:
        assert Path(spec["reward"], "adapter_config.json").is_file()
        assert Path(spec["prompts"]["path"]).is_file()
    else:
        assert (spec["reward"], spec["prompts"]) == ("", None)


@pytest.mark.parametrize("field", ["snapshots", "texts", "questions"])
def test_a_recipe_names_no_files_of_the_server(field):
    with pytest.raises(RecipeError, match=f"evaluation.{field} is filled in"):
        Recipe(evaluation={field: "/etc/passwd"}).validate()


def test_against_the_gate_only_with_a_reason(project, boss, annotator, broker, policy_server, behave, base):
    behave(evaluate={"metrics": {"win_rate_low": 0.4}})
    build(project, boss, broker, policy_server, base)
    rank_all(project, annotator)
    round_ = launched(project, boss, broker)
    assert not round_.evaluation.passed
    with pytest.raises(RoundRefused, match="write down why"):
        round_deploy(round=round_, by=boss, reason="  ")
    deployment = round_deploy(round=round_, by=boss, reason="people like it")
    broker.drain()
    deployment.refresh_from_db()
    assert (deployment.against_gate, deployment.reason) == (True, "people like it")
    assert deployment.state == DeploymentState.LIVE


def test_a_rejected_policy_leaves_the_old_one_answering(project, boss, annotator, broker, policy_server, base):
    build(project, boss, broker, policy_server, base)
    sft = deployment_live(project=project).version
    rank_all(project, annotator)
    round_ = launched(project, boss, broker)
    round_reject(round=round_, by=boss, reason="too blunt")
    broker.drain()
    following = round_live(project=project)
    assert (following.number, following.state) == (2, RoundState.LABELING)
    assert [entry["source"] for entry in following.batch.plan] == [sft.source_id]
    with pytest.raises(RoundRefused, match="not waiting for a decision"):
        round_deploy(round=round_, by=boss)


def test_a_refused_training_fails_the_round_and_loses_no_label(
    project, boss, annotator, broker, policy_server, behave, base
):
    build(project, boss, broker, policy_server, base)
    rank_all(project, annotator)
    behave(reward={"exit": 3, "message": "held-out loss 0.70 is not below ln 2"})
    round_ = launched(project, boss, broker)
    assert round_.state == RoundState.FAILED
    assert round_.error == "The reward run failed: held-out loss 0.70 is not below ln 2"
    assert deployment_live(project=project).version.kind == VersionKind.SFT
    behave()
    again = launched(project, boss, broker)
    assert again.number == 2
    assert set(round_.snapshot.judgment_ids) <= set(again.snapshot.judgment_ids)


def test_a_cancelled_round_gives_its_open_tasks_to_the_next(project, boss, annotator, broker, policy_server, base):
    first = build(project, boss, broker, policy_server, base)
    for _ in range(20):
        assignment = assignment_claim(project=project, annotator=annotator)
        judge(assignment, annotator, [1, 2, 3], f"k{assignment.pk}")
    round_ = round_launch(project=project, recipe=Recipe(), by=boss)
    round_cancel(round=round_, by=boss, reason="wrong seed")
    broker.drain()
    round_.refresh_from_db()
    assert (round_.state, round_.error) == (RoundState.CANCELLED, "wrong seed")
    assert not round_.runs.exclude(state=RunState.CANCELLED).exists()
    following = round_live(project=project)
    assert (following.number, following.state, following.batch) == (2, RoundState.LABELING, first.batch)
    assert rank_all(project, annotator) == 4
    assert launched(project, boss, broker).snapshot.counts["judgments"] == 24


def test_a_round_that_cannot_train_is_refused_before_anything_changes(
    project, boss, annotator, broker, policy_server, base
):
    first = build(project, boss, broker, policy_server, base)
    with pytest.raises(RoundRefused, match="there are 0 ranked pairs of 0 prompts"):
        round_launch(project=project, recipe=Recipe(), by=boss)
    assignment = assignment_claim(project=project, annotator=annotator)
    judge(assignment, annotator, [1, 2, 3], "k")
    with pytest.raises(RoundRefused, match=r"3 ranked pairs of 1 prompts; training needs at least 20 pairs"):
        round_launch(project=project, recipe=Recipe(), by=boss)
    with pytest.raises(RoundRefused, match="no adapter to continue"):
        round_launch(project=project, recipe=Recipe(start="continue"), by=boss)
    with pytest.raises(NotAllowed):
        round_launch(project=project, recipe=Recipe(), by=annotator)
    first.refresh_from_db()
    assert (first.state, first.batch.state, first.recipe) == (RoundState.LABELING, BatchState.OPEN, {})
    assert not project.snapshots.exists()
    assert rank_all(project, annotator) == 23


def test_a_round_is_launched_once(project, boss, annotator, broker, policy_server, base):
    build(project, boss, broker, policy_server, base)
    rank_all(project, annotator)
    round_launch(project=project, recipe=Recipe(), by=boss)
    with pytest.raises(RoundRefused, match="Only a round in labeling"):
        round_launch(project=project, recipe=Recipe(), by=boss)


def test_rolling_back_is_deploying_an_older_version(project, boss, annotator, broker, policy_server, base):
    build(project, boss, broker, policy_server, base)
    sft = deployment_live(project=project).version
    rank_all(project, annotator)
    round_ = launched(project, boss, broker)
    with pytest.raises(DeploymentRefused, match="never live"):
        deployment_rollback(project=project, version=round_.policy, by=boss, reason="now")
    round_deploy(round=round_, by=boss)
    broker.drain()
    with pytest.raises(DeploymentRefused, match="why"):
        deployment_rollback(project=project, version=sft, by=boss, reason="")
    deployment_rollback(project=project, version=sft, by=boss, reason="rude at night")
    broker.drain()
    live = deployment_live(project=project)
    assert (live.version, live.reason, live.previous.version) == (sft, "rude at night", round_.policy)
    assert round_live(project=project).number == 2


def test_an_adapter_that_the_server_refuses_leaves_the_pointer_alone(
    project, boss, annotator, broker, policy_server, house, base
):
    build(project, boss, broker, policy_server, base)
    rank_all(project, annotator)
    round_ = launched(project, boss, broker)
    (house / "artifacts" / round_.policy.path / "adapter_config.json").unlink()
    deployment = round_deploy(round=round_, by=boss)
    broker.drain()
    deployment.refresh_from_db()
    assert deployment.state == DeploymentState.FAILED
    assert "is no adapter" in deployment.error
    round_.refresh_from_db()
    assert round_.state == RoundState.GATE
    assert deployment_live(project=project).version.kind == VersionKind.SFT


def test_sampling_waits_for_its_server_and_goes_on_where_it_stopped(project, boss, broker, policy_server, monkeypatch):
    monkeypatch.setattr("alignment.services.sampling.CHUNK_PROMPTS", 10)
    build_start(project=project, recipe=BuildRecipe(), by=boss)
    broker.drain()
    server = policy_server(Deployment.objects.get().version)
    deployment_finish(deployment_id=Deployment.objects.get().pk)
    name, server.name = server.name, "another base"
    broker.messages = [message for message in broker.messages if message[0] != "alignment.deployment_reconcile"]
    broker.drain()
    first = round_live(project=project)
    assert first.state == RoundState.SAMPLING
    assert "no model" in first.waiting_for
    assert not round_detail(first).is_stuck
    assert Response.objects.count() == 0
    server.name = name
    rounds_advance_all()
    broker.drain()
    first.refresh_from_db()
    assert (first.state, first.waiting_for) == (RoundState.LABELING, "")


def test_answers_that_are_all_the_same_wait_for_a_person_instead_of_failing_round_after_round(
    project, boss, broker, policy_server, base
):
    servers = []

    def says_one_thing(version):
        servers.append(policy_server(version))
        servers[0].text = "Yes."

    first = build(project, boss, broker, says_one_thing, base)
    for _ in range(3):
        rounds_advance_all()
        broker.drain()
    first.refresh_from_db()
    assert (first.state, Round.objects.count()) == (RoundState.SAMPLING, 2)
    assert "the same" in first.waiting_for
    assert "cancel this round" in first.waiting_for
    assert round_detail(first).is_stuck
    servers[0].text = ""
    round_cancel(round=first, by=boss, reason="the sampler is mended")
    broker.drain()
    following = round_live(project=project)
    assert (following.number, following.state, following.waiting_for) == (2, RoundState.LABELING, "")
    assert not round_detail(following).is_stuck


def test_advancing_again_and_again_changes_nothing(project, boss, annotator, broker, policy_server, base):
    build(project, boss, broker, policy_server, base)
    rank_all(project, annotator)
    round_ = launched(project, boss, broker)
    before = Transition.objects.count()
    for _ in range(3):
        round_advance(round_id=round_.pk)
        rounds_advance_all()
    assert Transition.objects.count() == before
    assert broker.messages == []


def test_a_folder_with_pickled_weights_is_not_imported(project, boss, base):
    (Path(base) / "model.safetensors").rename(Path(base) / "pytorch_model.bin")
    with pytest.raises(RoundRefused, match="safetensors"):
        build_start(project=project, recipe=BuildRecipe(kind="import", base=base), by=boss)
    assert round_live(project=project) is None


def test_an_imported_model_is_served_as_it_is(project, boss, broker, policy_server, base):
    build_start(project=project, recipe=BuildRecipe(kind="import", base=base), by=boss)
    broker.drain()
    version = ModelVersion.objects.get()
    assert (version.kind, version.path, len(version.files)) == (VersionKind.SFT, base, 2)
    policy_server(version)
    rounds_advance_all()
    broker.drain()
    first = round_live(project=project)
    assert first.state == RoundState.SAMPLING
    assert "no prompts to rank" in first.waiting_for
    assert round_detail(first).is_stuck


def test_a_failed_build_can_be_begun_again(project, boss, broker, behave):
    behave(pretrain={"exit": 3, "message": "the loss is not a number"})
    build_start(project=project, recipe=BuildRecipe(), by=boss)
    broker.drain()
    assert round_live(project=project) is None
    assert [stage.state for stage in build_progress(project=project)][2] == "failed"
    behave()
    assert build_start(project=project, recipe=BuildRecipe(), by=boss).number == 1
