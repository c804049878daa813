import os
import shutil
import socket
import sys
from typing import NamedTuple

import pytest

from config.supervisor import checks


class DiskUsage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_taken_port_gets_a_sentence_with_another_one():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(checks.CannotStart, match=rf"Port {port} .* is taken.*PORT={port + 1}"):
            checks.check_port("127.0.0.1", port)


def test_a_free_port_passes():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    checks.check_port("127.0.0.1", port)


def test_an_old_python_gets_a_sentence(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    with pytest.raises(checks.CannotStart, match=r"needs Python 3\.11 or newer"):
        checks.check_python()


def test_a_full_disk_gets_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(10**12, 10**12, 12_000_000))
    with pytest.raises(checks.CannotStart, match="nearly full: 12 MB are free and 1000 MB are needed"):
        checks.check_home(tmp_path)


def test_a_home_that_cannot_be_written_gets_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(checks.CannotStart, match="cannot be written"):
        checks.check_home(tmp_path / "file" / "home")


def test_a_home_has_one_supervisor(tmp_path):
    lock = checks.lock_home(tmp_path)
    try:
        with pytest.raises(checks.CannotStart, match=rf"already runs in {tmp_path} \(process {os.getpid()}\)"):
            checks.lock_home(tmp_path)
    finally:
        os.close(lock)

    os.close(checks.lock_home(tmp_path))
