"""Starting, stopping and collecting one modeling process: an argument list, no shell, a session of its own.

Knows processes and signals; knows no database. The child asks the kernel to be killed when the thread that started it
ends, so it must be started from a thread that lives as long as the worker: Celery's solo pool runs jobs on the main
thread.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from modeling.spec.result import LOG

PARENT_PID_VARIABLE = "PLUMBLINE_PARENT_PID"
"""Tells the child whose end to watch for, in case we end before its first instruction."""

_PASSED_ON = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH",
    "LD_PRELOAD", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
_PASSED_ON_PREFIXES = (
    "CUDA_",
    "NVIDIA_",
    "NCCL_",
    "HF_",
    "TRANSFORMERS_",
    "XDG_",
    "OMP_",
    "MKL_",
    "PYTORCH_",
    "TORCH_",
)
"""What Python, the accelerator and the model hub need. Secrets of the site (database, broker, keys) stay here."""

_NICEST = 19
"""The kernel's limit; the autogroup file refuses more."""


class Child:
    """A running modeling process and the process group that it leads."""

    def __init__(self, arguments: Sequence[str], folder: Path) -> None:
        """Start the process with its output in the folder's log. Raises: OSError."""
        with (folder / LOG).open("ab") as log:
            self._process = subprocess.Popen(
                [*settings.MODELING_COMMAND, *arguments], cwd=settings.BASE_DIR, env=child_environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid
        # From outside, because code between fork and exec is not safe in a process with threads.
        _let_others_first(self.pid, settings.TRAIN_NICE)

    def has_ended(self) -> bool:
        """Whether the process is over. It stays a zombie, so that its process group's number cannot be reused."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def ask_to_stop(self) -> None:
        """Let it write a checkpoint and end. Only the leader hears it: data loaders must live on for that."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End the whole group now."""
        os.killpg(self.pid, signal.SIGKILL)

    def collect(self) -> int:
        """Kill what is left of the group and return the leader's exit code, negative for a signal."""
        self.kill()
        return self._process.wait()


def _let_others_first(pid: int, more: int) -> None:
    """Add to a process's niceness, and to that of its session: Linux groups tasks by session, and weighs groups first.

    Source: sched(7), "The autogroup feature": there niceness counts only within a session, so that a niced trainer in a
    session of its own would get as much time as the whole web server.
    """
    nice = min(_NICEST, os.getpriority(os.PRIO_PROCESS, pid) + more)  # a site that was started nicer stays so
    os.setpriority(os.PRIO_PROCESS, pid, nice)
    # A help, not a need: some kernels lack the file or refuse the write (EINVAL in a sandbox, EAGAIN after another).
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def child_environment() -> dict[str, str]:
    """Return what a modeling process may know of our environment, and how many threads it may use."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }  # fmt: skip
    if settings.MODELING_THREADS:
        kept["OMP_NUM_THREADS"] = kept["MKL_NUM_THREADS"] = str(settings.MODELING_THREADS)
    return kept | {PARENT_PID_VARIABLE: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
