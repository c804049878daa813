"""The loop through the services, with fake stages and a fake policy server, in seconds."""

import io
import json
import shutil
from pathlib import Path

import pytest
from stages import prompt_rows

from alignment.domain.errors import DeploymentRefused, RoundRefused
from alignment.domain.recipe import BuildRecipe, Recipe
from alignment.domain.states import DeploymentState, RoundState, RunState, VersionKind
from alignment.models import Deployment, ModelVersion, Round
from alignment.selectors.build import build_is_done, build_progress
from alignment.selectors.deployment import deployment_live, version_base
from alignment.selectors.round import round_detail, round_live
from alignment.selectors.version import version_lineage, version_of_response
from alignment.services.advance import round_advance, rounds_advance_all
from alignment.services.build import build_start
from alignment.services.deployment import deployment_finish, deployment_rollback
from alignment.services.round import round_cancel, round_deploy, round_launch, round_reject
from feedback.domain.errors import NotAllowed
from feedback.domain.states import BatchState, Role
from feedback.domain.verdict import Verdict
from feedback.models import Judgment, Response, Task, Transition
from feedback.services.assignment import assignment_claim
from feedback.services.judgment import judgment_submit
from feedback.services.person import member_add
from feedback.services.project import project_create
from feedback.services.prompt import prompts_import
from tests.feedback.factories import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

GOLD = "tests.gold:score"
CONTINUED = Recipe(method="dpo", start="continue", reference="previous")


@pytest.fixture
def boss():
    return UserFactory(username="boss", is_superuser=True)


@pytest.fixture
def project(boss):
    return project_create(name="World", created_by=boss, answers_per_task=3, prompts_per_batch=24)


@pytest.fixture
def annotator(project, boss):
    person = UserFactory(username="ann")
    member_add(project=project, user=person, role=Role.ANNOTATOR, by=boss)
    return person


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text("weights")
    return str(folder)


def build(project, boss, broker, policy_server, base="", *, gold=GOLD, dialogues=()) -> Round:
    """Round 0 up to the first tasks: of an imported base, which is quick, or from nothing."""
    recipe = BuildRecipe(kind="import" if base else "demo", base=base, gold=gold, dialogues=tuple(map(str, dialogues)))
    if base:
        lines = "".join(json.dumps(row) + "\n" for row in prompt_rows())
        prompts_import(project=project, file=io.BytesIO(lines.encode()), filename="prompts.jsonl", by=boss)
    build_start(project=project, recipe=recipe, by=boss)
    broker.drain()
    policy_server(ModelVersion.objects.get(kind=VersionKind.SFT))
    rounds_advance_all()
    broker.drain()
    return round_live(project=project)


def rank_all(project, annotator) -> int:
    """Prefer the answer with the greater text, wherever it stands."""
    n = 0
    while (assignment := assignment_claim(project=project, annotator=annotator)) is not None:
        texts = dict(assignment.task.items.values_list("item", "response__text"))
        shown = [texts[item] for item in assignment.order]
        ranks = [sorted(shown, reverse=True).index(text) + 1 for text in shown]
        judge(assignment, annotator, ranks, f"k{assignment.pk}")
        n += 1
    return n


def judge(assignment, annotator, ranks, key) -> Judgment:
    verdict = Verdict(ranks=tuple(ranks))
    return judgment_submit(assignment_id=assignment.pk, annotator=annotator, verdict=verdict, client_key=key).judgment


def launched(project, boss, broker, recipe=None) -> Round:
    round_ = round_launch(project=project, recipe=recipe or Recipe(), by=boss)
    broker.drain()
    round_.refresh_from_db()
    return round_


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


def test_a_launch_writes_no_dataset_and_what_is_ranked_after_it_belongs_to_the_next_round(
    project, boss, annotator, broker, policy_server, base, house
):
    build(project, boss, broker, policy_server, base)
    held = assignment_claim(project=project, annotator=annotator)
    other = UserFactory()
    member_add(project=project, user=other, role=Role.ANNOTATOR, by=boss)
    assert rank_all(project, other) == 23
    first = round_launch(project=project, recipe=Recipe(), by=boss)
    assert not project.snapshots.exists()
    assert not (house / "artifacts" / "snapshots").exists()
    late = judge(held, annotator, [1, 2, 3], "late")
    broker.drain()
    first.refresh_from_db()
    assert (first.state, first.snapshot.counts["judgments"]) == (RoundState.GATE, 23)
    assert late.pk not in first.snapshot.judgment_ids
    round_deploy(round=first, by=boss)
    broker.drain()
    rank_all(project, other)
    second = launched(project, boss, broker, CONTINUED)
    assert late.pk in second.snapshot.judgment_ids
    assert not set(first.snapshot.judgment_ids) & set(second.snapshot.judgment_ids)


def dialogue(*turns: str) -> dict:
    return {"messages": [{"role": ("user", "assistant")[n % 2], "content": turn} for n, turn in enumerate(turns)]}


