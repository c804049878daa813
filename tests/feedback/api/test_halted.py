from feedback.domain.states import Standing
from tests.feedback.factories import MembershipFactory, TaskFactory


def test_who_is_paused_is_told_so_by_a_code_that_programs_know(client_of, project):
    TaskFactory(project=project)
    member = MembershipFactory(project=project, standing=Standing.PAUSED, standing_reason="Lunch.")

    response = client_of(member.user).post(f"/api/v1/projects/{project.pk}/claim/")

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "halted"
    assert "Lunch." in response.json()["error"]["message"]
