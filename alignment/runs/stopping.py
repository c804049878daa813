"""Whether this worker process is on its way out, so that the run it watches must checkpoint and go back to the queue.

A plain flag without a lock: it is set from a signal handler, which may interrupt the very thread that reads it.
"""


class _Worker:
    is_stopping = False


def worker_stop() -> None:
    """Note that the worker was asked to end."""
    _Worker.is_stopping = True


def worker_is_stopping() -> bool:
    """Whether the worker was asked to end."""
    return _Worker.is_stopping