@pytest.fixture
def dialogues(tmp_path):
    """What the SFT learns from holds three of the twenty held-out questions."""
    chats, alpaca = tmp_path / "chats.jsonl", tmp_path / "alpaca.json"
    rows = [dialogue("heldout question 3? ", "Yes."), dialogue("heldout question 5?", "Yes.", "And you?", "No.")]
    chats.write_text("\n\n".join(json.dumps(row) for row in rows))
    alpaca.write_text(json.dumps([{"instruction": "heldout question 7?", "input": "", "output": "Yes."}]))
    return [chats, alpaca]


def test_what_the_base_was_tuned_on_is_not_held_out(project, boss, annotator, broker, policy_server, base, dialogues):
    build(project, boss, broker, policy_server, base, dialogues=dialogues)
    rank_all(project, annotator)
    round_ = launched(project, boss, broker)
    assert round_.state == RoundState.GATE
    rows = Path(round_.runs.get(purpose="evaluate").spec["prompts"]["path"]).read_text().splitlines()
    held_out = {json.loads(row)["messages"][-1]["content"] for row in rows}
    assert held_out == {f"heldout question {n}?" for n in range(20) if n not in {3, 5, 7}}
    assert round_.n_heldout_left_out == 3


def test_nothing_is_trained_when_every_held_out_prompt_was_in_the_tuning(
    project, boss, annotator, broker, policy_server, base, dialogues
):
    rows = [dialogue(f"heldout question {n}?", "Yes.") for n in range(20)]
    dialogues[0].write_text("".join(json.dumps(row) + "\n" for row in rows))
    build(project, boss, broker, policy_server, base, dialogues=dialogues)
    rank_all(project, annotator)
    round_ = launched(project, boss, broker)
    assert round_.state == RoundState.FAILED
    assert "All 20 are in the dialogues" in round_.error
    assert not round_.runs.exists()


def test_a_launch_needs_the_dialogues_that_the_base_was_tuned_on(
    project, boss, annotator, broker, policy_server, base, dialogues
):
    first = build(project, boss, broker, policy_server, base, dialogues=dialogues)
    rank_all(project, annotator)
    text = dialogues[0].read_text()
    dialogues[0].unlink()
    with pytest.raises(RoundRefused, match=r"chats\.jsonl.* put it back"):
        round_launch(project=project, recipe=Recipe(), by=boss)
    first.refresh_from_db()
    assert first.state == RoundState.LABELING
    dialogues[0].write_text(text + json.dumps(dialogue("Another?", "Yes.")))
    round_ = launched(project, boss, broker)
    assert round_.state == RoundState.FAILED
    assert "has changed" in round_.error
    assert not round_.runs.exists()


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


@pytest.fixture
def second(project, boss, annotator, broker, policy_server, base):
    """A project whose second round may be launched, with one policy deployed."""
    build(project, boss, broker, policy_server, base)
    rank_all(project, annotator)
    round_deploy(round=launched(project, boss, broker), by=boss)
    broker.drain()
    rank_all(project, annotator)
    return round_live(project=project)


def test_what_is_deployed_while_a_round_trains_does_not_change_what_it_trains_on_and_is_compared_with(
    project, boss, broker, second
):
    first = deployment_live(project=project).version
    sft = version_base(first)
    second = round_launch(project=project, recipe=CONTINUED, by=boss)
    deployment_rollback(project=project, version=sft, by=boss, reason="rude at night")
    broker.drain()
    second.refresh_from_db()
    assert second.state == RoundState.GATE, second.error
    assert deployment_live(project=project).version == sft
    specs = {run.purpose: run.spec for run in second.runs.all()}
    assert specs["policy"]["adapter"] == specs["evaluate"]["previous"]
    assert specs["policy"]["adapter"].endswith(first.path)
    assert specs["policy"]["reference"] == "adapter"
    assert second.evaluation.previous == first
    assert not set(Round.objects.get(number=1).snapshot.judgment_ids) & set(second.snapshot.judgment_ids)


def test_a_version_whose_files_are_gone_is_not_continued_and_not_compared_with(project, boss, broker, second, house):
    first = deployment_live(project=project).version
    shutil.move(house / "artifacts" / first.path, house / "elsewhere")
    for recipe in (CONTINUED, Recipe()):
        with pytest.raises(RoundRefused, match=f"files of {first} are gone"):
            round_launch(project=project, recipe=recipe, by=boss)
    second.refresh_from_db()
    assert second.state == RoundState.LABELING
    shutil.move(house / "elsewhere", house / "artifacts" / first.path)
    second = round_launch(project=project, recipe=Recipe(), by=boss)
    shutil.move(house / "artifacts" / first.path, house / "elsewhere")
    broker.drain()
    second.refresh_from_db()
    assert second.state == RoundState.FAILED
    assert f"files of {first} are gone" in second.error


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
