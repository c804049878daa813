"""A project with a bit of everything, for tests of pages: people in each role, tasks, rounds, runs with their files."""

import dataclasses
import json
import math
import random
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from alignment.domain.recipe import BuildRecipe, Recipe
from alignment.domain.states import DeploymentState, RoundState, RunState, VersionKind
from alignment.models import Deployment, Evaluation, ModelVersion, Round, Run
from feedback.domain.states import Role, Split, TaskPurpose
from feedback.models import Assignment, Project, Task, User
from tests.feedback.factories import (
    BatchFactory,
    GoldFactory,
    JudgmentFactory,
    MembershipFactory,
    ProjectFactory,
    PromptFactory,
    SnapshotFactory,
    SourceFactory,
    TaskFactory,
    UserFactory,
)

PASSWORD = "a long enough secret"
GUIDELINES = """Put the answer **that helps most** first.

1. Right before polite.
2. Complete before short.

| looks | means |
| --- | --- |
| cut off | worse |
"""
QUESTIONS = [
    "What is the fastest way to get from Alder Bridge to the harbour?",
    "Who keeps the bakery in Wenlow, and when does it open?",
    "Why did the mill stop last winter?",
    "How many boats does Maren own?",
]
ANSWERS = [
    "Take the **river path**: it is 20 minutes on foot. The road is longer.",
    "The river path. It is short.",
    "You could walk, I suppose. Why do you ask me?",
    "The harbour is in the south of the town, and the bridge stands in the",
]


@dataclasses.dataclass
class Example:
    project: Project
    annotator: User
    admin: User
    researcher: User
    stranger: User
    tasks: list[Task]


