"""Judgments for the tests of the statistics."""

import numpy as np

from feedback.quality.pairs import Pairs, pairs_of
from feedback.quality.votes import Tasks, Votes


def votes_of(rows, *, purpose="label", **columns):
    """Make votes of (task, annotator, ranks); None is no rank. Items are shown in their order."""
    n, width = len(rows), max((len(ranks) for _, _, ranks in rows), default=2)
    ranks_JK = np.full((n, width), np.nan)
    shown_JK = np.full((n, width), -1)
    for row, (_, _, ranks) in enumerate(rows):
        ranks_JK[row, : len(ranks)] = [np.nan if rank is None else rank for rank in ranks]
        shown_JK[row, : len(ranks)] = range(len(ranks))
    values = {
        "task": np.array([row[0] for row in rows], np.int64), "annotator": np.array([row[1] for row in rows], np.int64),
        "ranks_JK": ranks_JK, "shown_JK": shown_JK, "purpose": np.full(n, purpose, dtype="<U20"),
        "counted": np.ones(n, np.bool_), "seconds": np.full(n, np.nan), "at": np.arange(n, dtype=np.float64),
        "n_flags": np.zeros(n, np.int64),
    }  # fmt: skip
    return Votes(**(values | {name: np.asarray(column) for name, column in columns.items()}))


def tasks_of(votes, *, sources=None, gold=None, lengths=None, tolerance=0.0):
    """Make tasks for votes: one prompt each; item i comes from source "s<i>" unless `sources` [task][item] is given."""
    ids = np.unique(votes.task)
    shape = (len(ids), votes.ranks_JK.shape[1])
    by_item = tuple(tuple((f"s{item}",) for item in range(shape[1])) for _ in ids)
    return Tasks(
        task=ids, lengths_TK=np.full(shape, np.nan) if lengths is None else np.asarray(lengths, np.float64),
        sources=by_item if sources is None else sources, prompt=ids.copy(),
        gold_TK=np.full(shape, np.nan) if gold is None else np.asarray(gold, np.float64),
        tolerance=np.full(len(ids), tolerance),
    )  # fmt: skip


def rows_of(votes) -> tuple[Pairs, np.ndarray, np.ndarray]:
    """Return the pairs of votes, and the rows of each judgment's task and annotator."""
    ids, task_J = np.unique(votes.task, return_inverse=True)
    people, annotator_J = np.unique(votes.annotator, return_inverse=True)
    nothing = np.full((len(ids), votes.ranks_JK.shape[1]), np.nan)
    return pairs_of(votes, task_J, annotator_J, nothing, len(people)), task_J, annotator_J


def coin_crowd(generator, *, right_A, n_tasks, overlap):
    """Make votes on pairs whose first item is better: each person names it with their own probability."""
    people = np.argsort(generator.random((n_tasks, len(right_A))), axis=1)[:, :overlap].ravel()
    task = np.repeat(np.arange(n_tasks), overlap)
    swapped = generator.random(n_tasks) < 0.5
    hit = generator.random(len(task)) < right_A[people]
    first_wins = hit ^ swapped[task]
    return votes_of(
        [(t, a, (1, 2) if w else (2, 1)) for t, a, w in zip(task, people, first_wins, strict=True)]
    ), swapped
