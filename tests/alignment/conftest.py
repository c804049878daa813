"""A home for each test's runs and models, the fake in place of modeling, and a broker that is a list."""

import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app

import alignment.jobs
import feedback.jobs
from alignment.domain.states import RoundState
from alignment.models import Round
from alignment.runs import stopping
from alignment.services.advance import rounds_advance_all

assert alignment.jobs, "importing it registers the jobs"
assert feedback.jobs, "likewise"

FAKE = Path(__file__).parent / "fake"
sys.path.insert(0, str(FAKE))


@pytest.fixture(autouse=True)
def house(settings, tmp_path: Path, monkeypatch) -> Iterator[Path]:
    """Folders of this test alone, and a quick heart."""
    settings.RUNS_ROOT = tmp_path / "runs"
    settings.ARTIFACTS_ROOT = tmp_path / "artifacts"
    settings.POLICY_SOCKET_DIR = Path(tempfile.mkdtemp(prefix="pl-"))  # socket paths end at 107 bytes
    settings.POLICY_KEY_FILE = tmp_path / "key"
    settings.POLICY_URL = ""
    settings.MODELING_COMMAND = [sys.executable, str(FAKE)]
    settings.RUN_HEARTBEAT_S = 0.1
    settings.RUN_STOP_GRACE_S = 1.0
    monkeypatch.setattr(stopping._Worker, "is_stopping", False)
    yield tmp_path
    shutil.rmtree(settings.POLICY_SOCKET_DIR)


@pytest.fixture
def behave(house: Path) -> Callable[..., None]:
    """Tell the fake stages what to do: behave(dpo={"exit": 3, "message": "collapsed"})."""

    def write(**stages: dict[str, Any]) -> None:
        (house / "runs").mkdir(exist_ok=True)
        (house / "runs" / "behaviour.json").write_text(json.dumps(stages))

    return write


class Broker:
    """Messages wait here until a test lets them be worked on."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []

    def drain(self, *, limit: int = 200) -> None:
        """Work on messages, oldest first, until none is left; a launch that waits for figures is looked at as by the
        beat."""
        for _ in range(limit):
            if not self.messages and Round.objects.filter(state=RoundState.SNAPSHOT).exists():
                rounds_advance_all()
            if not self.messages:
                return
            job, kwargs = self.messages.pop(0)
            current_app.tasks[job](**kwargs)
        raise AssertionError(f"messages without end: {self.messages[:5]}")

    def names(self) -> list[str]:
        return [job for job, _ in self.messages]


@pytest.fixture
def broker(monkeypatch) -> Broker:
    waiting = Broker()
    monkeypatch.setattr("feedback.dispatch._send", lambda job, kwargs: waiting.messages.append((job, kwargs)))
    return waiting


@pytest.fixture
def policy_server(house: Path, settings) -> Iterator[Callable[..., Any]]:
    """Start a fake policy server for a base in a thread: policy_server(base)."""
    from server import make_server  # noqa: PLC0415 - from the fake's folder

    servers = []
    (house / "key").write_text("a key\n")

    def start(base) -> Any:
        server = make_server(str(settings.POLICY_SOCKET_DIR / f"policy-{base.pk}.sock"), base.name, "a key")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
