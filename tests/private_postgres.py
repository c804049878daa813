"""A PostgreSQL of the tests' own: made in a temporary folder, on a free port, thrown away at the end.

`python -m tests.private_postgres COMMAND...` runs a command with DATABASE_URL pointing at one.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# What is lost in a crash is a throw-away database; benchmarks pass fsync="on".
_OPTIONS = "-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync={fsync} -c max_connections=200"


class PostgresMissing(RuntimeError):  # noqa: N818 - reads as the sentence it is
    """PostgreSQL's programs are not installed."""


def find_programs() -> Path:
    """Return the folder of the newest initdb."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    raise PostgresMissing("PostgreSQL is not installed: apt-get install postgresql (its server need not run).")


@contextlib.contextmanager
def private_postgres(*, fsync: str = "off") -> Iterator[str]:
    """Start a server and yield its URL; stop it and remove its files at the end."""
    programs = find_programs()
    folder = Path(tempfile.mkdtemp(prefix="plumbline-pg-"))
    as_user = _as_other_user(folder)
    data = folder / "data"
    options = _OPTIONS.format(port=(port := free_port()), folder=folder, fsync=fsync)

    def call(program: str, *arguments: str) -> None:
        # The server inherits no pipe of ours, so that nobody waits for it to close one.
        with (folder / "log").open("ab") as log:
            command = [*as_user, str(programs / program), "-D", str(data), *arguments]
            if subprocess.run(command, stdout=log, stderr=log, cwd=folder, check=False).returncode:
                raise RuntimeError(f"{program} failed:\n{(folder / 'log').read_text()[-2000:]}")

    try:
        call("initdb", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-U", "postgres")
        call("pg_ctl", "start", "-w", "-o", options)
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "stop", "-w", "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """Return a TCP port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_other_user(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: hand the folder to the package's own user."""
    if os.geteuid() != 0:
        return []
    try:
        owner = pwd.getpwnam("postgres")
    except KeyError:
        owner = pwd.getpwnam("nobody")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return ["runuser", "-u", owner.pw_name, "--"]


def main(command: list[str]) -> int:
    with private_postgres() as url:
        child = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": url})
        # Ctrl-C reaches the child by the terminal; we stay to clean up after it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
