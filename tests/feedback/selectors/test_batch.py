import pytest

from feedback.selectors.batch import BatchProgress, batch_progress
from feedback.selectors.prompt import prompt_counts
from tests.feedback.factories import BatchFactory, JudgmentFactory, ProjectFactory, PromptFactory, TaskFactory

pytestmark = pytest.mark.django_db


def test_progress_counts_what_stands_against_what_is_wanted():
    project = ProjectFactory(overlap=2)
    batch = BatchFactory(project=project)
    tasks = TaskFactory.create_batch(3, project=project, batch=batch)
    first = JudgmentFactory(assignment__task=tasks[0])
    JudgmentFactory(assignment=first.assignment, supersedes=first)
    JudgmentFactory(assignment__task=tasks[1], assignment__annotator=first.annotator)
    JudgmentFactory(assignment__task=tasks[1], counted=False)
    JudgmentFactory(assignment__task=tasks[1])

    assert batch_progress(batch=batch) == BatchProgress(n_tasks=3, n_judgments=3, n_wanted=6, n_annotators=2)


def test_a_batch_without_tasks_has_no_progress():
    assert batch_progress(batch=BatchFactory()) == BatchProgress(0, 0, 0, 0)


def test_prompts_are_counted_by_split():
    project = ProjectFactory()
    PromptFactory.create_batch(2, project=project, split="pool")
    PromptFactory(project=project, split="ranked")

    assert prompt_counts(project=project) == {"ranked": 1, "pool": 2, "heldout": 0}
