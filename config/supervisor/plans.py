"""Which processes a Plumbline on one machine consists of, and the order in which they end."""

import os
import sys
from pathlib import Path

from config.environment import BASE_DIR, broker_socket
from config.supervisor.broker import valkey_command
from config.supervisor.child import Plan

TRAININGS, PEOPLE, BROKER = 1, 2, 3
"""Stages of the end: trainings checkpoint and requeue, then whatever serves, then what all of them talk to."""

TRAIN_GRACE_S = 20.0
"""A training has 10 s to checkpoint, and its worker needs a moment to write that down."""
_GRACE_S = 12.0
"""Idle, each ends within 2 s; leaving the interpreter alone took 8 s on a machine with five busy processes a core."""

_CELERY = ("-m", "celery", "-A", "config", "--quiet")
# The schedule lives in memory: every job comes again within half a minute.
_BEAT = (*_CELERY, "beat", "-S", "celery.beat:Scheduler", "--pidfile=")


def child_environment(home: Path) -> dict[str, str]:
    """Return what every child finds in its environment."""
    return {
        **os.environ,
        "PLUMBLINE_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(BASE_DIR),
        # Training libraries report to their makers unless told not to.
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "GRANIAN_LOG_LEVEL": "warning",
    }


def broker_plan(home: Path) -> Plan:
    """Return the plan of the bundled broker."""
    command = valkey_command(socket_path=broker_socket(home), data_dir=home / "broker")
    return Plan(
        name="broker", command=command, environment=child_environment(home), stop_stage=BROKER, grace_s=_GRACE_S
    )


def plans(home: Path, *, host: str, port: int) -> list[Plan]:
    """Return every other process."""
    environment = child_environment(home)

    def plan(name: str, *command: str, stage: int = PEOPLE, grace_s: float = _GRACE_S) -> Plan:
        whole = [sys.executable, *command]
        return Plan(name=name, command=whole, environment=environment, stop_stage=stage, grace_s=grace_s)

    processes = [
        plan("web", *_granian(host, port)),
        # Threads: short jobs mostly wait for files, HTTP and the database.
        plan("worker", *_worker("default", "--pool", "threads", "--concurrency", "4")),
        # Threads that wait for policies: eight people who chat at once.
        plan("live", *_worker("live", "--pool", "threads", "--concurrency", "16")),
        # On the main thread: a training gets its parent-death signal when the thread that started it ends.
        plan("train", *_worker("train", "--pool", "solo"), stage=TRAININGS, grace_s=TRAIN_GRACE_S),
        plan("beat", *_BEAT, stage=TRAININGS),
    ]
    if not os.environ.get("POLICY_URL"):
        processes.append(plan("policy", "manage.py", "policy_host"))
    return processes


def _granian(host: str, port: int) -> list[str]:
    # 2 processes of 4 threads served 1,190 reads/s on two cores; blocking threads fit Django's synchronous views.
    return [
        *("-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port)),
        *("--workers", "2", "--blocking-threads", "4", "--http", "1", "--no-ws"),
        *("--respawn-failed-workers", "--workers-kill-timeout", "4", "config.wsgi:application"),
    ]


def _worker(queue: str, *pool: str) -> list[str]:
    return [
        *(*_CELERY, "worker", "--queues", queue, "--hostname", f"{queue}@%h", *pool),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"),
    ]
