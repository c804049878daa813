"""What a modeling process arranges for itself at its start: to die with its parent, and how its files look to others.

PR_SET_PDEATHSIG reaches only direct children and fires when the *thread* that started the process ends, so every rank
of a launcher calls this itself. Linux only, as the whole project.
"""

import ctypes
import os
import signal

PARENT_PID_VARIABLE = "PLUMBLINE_PARENT_PID"
"""Set by a parent that starts us directly, so that its death before our first instruction is noticed too."""

_PR_SET_PDEATHSIG = 1
_FILE_MODE_MASK = 0o022  # artifacts are read by other accounts, such as the policy server's


def process_settle(*, die_with_parent: bool) -> None:
    """Fix the umask and, unless the run is detached, ask the kernel to kill us when our parent ends."""
    os.umask(_FILE_MODE_MASK)
    if not die_with_parent:
        return
    parent = int(os.environ.pop(PARENT_PID_VARIABLE, os.getppid()))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # the parent ended before the request took hold
        os.kill(os.getpid(), signal.SIGKILL)
