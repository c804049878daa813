import pytest

from feedback.domain.states import AssignmentState, Role
from feedback.domain.verdict import Verdict
from feedback.selectors.batch import BatchProgress, batch_progress
from feedback.selectors.prompt import prompt_counts
from feedback.services.assignment import assignment_claim
from feedback.services.judgment import judgment_submit
from tests.feedback.factories import (
    AssignmentFactory,
    BatchFactory,
    MembershipFactory,
    ProjectFactory,
    PromptFactory,
    TaskFactory,
)

pytestmark = pytest.mark.django_db


def test_progress_counts_what_stands_against_what_is_wanted():
    project = ProjectFactory(overlap=2)
    batch = BatchFactory(project=project)
    TaskFactory.create_batch(3, project=project, batch=batch)
    people = [MembershipFactory(project=project, role=Role.ANNOTATOR).user for _ in range(3)]
    for person, n_tasks in zip(people, (2, 1, 0), strict=True):
        for _ in range(n_tasks):
            assignment = assignment_claim(project=project, annotator=person)
            for key in ("first", "corrected"):
                judgment_submit(
                    assignment_id=assignment.pk,
                    annotator=person,
                    verdict=Verdict(ranks=[1, 2]),
                    client_key=f"{key}-{assignment.pk}",
                )
    assignment_claim(project=project, annotator=people[2])

    assert batch_progress(batch=batch) == BatchProgress(n_tasks=3, n_judgments=3, n_wanted=6, n_annotators=2)


def test_a_batch_without_tasks_has_no_progress():
    assert batch_progress(batch=BatchFactory()) == BatchProgress(0, 0, 0, 0)


def test_every_lease_of_the_batch_is_held_and_no_other():
    project = ProjectFactory(overlap=3)
    task = TaskFactory(project=project, open_slots=1)
    AssignmentFactory.create_batch(2, task=task)
    AssignmentFactory(task=task, state=AssignmentState.EXPIRED)
    AssignmentFactory(task__open_slots=0)  # in another project
    assert batch_progress(batch=task.batch) == BatchProgress(n_tasks=1, n_judgments=0, n_wanted=3, n_annotators=0)


def test_prompts_are_counted_by_split():
    project = ProjectFactory()
    PromptFactory.create_batch(2, project=project, split="pool")
    PromptFactory(project=project, split="ranked")

    assert prompt_counts(project=project) == {"ranked": 1, "pool": 2, "heldout": 0, "aside": 0}
