"""Runs as people watch them: how far, how long still, and the curves of every attempt."""

import dataclasses
import datetime as dt
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alignment.domain.curves import Curve, curves_from
from alignment.domain.states import FINAL_RUN_STATES, RunState
from alignment.models import Round, Run
from alignment.selectors.rundir import attempt_folder, events_read, log_tail
from feedback.models import Project

TITLES = {
    "corpus": _("Corpus"),
    "tokenizer": _("Tokenizer"),
    "pretrain": _("Pretraining"),
    "sft": _("Supervised fine-tuning"),
    "reward": _("Reward model"),
    "judge": _("Judge"),
    "policy": _("Policy"),
    "evaluate": _("Evaluation"),
}
"""A run's purpose as people read it."""

_RATE_WINDOW = 50  # progress events, about ten seconds of a fast stage: short enough to follow a change of pace


@dataclasses.dataclass(frozen=True)
class RunView:
    """One run at one moment."""

    id: int
    purpose: str
    title: str
    stage: str
    state: RunState
    attempt: int
    done: int
    total: int
    unit: str
    share: float
    """From 0 to 1."""
    eta_s: float | None
    metrics: dict[str, Any]
    error: str
    stop_requested: bool
    started_at: dt.datetime | None
    finished_at: dt.datetime | None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_RUN_STATES

    @property
    def duration_s(self) -> float | None:
        """Seconds since the newest attempt began, or that it took."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()


def run_get(*, project: Project, run_id: int) -> Run:
    """Return a run of this project. Raises: Run.DoesNotExist."""
    return Run.objects.select_related("round__project").get(pk=run_id, round__project=project)


def run_list(*, round: Round) -> list[Run]:
    """Return a round's runs in the order they were made."""
    return list(round.runs.order_by("id"))


def run_view(run: Run) -> RunView:
    """Describe a run for a page or the API."""
    state = RunState(run.state)
    share = 1.0 if state == RunState.SUCCEEDED else min(1.0, run.progress_done / max(1, run.progress_total))
    return RunView(
        id=run.pk,
        purpose=run.purpose,
        title=str(TITLES.get(run.purpose, run.purpose)),
        stage=run.stage,
        state=state,
        attempt=run.attempt,
        done=run.progress_done,
        total=run.progress_total,
        unit=run.progress_unit,
        share=share,
        eta_s=run_eta_s(run),
        metrics=run.metrics,
        error=run.error,
        stop_requested=run.stop_requested,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def run_events(run: Run) -> dict[str, Curve]:
    """Return the measurements of all attempts as curves; a resumed attempt overwrites the steps it repeats."""
    folders = (attempt_folder(run, attempt) for attempt in range(1, run.attempt + 1))
    return curves_from(event for folder in folders for event in events_read(folder))


def run_messages(run: Run) -> list[str]:
    """Return what the newest attempt told in words."""
    events = events_read(attempt_folder(run))
    return [str(event["text"]) for event in events if event.get("type") in {"message", "error"}]


def run_log_tail(run: Run, n_lines: int = 50) -> str:
    """Return the last lines of what the newest attempt printed."""
    return log_tail(attempt_folder(run), n_lines) if run.attempt else ""


def run_eta_s(run: Run) -> float | None:
    """Estimate the seconds left from the pace of the newest progress, or None when nothing can be said yet."""
    if run.state != RunState.RUNNING:
        return None
    seen = [event for event in events_read(attempt_folder(run)) if event.get("type") == "progress"][-_RATE_WINDOW:]
    if len(seen) < 2:
        return None
    last = seen[-1]
    first = next(event for event in seen if event["unit"] == last["unit"])  # a stage may count one thing, then another
    moved, took_s = last["done"] - first["done"], last["t"] - first["t"]
    if moved <= 0 or took_s <= 0:
        return None
    return float((last["total"] - last["done"]) * took_s / moved)
