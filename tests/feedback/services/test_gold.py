import io
import json

import pytest

from feedback.domain.errors import Conflict, Invalid, RankError, UploadRefused
from feedback.domain.gold import EVERYBODY
from feedback.domain.protocol import ProtocolKind
from feedback.domain.states import BatchState, Split, TaskPurpose
from feedback.models import Gold, Prompt, Response, Task, Transition
from feedback.selectors.prompt import prompt_counts
from feedback.services.batch import batch_create
from feedback.services.gold import gold_add, gold_restore, gold_retire, golds_import
from feedback.services.prompt import prompts_import
from tests.feedback.factories import (
    GoldFactory,
    ProjectFactory,
    PromptFactory,
    ProtocolFactory,
    SourceFactory,
    TaskFactory,
)

pytestmark = pytest.mark.django_db

SUM = {"prompt": "What is 2 + 2?", "answers": ["5", "4", "22"], "ranks": [2, 1, 3]}
CAPITAL = {"prompt": "Capital of France?", "answers": ["Paris", "Rome"], "ranks": [1, 2], "purpose": "training"}


def upload(project, *rows):
    file = io.BytesIO("\n".join(json.dumps(row) for row in rows).encode())
    return golds_import(project=project, file=file, filename="known.jsonl", by=project.created_by)


def by_text(gold):
    return {item.response.text: gold.ranks[item.item] for item in gold.task.items.all()}


# From a task


def test_a_known_answer_is_a_copy_that_everybody_gets():
    task = TaskFactory(n_answers=3)
    gold = gold_add(
        task=task, ranks=[1, 1, 2], tolerance=0.5, explanation="So it is.", purpose=TaskPurpose.TRAINING,
        by=task.project.created_by,
    )  # fmt: skip
    copy = gold.task
    assert (copy.purpose, copy.batch, copy.prompt) == (TaskPurpose.TRAINING, None, task.prompt)
    assert (copy.overlap, copy.open_slots) == (EVERYBODY, EVERYBODY)
    items = [list(one.items.values_list("item", "response")) for one in (task, copy)]
    assert items[0] == items[1]
    assert (gold.ranks, gold.tolerance, gold.explanation) == ([1, 1, 3], 0.5, "So it is.")
    task.refresh_from_db()
    assert (task.purpose, task.open_slots) == (TaskPurpose.LABEL, 1)
    assert Transition.objects.get(object_type="feedback.gold").reason == f"from task {task.pk}"


def test_only_ordinary_tasks_that_show_answers_are_copied():
    written = TaskFactory(n_answers=0)
    known = GoldFactory().task
    repeat = TaskFactory(purpose=TaskPurpose.REPEAT)
    for task in (written, known, repeat):
        with pytest.raises(Invalid, match="ordinary task"):
            gold_add(task=task, ranks=[1, 2], by=task.project.created_by)


def test_ranks_must_fit_and_know_something():
    task = TaskFactory()
    for ranks in ([1, 2, 3], [1, 1], [None, None]):
        with pytest.raises(RankError):
            gold_add(task=task, ranks=ranks, by=task.project.created_by)


def test_a_project_that_asks_for_no_order_has_no_known_one():
    task = TaskFactory(project=ProjectFactory(protocol__kind=ProtocolKind.RATE))
    with pytest.raises(Invalid, match="no order"):
        gold_add(task=task, ranks=[1, 2], by=task.project.created_by)
    with pytest.raises(UploadRefused, match=r"Line 1: .*no order"):
        upload(task.project, SUM)


def test_the_same_task_is_not_known_twice_for_one_purpose():
    task = TaskFactory()
    gold = gold_add(task=task, ranks=[1, 2], by=task.project.created_by)
    with pytest.raises(Conflict, match="already"):
        gold_add(task=task, ranks=[2, 1], by=task.project.created_by)
    gold_add(task=task, ranks=[2, 1], purpose=TaskPurpose.TRAINING, by=task.project.created_by)
    gold_retire(gold=gold, by=task.project.created_by)
    gold_add(task=task, ranks=[2, 1], by=task.project.created_by)
    assert Gold.objects.count() == 3


