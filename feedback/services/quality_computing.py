"""Computing a quality report from what is stored. For workers alone: no web process loads the statistics."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import structlog
from django.db import transaction as database
from django.utils import timezone
from django.utils.translation import gettext_noop
from numpy.typing import NDArray

from feedback.domain.errors import Conflict, Invalid
from feedback.domain.quality import ConsensusFigures, QualityFigures
from feedback.domain.states import EXPORTED, IllegalTransition, QualityState
from feedback.models import Consensus, Project, QualityReport
from feedback.quality import report as statistics
from feedback.quality.votes import Tasks, Votes
from feedback.selectors.votes import TaskRow, VoteRow, decisions, judgment_last_id, task_rows, vote_rows
from feedback.services.transition import transition

log = structlog.get_logger(__name__)

INSERT_CHUNK = 2_000
"""Rows of one statement. On SQLite everybody who writes waits for them all: 1 to 2 s for 20,000 tasks."""
MOST_ITEMS = 9
"""A task has at most nine answers."""
_NOTHING = gettext_noop("There is nothing to compute from: nobody has compared any answers yet.")


def quality_compute(*, report_id: int) -> None:
    """Compute a queued report and replace the project's consensus; does nothing when another worker has taken it.

    The same judgments give the same figures. Ends as computed, or as uncomputed with the reason.
    """
    report = QualityReport.objects.select_related("project").get(pk=report_id)
    started_at = timezone.now()
    try:
        transition(obj=report, to=QualityState.COMPUTING, started_at=started_at, error="")
    except (IllegalTransition, Conflict):
        return
    until = judgment_last_id(project=report.project)
    try:
        figures, consensus = _compute(report.project, until)
        with database.atomic():
            _replace_consensus(report, consensus)
            _end(report, QualityState.COMPUTED, last_judgment_id=until, figures=figures.to_json())
    except Conflict:
        log.warning("quality_report_taken_over", report_id=report.pk, note="another worker was given it meanwhile")
    except Invalid as error:
        _end(report, QualityState.UNCOMPUTED, last_judgment_id=until, error=error.message)
    except Exception as error:
        log.exception("quality_report_failed", report_id=report.pk)
        why = f"{type(error).__name__}: {error}. The worker's log has more."
        _end(report, QualityState.UNCOMPUTED, last_judgment_id=until, error=why)


def _end(report: QualityReport, to: QualityState, **changes: Any) -> None:
    where = {"started_at": report.started_at}  # nobody took it over
    transition(obj=report, to=to, where=where, reason=changes.get("error", ""), computed_at=timezone.now(), **changes)


def _compute(project: Project, until: int) -> tuple[QualityFigures, list[ConsensusFigures]]:
    """Raises: Invalid when there is nothing to compute from."""
    flags: Counter[str] = Counter()
    votes = _votes(_speaking(vote_rows(project=project, until=until), flags))
    if votes is None:
        raise Invalid(_NOTHING)
    tasks = _tasks(np.unique(votes.task))
    n_items = max(tasks.lengths_TK.shape[1], 2)
    votes = dataclasses.replace(votes, ranks_JK=votes.ranks_JK[:, :n_items], shown_JK=votes.shown_JK[:, :n_items])
    # The project's number as the seed: the same judgments give the same figures.
    return statistics.quality_compute(
        votes=votes, tasks=tasks, decided=decisions(project=project, until=until), flags=flags, seed=project.pk
    )


def _speaking(chunks: Iterator[list[VoteRow]], flags: Counter[str]) -> Iterator[list[VoteRow]]:
    """Yield what says something about the answers, and count the flags of all that is data."""
    for chunk in chunks:
        for row in chunk:
            if row.counted and row.purpose in EXPORTED:
                flags.update(row.flags)
        spoken = [row for row in chunk if sum(rank is not None for rank in row.ranks) > 1]
        if spoken:
            yield spoken


def _votes(chunks: Iterable[list[VoteRow]]) -> Votes | None:
    parts = [_votes_of(chunk) for chunk in chunks]
    if not parts:
        return None
    names = [field.name for field in dataclasses.fields(Votes)]
    return Votes(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _votes_of(rows: Sequence[VoteRow]) -> Votes:
    shown = np.full((len(rows), MOST_ITEMS), -1, dtype=np.int64)
    for index, row in enumerate(rows):
        shown[index, list(row.order)] = range(len(row.order))
    return Votes(
        task=np.array([row.task for row in rows], dtype=np.int64),
        annotator=np.array([row.annotator for row in rows], dtype=np.int64),
        ranks_JK=_matrix([row.ranks for row in rows], MOST_ITEMS),
        shown_JK=shown,
        purpose=np.array([row.purpose for row in rows], dtype=np.str_),
        counted=np.array([row.counted for row in rows], dtype=np.bool_),
        seconds=np.array([np.nan if row.seconds is None else row.seconds for row in rows], dtype=np.float64),
        at=np.array([row.at for row in rows], dtype=np.float64),
        n_flags=np.array([len(row.flags) for row in rows], dtype=np.int64),
    )


def _tasks(task_ids: NDArray[np.int64]) -> Tasks:
    rows: list[TaskRow] = [row for chunk in task_rows(task_ids=task_ids.tolist()) for row in chunk]
    n_items = max(len(row.lengths) for row in rows)
    return Tasks(
        task=task_ids,
        lengths_TK=_matrix([row.lengths for row in rows], n_items),
        sources=tuple(row.sources for row in rows),
        prompt=np.array([row.prompt for row in rows], dtype=np.int64),
        gold_TK=_matrix([row.gold for row in rows], n_items),
        tolerance=np.array([row.tolerance for row in rows], dtype=np.float64),
    )


def _matrix(rows: Sequence[Sequence[float | None]], width: int) -> NDArray[np.float64]:
    """Return rows of several lengths as one array, NaN where there is nothing."""
    matrix = np.full((len(rows), width), np.nan)
    for index, row in enumerate(rows):
        matrix[index, : len(row)] = [np.nan if value is None else value for value in row]
    return matrix


def _replace_consensus(report: QualityReport, consensus: Sequence[ConsensusFigures]) -> None:
    """Write the consensus of each task in place of what an earlier report said, in the caller's transaction."""
    Consensus.objects.filter(task__project=report.project_id).delete()
    for start in range(0, len(consensus), INSERT_CHUNK):
        Consensus.objects.bulk_create(
            Consensus(
                task_id=one.task, report=report, ranks=one.ranks, confidence=one.confidence, n_judgments=one.n_judgments
            )
            for one in consensus[start : start + INSERT_CHUNK]
        )