def example_project(*, n_tasks: int = 3, n_answers: int = 4, name: str = "Harbour town") -> Example:
    """Make a project with people and open tasks, and no round."""
    admin = UserFactory(username="ada", is_staff=True)
    project = ProjectFactory(
        name=name, description="Short answers about a small town.", created_by=admin, protocol__guidelines=GUIDELINES
    )
    people = {role: UserFactory(username=username) for role, username in _NAMES.items()}
    MembershipFactory(project=project, user=admin, role=Role.ADMIN)
    for role, user in people.items():
        MembershipFactory(project=project, user=user, role=role)
    PromptFactory.create_batch(3, project=project, split=Split.POOL)
    PromptFactory.create_batch(2, project=project, split=Split.HELDOUT)
    tasks = [
        TaskFactory(project=project, prompt__text=QUESTIONS[index % len(QUESTIONS)] + " " * index, n_answers=n_answers)
        for index in range(n_tasks)
    ]
    for task in tasks:
        for number, item in enumerate(task.items.order_by("item")):
            item.response.text = ANSWERS[number % len(ANSWERS)] + "!" * (number // len(ANSWERS))
            item.response.save()
    return Example(
        project, people[Role.ANNOTATOR], admin, people[Role.RESEARCHER], UserFactory(username="stranger"), tasks
    )


def example_lesson(project: Project, annotator: User) -> Assignment:
    """Add a training task that the annotator got right."""
    gold = GoldFactory(
        task__project=project, task__purpose=TaskPurpose.TRAINING, task__n_answers=3,
        explanation="The first one **answers the question**.",
    )  # fmt: skip
    return JudgmentFactory(assignment__task=gold.task, assignment__annotator=annotator).assignment


_NAMES = {Role.ANNOTATOR: "annie", Role.RESEARCHER: "rosa"}


def example_rounds(example: Example, *, state: RoundState = RoundState.GATE, passed: bool = True) -> Round:
    """Add a finished build, a round in the given state with its runs and files, and return that round."""
    project, admin = example.project, example.admin
    build = Round.objects.create(
        project=project, number=0, state=RoundState.DEPLOYED, is_build=True, recipe=BuildRecipe().to_json()
    )
    for number, purpose in enumerate(("corpus", "tokenizer", "pretrain", "sft")):
        example_run(build, purpose, purpose, n_steps=0 if number < 2 else 60)
    base = ModelVersion.objects.create(kind=VersionKind.BASE, name="base-1", path="base-1")
    sft = ModelVersion.objects.create(
        project=project, kind=VersionKind.SFT, name="sft-1", path="sft-1", parent=base, run=build.runs.get(stage="sft"),
        source=SourceFactory(project=project, key="sft"), files={"model.safetensors": "ab" * 32},
    )  # fmt: skip
    Deployment.objects.create(
        project=project, version=sft, round=build, state=DeploymentState.LIVE, live_at=timezone.now()
    )
    batch = project.batches.first() or BatchFactory(project=project)
    batch.plan = [{"source": sft.source_id, "n": 4}]
    batch.save()
    judgment = JudgmentFactory(assignment__task=example.tasks[-1], assignment__annotator=example.annotator)
    round_ = Round.objects.create(
        project=project, number=1, state=state, batch=batch, recipe=Recipe().to_json(), launched_by=admin,
        launched_at=timezone.now(), snapshot=SnapshotFactory(
            project=project, judgment_ids=[judgment.pk], counts={"judgments": 1, "pairs": 6}
        ),
    )  # fmt: skip
    example_run(round_, "reward", "reward", n_steps=40, metrics=REWARD_METRICS)
    trained = example_run(round_, "rloo", "policy", n_steps=40)
    round_.policy = ModelVersion.objects.create(
        project=project, kind=VersionKind.POLICY, name="policy-1", path="policy-1", parent=sft, run=trained
    )
    round_.save()
    if state in {RoundState.GATE, RoundState.DEPLOYED, RoundState.REJECTED}:
        example_evaluation(round_, passed=passed)
    return round_


def example_run(
    round_: Round, stage: str, purpose: str, *, n_steps: int, state: RunState = RunState.SUCCEEDED, done: int = 0,
    metrics: dict[str, object] | None = None,
) -> Run:  # fmt: skip
    """Make a run with events and a log, as the process would have left them."""
    now = timezone.now()
    run = Run.objects.create(
        round=round_, stage=stage, purpose=purpose, spec={"stage": stage, "seed": 1}, state=state, attempt=1,
        progress_done=done or n_steps, progress_total=n_steps, progress_unit="steps", started_at=now,
        finished_at=now if state == RunState.SUCCEEDED else None, metrics=metrics or {},
    )  # fmt: skip
    run.run_dir = f"{run.pk}/1"
    run.save()
    folder = Path(settings.RUNS_ROOT) / run.run_dir
    folder.mkdir(parents=True, exist_ok=True)
    noise = random.Random(run.pk)
    started = now.timestamp() - n_steps
    lines = [{"t": started, "type": "message", "text": f"{stage} <b>begins</b>"}]
    for step in range(1, (done or n_steps) + 1):
        t = started + step
        lines.append({"t": t, "type": "progress", "done": step, "total": n_steps, "unit": "steps"})
        lines.append({"t": t, "type": "metrics", "step": step, "values": _figures(stage, step, noise)})
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "run.log").write_text(f"loading the base\n{stage}: step {done or n_steps} of {n_steps}\n")
    return run


def _figures(stage: str, step: int, noise: random.Random) -> dict[str, float]:
    jitter = noise.uniform(-0.05, 0.05)
    if stage == "rloo":
        return {
            "reward": round(1.6 - 1.5 * math.exp(-step / 14) + 2 * jitter, 4),
            "kl_nats": round(0.11 * step * (1 + jitter), 4),
            "loss": round(-0.2 + 3 * jitter, 4),
            "mean_tokens": round(19 + step / 12 + 8 * jitter, 2),
        }
    return {"loss": round(0.45 + 3 * math.exp(-step / 9) + jitter, 4), "learning_rate": 1e-3 * (1 - step / 100)}


