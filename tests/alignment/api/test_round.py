import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from alignment.domain.states import RoundState
from alignment.models import Deployment
from feedback.domain.states import BatchState, Role
from feedback.services.person import token_create
from tests.alignment.factories import (
    BuildRoundFactory,
    DeploymentFactory,
    EvaluationFactory,
    RoundFactory,
    RunFactory,
)
from tests.feedback.factories import BatchFactory, MembershipFactory, ProjectFactory, PromptFactory, UserFactory

pytestmark = pytest.mark.django_db


def client_for(user, *scopes):
    _, key = token_create(user=user, name="test", scopes=scopes)
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    return client


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def admin(project):
    return client_for(MembershipFactory(project=project, role=Role.ADMIN).user)


@pytest.fixture
def url(project):
    return f"/api/v1/projects/{project.pk}/rounds/"


@pytest.fixture
def gate(project):
    """A round that waits for a decision."""
    BuildRoundFactory(project=project)
    DeploymentFactory(project=project)
    round_ = RoundFactory(project=project, state=RoundState.GATE)
    evaluation = EvaluationFactory(round=round_)
    round_.policy = evaluation.policy
    round_.save()
    return round_


def test_rounds_are_listed_newest_first(admin, url, project):
    BuildRoundFactory(project=project)
    RoundFactory(project=project)
    assert [row["number"] for row in admin.get(url).json()] == [1, 0]


def test_a_round_tells_its_state_runs_and_figures(admin, url, gate):
    RunFactory(round=gate, progress_done=3, progress_total=4, progress_unit="steps")
    body = admin.get(f"{url}{gate.number}/").json()
    assert (body["state"], body["evaluation"]["metrics"]) == ("gate", {"win_rate": 0.7})
    assert [run["purpose"] for run in body["runs"]] == ["evaluate", "reward"]
    assert body["runs"][1]["done"] == 3
    assert body["policy"] == gate.policy.name


def test_a_round_tells_that_only_a_person_can_move_it_on(admin, url, project):
    batch = BatchFactory(project=project, state=BatchState.FAILED)
    RoundFactory(project=project, state=RoundState.SAMPLING, batch=batch, waiting_for="Add prompts.")
    body = admin.get(f"{url}0/").json()
    assert (body["is_stuck"], body["waiting_for"]) == (True, "Add prompts.")


def test_a_build_does_not_tell_the_servers_paths_and_code(admin, url, project):
    BuildRoundFactory(project=project, gold="secret.module:score")
    assert "secret" not in admin.get(f"{url}0/").content.decode()


def test_deploying_is_accepted_and_goes_on_in_the_background(admin, url, gate, broker):
    answer = admin.post(f"{url}{gate.number}/deploy/", {"reason": "good"}, format="json")
    assert answer.status_code == 202
    assert answer.json()["deployment"]["state"] == "loading"
    assert Deployment.objects.get(round=gate).reason == "good"


def test_deploying_against_the_gate_needs_a_reason(admin, url, gate):
    gate.evaluation.passed = False
    gate.evaluation.save()
    answer = admin.post(f"{url}{gate.number}/deploy/", {}, format="json")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "round_refused"
    assert "write down why" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("decision", "state"), [("reject", "rejected"), ("cancel", "cancelled")])
def test_a_round_is_ended_and_the_next_one_opened(admin, url, gate, project, broker, decision, state):
    PromptFactory(project=project)
    answer = admin.post(f"{url}{gate.number}/{decision}/", {"reason": "no"}, format="json")
    assert answer.status_code == 200
    assert answer.json()["state"] == state
    assert next(row["state"] for row in admin.get(url).json()) == "sampling"


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({"policy": {"learning_rate": 7}}, "learning_rate must be in (0, 1], not 7.0"),
        ({"evaluation": {"gold": "os:system"}}, "cannot be set"),
        ({"gold": "os:system"}, "no such field"),
        ([1], "expected an object"),
    ],
)
def test_a_bad_recipe_is_refused_with_its_field(admin, url, project, recipe, says):
    RoundFactory(project=project)
    answer = admin.post(url, recipe, format="json")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_recipe"
    assert says in answer.json()["error"]["message"]


def test_launching_without_a_round_in_labeling_is_refused(admin, url):
    answer = admin.post(url, {}, format="json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "round_refused")


@pytest.mark.parametrize("path", ["", "1/", "1/deploy/", "1/reject/", "1/cancel/"])
def test_annotators_strangers_and_keys_without_the_scope_are_refused(url, gate, project, path):
    annotator = client_for(MembershipFactory(project=project).user)
    stranger = client_for(UserFactory())
    limited = client_for(MembershipFactory(project=project, role=Role.ADMIN).user, "annotate")
    nobody = APIClient()
    call = "post" if path.count("/") > 1 else "get"
    codes = [getattr(client, call)(url + path).status_code for client in (annotator, stranger, limited, nobody)]
    assert codes == [403, 404, 403, 401]


def test_a_researcher_reads_but_does_not_decide(url, gate, project):
    researcher = client_for(MembershipFactory(project=project, role=Role.RESEARCHER).user)
    assert researcher.get(url).status_code == 200
    assert researcher.post(f"{url}{gate.number}/reject/", {}, format="json").status_code == 403
    assert researcher.post(url, {}, format="json").status_code == 403


def test_a_round_of_another_project_is_not_found_under_this_one(admin, url, gate):
    other = RoundFactory(number=7)
    assert admin.get(f"{url}{other.number}/").status_code == 404


def test_the_schema_describes_every_call():
    paths = SchemaGenerator().get_schema(public=True)["paths"]
    ours = {path: calls for path, calls in paths.items() if "/rounds/" in path}
    assert len(ours) == 5
    for calls in ours.values():
        for call in calls.values():
            assert call["summary"]
            assert {"400", "401", "403", "404"} <= set(call["responses"])
