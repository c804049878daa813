"""A labeling site for measurements: the processes that the supervisor starts, on a database that is there.

One more page writes a single row. No trainings, no policies, no supervisor.
"""

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from config.environment import BASE_DIR, broker_socket, ensure_secret, make_private_dir, secret_file, socket_dir
from config.supervisor.broker import wait_for_broker
from config.supervisor.child import Plan, end_with_parent
from config.supervisor.plans import broker_plan, plans
from tests.private_postgres import free_port

PROCESSES = ("web", "worker", "beat")
"""Who serves annotators: pages, short jobs, and the clock that starts those."""
_UP_S = 120.0
"""Migrating and collecting static files takes 10 s on busy cores."""
_DOWN_S = 20.0


@contextlib.contextmanager
def labeling_site(*, database: str, log: Path) -> Iterator[str]:
    """Start a site on a database, in a temporary home; yield its address and leave nothing behind."""
    home = Path(tempfile.mkdtemp(prefix="plumbline-bench-"))
    ensure_secret(secret_file(home, "secret-key"))
    make_private_dir(socket_dir(home))
    (home / "broker").mkdir()
    environment = {**os.environ, "PLUMBLINE_HOME": str(home), "DATABASE_URL": database}
    environment |= {"DJANGO_SETTINGS_MODULE": "bench.labeling_settings", "PYTHONPATH": str(BASE_DIR)}
    port = free_port()
    children: list[subprocess.Popen[bytes]] = []
    with log.open("wb") as output:

        def start(plan: Plan) -> subprocess.Popen[bytes]:
            child = subprocess.Popen(
                plan.command, env={**plan.environment, **environment}, cwd=BASE_DIR, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True, preexec_fn=end_with_parent,  # noqa: PLW1509
            )  # fmt: skip
            children.append(child)
            return child

        try:
            broker = start(broker_plan(home))
            wait_for_broker(broker_socket(home), is_running=lambda: broker.poll() is None)
            prepare = [sys.executable, "manage.py", "prepare"]
            subprocess.run(prepare, env=environment, cwd=BASE_DIR, stdout=output, stderr=output, check=True)
            for plan in plans(home, host="127.0.0.1", port=port):
                if plan.name in PROCESSES:
                    start(dataclasses.replace(plan, environment={**plan.environment, "GRANIAN_LOG_LEVEL": "warning"}))
            _wait_until_up(address := f"http://127.0.0.1:{port}", log)
            yield address
        finally:
            for child in reversed(children):
                child.terminate()
            for child in reversed(children):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(_DOWN_S)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
            for folder in (home, socket_dir(home)):
                shutil.rmtree(folder, ignore_errors=True)


def _wait_until_up(address: str, log: Path) -> None:
    deadline = time.monotonic() + _UP_S
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/healthz", timeout=2).status_code == httpx.codes.OK:
                return
        time.sleep(0.1)
    raise SystemExit(f"The site did not answer within {_UP_S:.0f} s:\n{log.read_text(errors='replace')[-2_000:]}")
