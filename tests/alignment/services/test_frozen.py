"""What a launch freezes stays as it was, whatever people rank, deploy and import while the round trains."""

import json
import shutil
from pathlib import Path

import pytest
from celery import current_app

from alignment.domain.errors import RoundRefused
from alignment.domain.recipe import Recipe
from alignment.domain.states import RoundState
from alignment.models import Round
from alignment.selectors.deployment import deployment_live, version_base
from alignment.selectors.round import round_live
from alignment.services.advance import rounds_advance_all
from alignment.services.deployment import deployment_rollback
from alignment.services.round import round_deploy, round_launch
from feedback.domain.states import QualityState, Role
from feedback.services import quality
from feedback.services.assignment import assignment_claim
from feedback.services.person import member_add
from tests.alignment.playing import CONTINUED, build, judge, launched, rank_all
from tests.feedback.factories import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def second(project, boss, annotator, broker, policy_server, base):
    """A project whose second round may be launched, with one policy deployed."""
    build(project, boss, broker, policy_server, base)
    rank_all(project, annotator)
    round_deploy(round=launched(project, boss, broker), by=boss)
    broker.drain()
    rank_all(project, annotator)
    return round_live(project=project)


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


def test_a_launch_waits_for_a_quality_report_that_knows_of_all_its_rankings(
    project, boss, annotator, broker, policy_server, base
):
    build(project, boss, broker, policy_server, base)
    rank_all(project, annotator)
    round_ = round_launch(project=project, recipe=Recipe(), by=boss)
    while quality.JOB not in broker.names():
        job, fields = broker.messages.pop(0)
        current_app.tasks[job](**fields)
    rounds_advance_all()
    round_.refresh_from_db()
    assert (round_.state, broker.names()) == (RoundState.SNAPSHOT, [quality.JOB])
    assert "quality report" in round_.waiting_for
    broker.drain()
    round_.refresh_from_db()
    assert (round_.state, round_.waiting_for) == (RoundState.GATE, "")
    report = project.quality_reports.get(pk=round_.snapshot.filter["quality_report"])
    assert report.last_judgment_id >= round_.last_judgment_id


def test_a_report_that_cannot_be_computed_keeps_no_round_waiting(
    project, boss, annotator, broker, policy_server, base, monkeypatch
):
    build(project, boss, broker, policy_server, base)
    rank_all(project, annotator)

    def out_of_memory(**_fields):
        raise MemoryError

    monkeypatch.setattr("feedback.quality.report.quality_compute", out_of_memory)
    round_ = launched(project, boss, broker)
    assert (round_.state, round_.snapshot.filter["quality_report"]) == (RoundState.GATE, None)
    assert project.quality_reports.get().state == QualityState.UNCOMPUTED


def test_an_online_policy_that_goes_on_has_a_reward_model_of_all_rankings(project, boss, broker, second):
    recipe = Recipe(method="ppo", start="continue", policy={"n_steps": 3})
    second = launched(project, boss, broker, recipe)
    assert second.state == RoundState.GATE, second.error
    first = Round.objects.get(number=1)
    assert set(first.snapshot.judgment_ids) < set(second.snapshot.judgment_ids)
    assert second.runs.get(purpose="policy").spec["adapter"].endswith(first.policy.path)


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
