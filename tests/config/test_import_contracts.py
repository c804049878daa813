"""The rooms and their layers, as pyproject.toml writes them down."""

import subprocess
import sys

from config.environment import BASE_DIR


def test_every_import_contract_is_kept():
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", program, "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=BASE_DIR, check=False)

    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
