"""Make `.venv` and install what is missing: run by the machine's own Python, before anything of ours is installed.

    python3 config/bootstrap.py requirements.txt [requirements-dev.txt]

Standard library alone, in a syntax that Python 3.6 reads, so that an old interpreter too ends with a sentence. Nothing
happens when the files were installed already as they are now. TORCH_INDEX names the index of a torch build.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
NEEDED_GB = 3
"""A CPU-only installation takes 1.8 GB, plus the downloads. With CUDA's libraries it is more, and pip says so."""


class CannotInstall(Exception):  # noqa: N818 - reads as the sentence it is
    """The message is shown as it is."""


def main(names: list) -> int:
    """Return the exit status."""
    try:
        check_python()
        missing = [ROOT / name for name in names if not is_installed(ROOT / name)]
        if missing:
            make_venv()
        for requirements in missing:
            install(requirements)
    except CannotInstall as error:
        sys.stderr.write(f"Cannot install: {error}\n")
        return 1
    return 0


def check_python() -> None:
    """Raises: CannotInstall."""
    if sys.version_info < OLDEST_PYTHON:
        found = sys.version.split()[0]
        raise CannotInstall(f"Plumbline needs Python 3.11 or newer, not {found}. Name one: make run PYTHON=python3.11.")


def is_installed(requirements: Path) -> bool:
    """Whether the stamp says that this file, as it is now, was installed."""
    stamp = _stamp(requirements)
    return (VENV / "bin" / "python").exists() and stamp.exists() and stamp.read_text() == fingerprint(requirements)


def make_venv() -> None:
    """Make the environment unless it is there. Raises: CannotInstall."""
    python = VENV / "bin" / "python"
    if python.exists() and subprocess.call([str(python), "-m", "pip", "--version"], stdout=subprocess.DEVNULL) == 0:
        return
    if shutil.disk_usage(str(ROOT)).free < NEEDED_GB * 10**9:
        raise CannotInstall(f"The disk is nearly full: an installation needs {NEEDED_GB} GB free under {ROOT}.")
    if find_spec("venv") is None or find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        raise CannotInstall(f"This Python has no venv module. On Debian and Ubuntu: apt-get install {package}.")
    sys.stdout.write("Making .venv\n")
    sys.stdout.flush()
    if subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)]):
        raise CannotInstall(f"{VENV} could not be made; the lines above say why.")


def install(requirements: Path) -> None:
    """Install one file and stamp it. Raises: CannotInstall."""
    sys.stdout.write(f"Installing {requirements.name} (a few minutes the first time)\n")
    sys.stdout.flush()
    index = os.environ.get("TORCH_INDEX", "")
    torch = re.search(r"^torch==\S+", requirements.read_text(), re.MULTILINE)
    if index and torch:
        _pip_install(torch.group(), "--index-url", index)
    _pip_install("-r", str(requirements))
    _stamp(requirements).write_text(fingerprint(requirements))


def fingerprint(requirements: Path) -> str:
    """Return what an installation depends on: the file, the files it includes, the interpreter."""
    text = requirements.read_text()
    for included in re.findall(r"^-r (\S+)", text, re.MULTILINE):
        text += fingerprint(requirements.parent / included)
    return "{} {}.{}\n".format(hashlib.sha256(text.encode()).hexdigest(), *sys.version_info[:2])


def _stamp(requirements: Path) -> Path:
    return VENV / f".installed-{requirements.name}"


def _pip_install(*arguments: str) -> None:
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    if subprocess.call([*pip, *arguments]):
        free_gb = shutil.disk_usage(str(VENV)).free / 10**9
        raise CannotInstall(
            f"pip failed; its lines above say why ({free_gb:.1f} GB are free on this disk). The same command goes on.",
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
