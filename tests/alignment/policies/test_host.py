"""The policy host with real server processes, which are the fake."""

import stat
import time

import psutil
import pytest

from alignment.domain.states import DeploymentState
from alignment.models import Deployment
from alignment.policies import host as host_module
from alignment.policies.client import PolicyClient
from alignment.policies.endpoints import endpoint_of, socket_path
from alignment.policies.host import PolicyHost, key_ensure
from tests.alignment.factories import DeploymentFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def host(house, broker):
    key_ensure(house / "key")
    host = PolicyHost()
    yield host
    host.close()


def look_until(host: PolicyHost, condition, timeout_s: float = 10) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        host.look()
        time.sleep(0.05)


def servers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "serve" in child.cmdline()]


def test_a_base_that_is_needed_gets_a_server_and_deployments_are_told(host, broker):
    base = DeploymentFactory().version
    look_until(host, lambda: broker.messages)
    assert broker.names() == ["alignment.deployment_reconcile"]
    with PolicyClient(endpoint_of(base)) as client:
        assert client.models() == [base.name]
    host.look()
    assert len(servers()) == 1


def test_a_server_that_dies_is_started_again(host, broker):
    DeploymentFactory()
    look_until(host, lambda: broker.messages)
    victim = servers()[0]
    victim.kill()
    look_until(host, lambda: len(broker.messages) == 2)
    assert servers()[0].pid != victim.pid


def test_a_base_that_nothing_needs_loses_its_server(host, broker, monkeypatch):
    base = DeploymentFactory().version
    look_until(host, lambda: broker.messages)
    Deployment.objects.update(state=DeploymentState.RETIRED)
    monkeypatch.setattr(host_module, "_IDLE_LOOKS", 2)
    look_until(host, lambda: not servers())
    assert not socket_path(base).exists()


def test_the_key_is_made_once_and_is_ours_alone(house):
    path = house / "secrets" / "key"
    key_ensure(path)
    key = path.read_text()
    key_ensure(path)
    assert path.read_text() == key
    assert len(key) > 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
