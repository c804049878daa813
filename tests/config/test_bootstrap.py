import ast
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from config import bootstrap


class DiskUsage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    (tmp_path / "requirements.txt").write_text("torch==2.13.0\nDjango==5.2.19\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\npytest==9.2.0\n")
    return tmp_path


@pytest.fixture
def calls(checkout, monkeypatch):
    """Every process that would be started; all succeed, and `-m venv` makes what venv would."""
    made = []

    def call(command, **_):
        made.append([str(part) for part in command])
        if "venv" in command:
            (checkout / ".venv" / "bin").mkdir(parents=True)
            (checkout / ".venv" / "bin" / "python").touch()
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    return made


def test_a_first_start_makes_the_environment_and_a_second_does_nothing(calls):
    assert bootstrap.main(["requirements.txt"]) == 0
    assert [call[1:3] for call in calls] == [["-m", "venv"], ["-m", "pip"]]

    calls.clear()
    assert bootstrap.main(["requirements.txt"]) == 0
    assert calls == []


def test_changed_requirements_are_installed_again_also_through_a_file_that_includes_them(calls, checkout):
    bootstrap.main(["requirements.txt", "requirements-dev.txt"])
    calls.clear()

    (checkout / "requirements.txt").write_text("torch==2.13.0\nDjango==5.2.20\n")
    bootstrap.main(["requirements.txt", "requirements-dev.txt"])

    installed = [call[-1] for call in calls if "install" in call]
    assert installed == [str(checkout / "requirements.txt"), str(checkout / "requirements-dev.txt")]


def test_torch_comes_from_the_index_that_is_named(calls, monkeypatch):
    monkeypatch.setenv("TORCH_INDEX", "the-index")
    bootstrap.main(["requirements.txt"])
    assert calls[1][-3:] == ["torch==2.13.0", "--index-url", "the-index"]


def test_an_old_python_gets_a_sentence(calls, monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    assert bootstrap.main(["requirements.txt"]) == 1
    assert "needs Python 3.11 or newer" in capsys.readouterr().err
    assert calls == []


def test_a_missing_venv_module_gets_a_sentence(calls, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "find_spec", lambda name: None if name == "ensurepip" else object())
    assert bootstrap.main(["requirements.txt"]) == 1
    assert "apt-get install python3." in capsys.readouterr().err


def test_a_full_disk_gets_a_sentence(calls, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(10**12, 10**12, 10**9))
    assert bootstrap.main(["requirements.txt"]) == 1
    assert "The disk is nearly full: an installation needs 3 GB" in capsys.readouterr().err


def test_a_failed_installation_is_not_taken_for_a_finished_one(calls, monkeypatch, capsys, checkout):
    succeed = subprocess.call
    monkeypatch.setattr(subprocess, "call", lambda command, **kw: 1 if "install" in command else succeed(command, **kw))

    assert bootstrap.main(["requirements.txt"]) == 1

    assert "pip failed" in capsys.readouterr().err
    assert not bootstrap.is_installed(checkout / "requirements.txt")


def test_old_interpreters_can_read_the_program():
    """Newer syntax would turn the sentence into a traceback."""
    ast.parse(Path(bootstrap.__file__).read_text(encoding="utf-8"), feature_version=(3, 6))
