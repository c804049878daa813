"""All figures of a project's quality report from its judgments as arrays."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from feedback.domain.quality import ConsensusFigures, Estimate, PlanRow, QualityFigures
from feedback.domain.states import EXPORTED, TaskPurpose
from feedback.quality import agreement, bias, consistency, histograms, intervals, leaderboard, planning
from feedback.quality.annotators import annotators_compute, gold_right, seconds_of
from feedback.quality.comparisons import Comparisons, comparisons_of
from feedback.quality.consensus import consensus_of
from feedback.quality.couples import couples_of
from feedback.quality.reliability import Reliability, is_knowable
from feedback.quality.seen import Seen, seen_of, votes_where
from feedback.quality.sums import sum_by
from feedback.quality.suspicion import suspicions_find
from feedback.quality.votes import Tasks, Votes

MOST_PAIRS = 10_000_000
"""Pairs in judgments that the figures look at: 18 million took 6.7 GB and six minutes on a busy machine. Beyond it
tasks are drawn, and every `n` says how much was looked at; the consensus is of all tasks."""
CHUNK = 50_000
"""Tasks whose consensus is made at once: with nine answers each some 100 MB."""


def quality_compute(
    *, votes: Votes, tasks: Tasks, decided: Mapping[int, tuple[int, ...]], flags: Mapping[str, int], seed: int
) -> tuple[QualityFigures, list[ConsensusFigures]]:
    """Return the figures of a project and the consensus of each of its tasks that somebody trusted judged.

    Where nobody judged what somebody else did, and no answer is known, there is no reliability and no consensus: one
    person's word stays what it is. `decided` holds ranks that an adjudicator set: they stand, with confidence 1.
    `flags` is passed through. The same arrays and seed give the same figures.
    """
    generator = np.random.default_rng(seed)
    votes = votes_where(votes, votes.purpose != str(TaskPurpose.TRAINING))  # the answers are shown there
    people = np.unique(votes.annotator)
    drawn = votes_where(votes, _drawn(votes, generator))
    is_repeat = drawn.purpose == str(TaskPurpose.REPEAT)
    seen = seen_of(votes_where(drawn, ~is_repeat), tasks, people)
    couples = couples_of(seen.task_J, seen.votes.ranks_JK, np.ones(len(seen.task_J), np.bool_))
    suspicions, model = suspicions_find(seen.pairs, couples, seen.annotator_J, seen.votes.counted, seen.votes.seconds)
    repeats, originals = consistency.repeats_of(drawn.task, drawn.annotator, is_repeat)
    ranks, repeaters = drawn.ranks_JK, np.searchsorted(people, drawn.annotator[repeats])
    repeated = consistency.self_consistency(ranks, repeats, originals, repeaters, len(people))
    first_times = votes_where(votes, votes.purpose != str(TaskPurpose.REPEAT))
    agreed = list(_consensus(first_times, tasks, people, model, decided))
    if not is_knowable(seen.pairs):
        agreed = [one for one in agreed if one.task in decided]

    data = seen.pairs.of(seen.data_J[seen.pairs.judgment])
    data_votes = votes_where(seen.votes, seen.data_J)
    counts = agreement.label_counts(data)
    alike, by_task = agreement.pairwise_agreement(counts, data.task, len(tasks.task))
    together = couples.of(seen.data_J[couples.earlier] & seen.data_J[couples.later])
    found = comparisons_of(data, tasks.sources, tasks.prompt, seen.task_J[seen.data_J])
    all_J = np.zeros(len(seen.task_J), np.int64)
    (seconds,) = seconds_of(data_votes, np.zeros(len(data_votes.task), np.int64), 1)
    longer = bias.longer_item(data, tasks.lengths_TK)
    confidence = np.array([one.confidence for one in agreed])
    figures = QualityFigures(
        n_judgments=int(seen.data_J.sum()),
        n_tasks=len(np.unique(data_votes.task)),
        n_annotators=len(np.unique(data_votes.annotator)),
        n_pairs=len(data.label),
        pairwise_agreement=alike,
        kendall_tau=agreement.kendall_tau(together, seen.task_J, generator),
        krippendorff_alpha=agreement.krippendorff_alpha(
            data_votes.ranks_JK, seen.task_J[seen.data_J], len(tasks.task), generator
        ),
        gold_accuracy=consistency.gold_accuracy(gold_right(seen.votes, tasks, seen.task_J), all_J, 1)[0],
        self_consistency=consistency.self_consistency(ranks, repeats, originals, np.zeros_like(repeats), 1)[0],
        first_position=bias.preference(data, data.shown, all_J, 1, what="the answer shown first")[0],
        length_preference=bias.preference(data, longer, all_J, 1, what="the longer answer")[0],
        seconds=seconds,
        flags=dict(flags),
        mean_confidence=intervals.means(confidence, np.zeros(len(agreed), np.int64), 1, method="mean, Student's t")[0],
        annotators=annotators_compute(seen, tasks, people, suspicions, model, repeated),
        sources=leaderboard.leaderboard(found, generator),
        pairs=leaderboard.source_pairs(found),
        plan=_plan(found, seen, seconds),
        seconds_histogram=histograms.seconds_histogram(data_votes.seconds),
        agreement_histogram=histograms.agreement_histogram(by_task),
    )
    return figures, agreed


def _drawn(votes: Votes, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Return (J,) which judgments the figures look at: all, or those of as many tasks as make `MOST_PAIRS`."""
    ranked = (~np.isnan(votes.ranks_JK)).sum(axis=1)
    task_ids, task_J = np.unique(votes.task, return_inverse=True)
    size_T = sum_by(task_J, ranked * (ranked - 1) // 2, len(task_ids))
    order = generator.permutation(len(task_ids))
    kept_T = np.zeros(len(task_ids), np.bool_)
    kept_T[order[np.cumsum(size_T[order]) <= MOST_PAIRS]] = True
    kept: NDArray[np.bool_] = kept_T[task_J]
    return kept


def _consensus(
    votes: Votes, tasks: Tasks, people: NDArray[np.int64], model: Reliability, decided: Mapping[int, tuple[int, ...]]
) -> Iterator[ConsensusFigures]:
    """Yield the consensus of all tasks whose judgments are data, by task id."""
    data = votes_where(votes, votes.counted & np.isin(votes.purpose, [str(purpose) for purpose in EXPORTED]))
    data = votes_where(data, np.argsort(data.task, kind="stable"))
    n_items_T = np.array([len(items) for items in tasks.sources], np.int64)
    for start in range(0, len(tasks.task), CHUNK):
        ids = tasks.task[start : start + CHUNK]
        begin, end = np.searchsorted(data.task, (ids[0], ids[-1] + 1))
        chunk = seen_of(votes_where(data, slice(begin, end)), tasks, people, slice(start, start + CHUNK))
        trusted_J = model.trusted[chunk.annotator_J]
        n_judged_T = np.bincount(chunk.task_J[trusted_J], minlength=len(ids))
        found = consensus_of(chunk.pairs, model, n_items_T[start : start + CHUNK], n_judged_T)
        by_task = {task: (ranks, confidence) for task, ranks, confidence in found}
        for row, task in enumerate(ids.tolist()):
            if task in decided:
                yield ConsensusFigures(task, tuple(decided[task]), 1.0, int(n_judged_T[row]))
            elif row in by_task:
                yield ConsensusFigures(task, *by_task[row], int(n_judged_T[row]))


def _plan(found: Comparisons, seen: Seen, seconds: Estimate) -> tuple[PlanRow, ...]:
    """Return what intervals cost for two sources that are compared as often as those so far."""
    n = found.n.sum()
    n_judgments = int(seen.data_J.sum())
    if not n or not n_judgments:
        return ()
    n_couples = len(np.unique(found.one * len(found.sources) + found.two))
    return planning.plan(
        design_effect=leaderboard.design_effect(found),
        comparisons_per_judgment=float(n) / n_couples / n_judgments,
        seconds=seconds.value,
    )
