import pytest

from feedback.models import Assignment, Draft, Project, Prompt, Task
from feedback.selectors.rows import Rows
from tests.feedback.factories import AssignmentFactory

pytestmark = pytest.mark.django_db

ROWS = Rows(
    """
    SELECT {assignment}, {draft}, {task}, {project}, {prompt}
    FROM feedback_assignment AS assignment
    JOIN feedback_task AS task ON task.id = assignment.task_id
    JOIN feedback_project AS project ON project.id = task.project_id
    JOIN feedback_prompt AS prompt ON prompt.id = task.prompt_id
    LEFT JOIN feedback_draft AS draft ON draft.assignment_id = assignment.id
    WHERE assignment.id = %s
    """,
    assignment=Assignment,
    draft=Draft,
    task=Task,
    project=Project,
    prompt=Prompt,
)


def fields_of(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_rows_are_what_the_orm_reads_whatever_the_database_keeps():
    assignment = AssignmentFactory(task__prompt__tags=["Gewalt & Blut", "暴力"])

    ((found, draft, *others),) = ROWS.read(assignment.pk)

    assert draft is None
    for row in (found, *others):
        assert fields_of(row) == fields_of(type(row).objects.get(pk=row.pk))
        assert not row._state.adding


def test_a_number_that_no_column_can_hold_finds_nothing():
    assert ROWS.read(2**63) == []
    assert ROWS.read(10**30) == []
