import pytest

from alignment.domain.errors import EndpointDown, EndpointRefused
from alignment.domain.states import DeploymentState, VersionKind
from alignment.policies.client import Answer, PolicyClient
from alignment.policies.endpoints import endpoint_of
from alignment.policies.reconcile import policies_reconcile, policy_ready
from alignment.policies.sampling import Sampler
from tests.alignment.factories import DeploymentFactory, ModelVersionFactory

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def base():
    return ModelVersionFactory(name="base")


@pytest.fixture
def adapter(base, house):
    version = ModelVersionFactory(project=base.project, kind=VersionKind.POLICY, parent=base, name="adapter")
    folder = house / "artifacts" / "adapter"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    return version


@pytest.fixture
def client(base, policy_server):
    policy_server(base)
    with PolicyClient(endpoint_of(base)) as client:
        yield client


def test_an_answer_comes_with_the_reason_of_its_end(client):
    answer = client.chat(model="base", messages=HELLO, seed=5, max_new_tokens=8, temperature=1.0)
    assert answer == Answer("base says 5 to Hello", "stop")


def test_what_the_server_refuses_is_no_reason_to_try_again(client):
    with pytest.raises(EndpointRefused, match="404 no model other"):
        client.chat(model="other", messages=HELLO, seed=5, max_new_tokens=8, temperature=1.0)


def test_a_prompt_that_is_too_long_does_not_keep_the_others_from_an_answer(base, policy_server):
    policy_server(base)
    sampler = Sampler({1: base}, max_new_tokens=8)
    too_long = [{"role": "user", "content": "Hello" * 1_000}]
    try:
        answers = sampler.sample([(1, too_long, 5), (1, HELLO, 6)], on_wait=lambda: None)
    finally:
        sampler.close()
    assert answers == [None, Answer("base says 6 to Hello", "stop")]


def test_a_server_that_is_not_there_is_down(base):
    with PolicyClient(endpoint_of(base)) as client, pytest.raises(EndpointDown, match="not up yet"):
        client.models()


def test_a_wrong_key_is_refused(base, policy_server, house):
    policy_server(base)
    (house / "key").write_text("another key\n")
    with PolicyClient(endpoint_of(base)) as client, pytest.raises(EndpointRefused, match="wrong key"):
        client.adapter_unload(name="a")


def test_an_operators_endpoint_takes_the_place_of_the_embedded_ones(base, settings):
    settings.POLICY_URL, settings.POLICY_KEY = "https://vllm.example.org", "their key"
    endpoint = endpoint_of(base)
    assert (endpoint.url, endpoint.key, endpoint.socket) == ("https://vllm.example.org", "their key", "")


def test_a_version_is_loaded_and_asked_before_it_counts_as_ready(adapter, base, policy_server):
    server = policy_server(base)
    policy_ready(adapter)
    assert list(server.adapters) == ["adapter"]


def test_what_is_loaded_is_made_to_match_the_database(adapter, base, policy_server):
    server = policy_server(base)
    old = ModelVersionFactory(project=base.project, kind=VersionKind.POLICY, parent=base, name="old")
    server.adapters |= {old.name: "its path", "a stranger's": "left alone"}
    DeploymentFactory(project=base.project, version=adapter)
    policies_reconcile()
    assert sorted(server.adapters) == ["a stranger's", "adapter"]


def test_a_retired_adapter_goes_when_nothing_needs_it(adapter, base, policy_server):
    server = policy_server(base)
    policy_ready(adapter)
    DeploymentFactory(project=base.project, version=adapter, state=DeploymentState.RETIRED)
    DeploymentFactory(project=base.project, version=base)
    policies_reconcile()
    assert server.adapters == {}