METRICS = {
    "n_prompts": 1_000, "win_rate": 0.764, "win_rate_low": 0.741, "win_rate_high": 0.786, "win_rate_previous": 0.764,
    "win_rate_previous_low": 0.741, "win_rate_previous_high": 0.786, "kl_nats": 4.12, "mean_tokens": 21.4,
    "sft_mean_tokens": 18.9, "cut_share": 0.004, "sft_cut_share": 0.011, "distinct_share": 0.962,
    "sft_distinct_share": 0.991, "well_formed_share": 0.987, "sft_well_formed_share": 0.981, "best_of_4": 0.689,
    "oracle_share": 0.61, "win_rate_length_controlled": 0.731, "win_rate_length_controlled_low": 0.702,
    "win_rate_length_controlled_high": 0.758, "win_rate_reward": 0.912, "win_rate_reward_low": 0.9,
    "win_rate_reward_high": 0.924, "policy_best_of_4": 0.803, "policy_best_of_4_low": 0.78,
    "policy_best_of_4_high": 0.826, "best_of_4_low": 0.66, "best_of_4_high": 0.717, "length_effect": 0.41,
    "length_effect_low": 0.3, "length_effect_high": 0.52, "distinct_1": 0.031, "sft_distinct_1": 0.034,
    "distinct_2": 0.142, "sft_distinct_2": 0.171, "distinct_3": 0.301, "sft_distinct_3": 0.377,
    "repeated_share": 0.004, "sft_repeated_share": 0.006, "text_nats": 0.561, "sft_text_nats": 0.512,
    "forgotten_nats": 0.049, "forgotten_nats_low": 0.041, "forgotten_nats_high": 0.057, "exact_match": 0.02,
    "exact_match_low": 0.0, "exact_match_high": 0.05, "sft_exact_match": 0.01, "exact_match_greedy": 0.03,
    "sft_exact_match_greedy": 0.02, "warning_step": 20, "parting_step": 25, "parting_seen_step": 40, "snapshots": [
        {
            "step": step, "kl_nats": 0.11 * step, "reward": reward, "reward_low": reward - 0.1,
            "reward_high": reward + 0.1, "judge": judge, "judge_low": judge - 0.15, "judge_high": judge + 0.15,
        }
        for step, reward, judge in (
            (0, 0.0, -0.3), (5, 0.4, 0.1), (10, 0.8, 0.4), (15, 1.1, 0.6), (20, 1.3, 0.7), (25, 1.4, 0.75),
            (30, 1.5, 0.6), (35, 1.55, 0.4), (40, 1.6, 0.2),
        )
    ],
}  # fmt: skip
REWARD_METRICS = {
    "reward_accuracy": 0.702, "reward_accuracy_low": 0.679, "reward_accuracy_high": 0.727, "heldout_loss": 0.59,
    "calibration_error": 0.031, "length_coefficient": 0.42, "length_coefficient_people": 0.38, "first_position": 0.507,
    "first_position_people": 0.561, "accuracy_strength_1": 0.61, "accuracy_strength_1_n": 420,
    "accuracy_strength_3": 0.83, "accuracy_strength_3_n": 130, "calibration": [
        {"low": 0.5, "n": 600, "confidence": 0.53, "right": 0.55},
        {"low": 0.55, "n": 400, "confidence": 0.57, "right": 0.6},
        {"low": 0.6, "n": 300, "confidence": 0.66, "right": 0.7},
        {"low": 0.85, "n": 90, "confidence": 0.87, "right": 0.82},
        {"low": 0.95, "n": 0, "confidence": None, "right": None},
    ],
}  # fmt: skip


def example_evaluation(round_: Round, *, passed: bool) -> Evaluation:
    """Make an evaluation with its file of answers."""
    run = example_run(round_, "evaluate", "evaluate", n_steps=10, metrics=METRICS)
    run.result = {"artifacts": {"eval.jsonl": {"path": "artifacts/eval.jsonl", "files": {}}}}
    run.save()
    path = Path(settings.RUNS_ROOT) / run.run_dir / "artifacts" / "eval.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(_eval_row(question)) + "\n" for question in QUESTIONS[:3]))
    metrics = METRICS if passed else METRICS | {"kl_nats": 11.3}
    return Evaluation.objects.create(
        round=round_, run=run, policy=round_.policy, judge="modeling.world.gold:score", metrics=metrics, passed=passed,
        reasons=[] if passed else ["The policy is 11.30 nats from the SFT policy; at most 8.00 are allowed."],
    )  # fmt: skip


def _eval_row(question: str) -> dict[str, object]:
    sides = {
        "policy": [{"text": ANSWERS[0], "n_tokens": 20, "cut": False, "score": 1.42, "log_ratio": 4.0}],
        "sft": [{"text": ANSWERS[3], "n_tokens": 16, "cut": True, "score": 0.31}],
    }
    return {"messages": [{"role": "user", "content": question}], **sides}