# From a file


def test_a_file_becomes_tasks_with_known_answers():
    project = ProjectFactory()
    done = upload(project, SUM, CAPITAL)
    assert (done.n_added, done.n_known) == (2, 0)
    hidden, lesson = Gold.objects.order_by("pk")
    assert by_text(hidden) == {"5": 2, "4": 1, "22": 3}
    assert by_text(lesson) == {"Paris": 1, "Rome": 2}
    assert [gold.task.purpose for gold in (hidden, lesson)] == ["gold", "training"]
    assert {(task.overlap, task.open_slots, task.batch) for task in Task.objects.all()} == {
        (EVERYBODY, EVERYBODY, None)
    }


def test_item_numbers_say_nothing_about_the_order_in_the_file():
    project = ProjectFactory()
    upload(project, *({**SUM, "prompt": f"{n}?", "answers": [f"{n}a", f"{n}b", f"{n}c"]} for n in range(20)))
    assert len({tuple(gold.ranks) for gold in Gold.objects.all()}) > 2


def test_new_prompts_are_kept_aside_and_nothing_samples_them():
    project = ProjectFactory()
    upload(project, SUM)
    assert prompt_counts(project=project)[Split.ASIDE] == 1
    source = SourceFactory(project=project)
    with pytest.raises(Invalid, match="no prompts to rank"):
        batch_create(project=project, plan=[(source.pk, 2)], n_prompts=5, seed=1)
    prompts_import(project=project, file=io.BytesIO(b'{"prompt": "What is 2 + 2?"}'), filename="prompts.jsonl")
    assert Prompt.objects.get().split == Split.ASIDE


def test_a_prompt_that_the_project_has_is_used_as_it_is():
    project = ProjectFactory()
    prompt = PromptFactory(project=project, text="What is 2 + 2?", split=Split.RANKED)
    upload(project, SUM)
    assert Prompt.objects.get() == prompt
    assert prompt.tasks.count() == 1


def test_the_same_file_again_adds_nothing():
    project = ProjectFactory()
    upload(project, SUM, CAPITAL)
    done = upload(project, SUM, CAPITAL, CAPITAL)
    assert (done.n_added, done.n_known) == (0, 3)
    assert (Task.objects.count(), Response.objects.count()) == (2, 5)


def test_another_order_of_the_same_answers_is_refused_with_its_line():
    project = ProjectFactory()
    upload(project, SUM)
    with pytest.raises(UploadRefused, match="Line 2: these answers are known already"):
        upload(project, CAPITAL, {**SUM, "ranks": [1, 2, 3]})
    assert Task.objects.count() == 1


def test_one_wrong_line_refuses_the_whole_file():
    project = ProjectFactory()
    with pytest.raises(UploadRefused, match="Line 2"):
        upload(project, SUM, {**CAPITAL, "ranks": [1]})
    assert not Task.objects.exists()
    assert not Prompt.objects.exists()


# Retiring


def test_retiring_and_bringing_back_is_recorded_once():
    gold = GoldFactory()
    for _again in range(2):
        gold_retire(gold=gold, by=gold.created_by)
    assert gold.retired_at is not None
    for _again in range(2):
        gold_restore(gold=gold, by=gold.created_by)
    assert gold.retired_at is None
    log = Transition.objects.filter(object_type="feedback.gold").order_by("pk")
    assert list(log.values_list("to_state", flat=True)) == ["retired", "in use"]


def test_what_no_longer_fits_the_project_is_not_brought_back():
    gold = GoldFactory()
    gold_retire(gold=gold, by=gold.created_by)
    ProtocolFactory(project=gold.task.project, kind=ProtocolKind.RATE)
    with pytest.raises(Invalid, match="no order"):
        gold_restore(gold=gold, by=gold.created_by)


def test_batches_come_and_go_and_gold_stays():
    task = TaskFactory()
    gold = gold_add(task=task, ranks=[1, 2], by=task.project.created_by)
    task.batch.state = BatchState.CLOSED
    task.batch.save()
    gold.task.refresh_from_db()
    assert gold.task.open_slots == EVERYBODY
