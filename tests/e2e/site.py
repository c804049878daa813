"""The web server as in production, a process of its own on the tests' database: it can be killed and started again."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.conf import settings

from config.supervisor.child import end_with_parent
from tests.private_postgres import free_port

_UP_S = 60
_SECRET = secrets.token_urlsafe(48)  # the same over a restart: people stay signed in


class Site:
    """A running server; `url` stays the same over a restart."""

    def __init__(self, log: Path, *, settings_module: str = "tests.settings") -> None:
        self.settings_module = settings_module
        self.log = log.open("ab")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--blocking-threads", "4", "--http", "1", "--no-ws", "config.wsgi:application"]
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": self.settings_module,
            "SECRET_KEY": _SECRET,
            "PLUMBLINE_HOME": str(settings.HOME),
            "DATABASE_URL": _database_url(),
        }
        self.process = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=self.log, stderr=self.log,
            start_new_session=True, preexec_fn=end_with_parent,  # noqa: PLW1509 - it only asks to end with us
        )  # fmt: skip
        self._wait_until_up()

    def kill(self) -> None:
        """End all of its processes at once, without a word."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + _UP_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with (
                contextlib.suppress(urllib.error.URLError, ConnectionError),
                urllib.request.urlopen(f"{self.url}/login/", timeout=10),
            ):
                return
            time.sleep(0.1)
        raise RuntimeError(f"The server did not start:\n{Path(self.log.name).read_text()[-2000:]}")


def _database_url() -> str:
    database = settings.DATABASES["default"]  # by now its name is that of the tests' database
    if database["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{quote(str(database['NAME']))}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database['NAME']}").geturl()
