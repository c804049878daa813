import json

import pytest

from tests.feedback.factories import MembershipFactory, QualityReportFactory, UserFactory
from tests.quality_example import example_figures

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client_of, project):
    return client_of(MembershipFactory(project=project, role="researcher").user)


def test_a_program_gets_the_figures_with_pseudonyms(client, project):
    ann, bob = (
        MembershipFactory(project=project, pseudonym=f"p-{name}", user__username=name) for name in ("ann", "bob")
    )
    figures = example_figures(ann.user, bob.user).to_json()
    report = QualityReportFactory(project=project, figures=figures, last_judgment_id=77)

    answer = client.get(f"/api/v1/projects/{project.pk}/quality/").json()

    assert (answer["report"], answer["last_judgment"]) == (report.pk, 77)
    assert [row["annotator"] for row in answer["tables"]["annotators"]] == ["p-ann", "p-bob"]
    assert answer["tables"]["annotators"][1]["copies"] == "p-ann"
    assert answer["tables"]["pairs"][0]["more_labels"] == 0
    assert '"ann"' not in json.dumps(answer)


def test_before_the_first_report_there_are_empty_tables(client, project):
    answer = client.get(f"/api/v1/projects/{project.pk}/quality/").json()
    assert answer["report"] is None
    assert set(map(len, answer["tables"].values())) == {0}


def test_only_researchers_and_admins_get_figures(client_of, project):
    url = f"/api/v1/projects/{project.pk}/quality/"
    assert client_of(MembershipFactory(project=project, role="admin").user).get(url).status_code == 200
    assert client_of(MembershipFactory(project=project, role="annotator").user).get(url).status_code == 403
    assert client_of(UserFactory()).get(url).status_code == 404
