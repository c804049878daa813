"""Who plays a round, and the model that it starts from."""

import pytest

from feedback.domain.states import Role
from feedback.services.person import member_add
from feedback.services.project import project_create
from tests.feedback.factories import UserFactory


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
