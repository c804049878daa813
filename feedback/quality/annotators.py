"""The figures of each person: from all that they judged, also what was held back or excluded."""

import numpy as np
from numpy.typing import NDArray

from feedback.domain.quality import AnnotatorFigures, Estimate
from feedback.domain.states import TaskPurpose
from feedback.quality import agreement, bias, consistency, intervals
from feedback.quality.consensus import weights_of
from feedback.quality.reliability import Reliability, reliability_estimates
from feedback.quality.seen import Seen
from feedback.quality.suspicion import Suspicions
from feedback.quality.votes import Tasks, Votes


def annotators_compute(
    seen: Seen,
    tasks: Tasks,
    people: NDArray[np.int64],
    suspicions: Suspicions,
    model: Reliability,
    repeated: list[Estimate],
) -> tuple[AnnotatorFigures, ...]:
    """Return everybody's figures, by user id; `repeated` holds their self-consistency."""
    n, votes, who_J = len(people), seen.votes, seen.annotator_J
    n_judgments = np.bincount(who_J, minlength=n)
    weights = weights_of(model)
    reliability = reliability_estimates(seen.pairs, model, who_J)
    agreeing = agreement.annotator_agreement(seen.pairs, agreement.label_counts(seen.pairs), who_J)
    gold = consistency.gold_accuracy(gold_right(votes, tasks, seen.task_J), who_J, n)
    longer = bias.longer_item(seen.pairs, tasks.lengths_TK)
    by_position = bias.preference(seen.pairs, seen.pairs.shown, who_J, n, what="the answer shown first")
    by_length = bias.preference(seen.pairs, longer, who_J, n, what="the longer answer")
    seconds = seconds_of(votes, who_J, n)
    flags = intervals.means(votes.n_flags.astype(np.float64), who_J, n, method="mean a judgment, Student's t")
    return tuple(
        AnnotatorFigures(
            annotator=int(people[one]),
            n_judgments=int(n_judgments[one]),
            reliability=reliability[one],
            weight=float(weights[one]),
            agreement=agreeing[one],
            gold_accuracy=gold[one],
            self_consistency=repeated[one],
            first_position=by_position[one],
            length_preference=by_length[one],
            seconds=seconds[one],
            flags_per_task=flags[one],
            copies=int(people[suspicions.copies[one]]) if one in suspicions.copies else None,
            suspicions=suspicions.names(one),
        )
        for one in range(n)
    )


def gold_right(votes: Votes, tasks: Tasks, task_J: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (J,) 1 or 0 for the judgments of gold tasks, right or wrong, NaN for all others."""
    right = consistency.gold_right(votes.ranks_JK, tasks.gold_TK[task_J], tasks.tolerance[task_J])
    return np.where(votes.purpose == str(TaskPurpose.GOLD), right, np.nan)


def seconds_of(votes: Votes, group_J: NDArray[np.int64], n_groups: int) -> list[Estimate]:
    """Return by group the median active seconds of a judgment."""
    known = np.isfinite(votes.seconds)
    method = "median, interval of ranks"
    return intervals.medians(votes.seconds[known], group_J[known], n_groups, method=method)
