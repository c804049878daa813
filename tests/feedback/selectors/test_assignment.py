import dataclasses

import pytest

from feedback.domain.protocol import ProtocolOptions
from feedback.selectors.assignment import assignment_view
from tests.feedback.factories import AssignmentFactory, ProjectFactory, PromptFactory, TaskFactory

pytestmark = pytest.mark.django_db


def test_answers_stand_under_letters_in_the_blind_order():
    task = TaskFactory(n_answers=3)
    assignment = AssignmentFactory(task=task, order=[2, 0, 1])

    view = assignment_view(assignment=assignment)

    texts = [item.response.text for item in task.items.all()]
    assert [(answer.letter, answer.text) for answer in view.answers] == [
        ("A", texts[2]),
        ("B", texts[0]),
        ("C", texts[1]),
    ]


def test_the_view_holds_no_origin_of_any_answer():
    task = TaskFactory(n_answers=3)
    view = assignment_view(assignment=AssignmentFactory(task=task))

    shown = str(dataclasses.asdict(view) | {"lease_expires_at": ""})

    source = task.items.first().response.source
    assert source.key not in shown
    assert source.name not in shown
    assert {field.name for field in dataclasses.fields(view.answers[0])} == {"letter", "text"}


def test_names_are_masked_in_earlier_answers_but_not_in_what_people_wrote():
    project = ProjectFactory(protocol__options=ProtocolOptions(masked_names=("Plumb",)).to_json())
    said = [("user", "Are you Plumb?"), ("assistant", "I am Plumb."), ("user", "Plumb, go on.")]
    prompt = PromptFactory(project=project, messages=[{"role": role, "content": text} for role, text in said])
    view = assignment_view(assignment=AssignmentFactory(task=TaskFactory(project=project, prompt=prompt)))

    assert [message["content"] for message in view.messages] == ["Are you Plumb?", "I am ▇▇▇.", "Plumb, go on."]


def test_each_look_suggests_another_key():
    assignment = AssignmentFactory()

    keys = {assignment_view(assignment=assignment).client_key for _ in range(20)}

    assert len(keys) == 20
    assert all(len(key) <= 64 for key in keys)
