"""Where Plumbline keeps things and what it keeps secret: paths and files, without Django.

The settings and the supervisor read the same functions, so that both always mean the same files.
"""

import hashlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SOCKET_PATH_BYTES = 107
"""A unix socket's path ends there on Linux (sun_path is 108 bytes with its zero)."""
_LONGEST_SOCKET_NAME = 32
"""What the policy host may add after the folder: its sockets carry the name of a base."""


def home_dir() -> Path:
    """Return the folder of everything that Plumbline writes: PLUMBLINE_HOME, else `var` in the checkout."""
    return Path(os.environ.get("PLUMBLINE_HOME") or BASE_DIR / "var").resolve()


def socket_dir(home: Path) -> Path:
    """Return the private folder for unix sockets: in the home, or where that path is too long a temporary folder."""
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    name = f"plumbline-{os.getuid()}-{digest}"
    candidates = [home / "run", Path(tempfile.gettempdir()) / name]
    short = (path for path in candidates if len(os.fsencode(path)) + 1 + _LONGEST_SOCKET_NAME <= SOCKET_PATH_BYTES)
    return next(short, Path("/tmp") / name)  # noqa: S108 - made private, and refused when somebody else made it


def make_private_dir(path: Path) -> Path:
    """Create a folder that only we can enter. Raises: PermissionError when somebody else made it first."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to somebody else. Remove it, or choose another PLUMBLINE_HOME.")
    path.chmod(0o700)
    return path


def secret_file(home: Path, name: str) -> Path:
    """Return the path of a secret under the home."""
    return home / "secrets" / name


def read_secret(path: Path) -> str:
    """Return a secret's text, empty when it was never made."""
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def ensure_secret(path: Path) -> str:
    """Return the secret in a file of mode 0600, made at random (43 characters, 256 bits) the first time."""
    if not (secret := read_secret(path)):
        make_private_dir(path.parent)
        secret = secrets.token_urlsafe(32)
        write_private(path, secret + "\n")
    return secret


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def broker_socket(home: Path) -> Path:
    """Return the socket of the broker that the supervisor starts when BROKER_URL is not set."""
    return socket_dir(home) / "valkey.sock"
