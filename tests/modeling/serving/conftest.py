"""A real server process on a free port, over a throw-away base and adapters."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from modeling.model.adapters import new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base
from modeling.spec import LoraSpec
from tests.modeling.test_adapters import train_a_little

KEY = "a-key-of-the-tests-only"
ROOT = Path(__file__).parents[3]
START_TIMEOUT_S = 90.0
"""Two to three seconds on an idle machine; test machines are rarely idle."""


@pytest.fixture(scope="session")
def adapters_root(tiny_base, tmp_path_factory, cpu):
    """Two adapters of the tiny base, and one that says it was made for another."""
    root = tmp_path_factory.mktemp("adapters")
    for name, sha in (("first", base_sha256(tiny_base)), ("second", base_sha256(tiny_base)), ("foreign", "f" * 64)):
        model = train_a_little(new_adapter(load_base(tiny_base, cpu), LoraSpec(rank=4), seed=1), seed=hash_of(name))
        save_adapter(model, root / name, base_sha256=sha)
    return root


def hash_of(name):
    return sum(name.encode())


class ServerProcess:
    def __init__(self, folder, tiny_base, adapters_root, *arguments):
        self.ready_file, key_file = folder / "ready.json", folder / "key"
        key_file.write_text(KEY + "\n")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "modeling", "serve", "--base", tiny_base, "--name", "tiny",
                "--key-file", key_file,
                "--adapter-root", adapters_root, "--ready-file", self.ready_file, "--threads", "1", *arguments,
            ],
            cwd=ROOT, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_until_ready(self):
        end = time.monotonic() + START_TIMEOUT_S
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < end, "the server did not start"
            time.sleep(0.05)
        return json.loads(self.ready_file.read_text())["url"]

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture(scope="session")
def server_process(tiny_base, adapters_root, tmp_path_factory):
    server = ServerProcess(tmp_path_factory.mktemp("server"), tiny_base, adapters_root, "--port", "0")
    yield server
    server.process.kill()
    server.process.communicate()


@pytest.fixture(scope="session")
def server(server_process):
    """The address of a server that is ready."""
    return server_process.wait_until_ready()


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as client:
        yield client
        for model in client.get("/v1/models").json()["data"][1:]:
            client.post("/v1/unload_lora_adapter", json={"lora_name": model["id"]})
