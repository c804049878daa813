"""All figures of a project's quality report from its judgments as arrays."""

from collections.abc import Mapping

import numpy as np

from feedback.domain.quality import NOTHING, ConsensusFigures, Histogram, QualityFigures
from feedback.quality.votes import Tasks, Votes


def quality_compute(
    *, votes: Votes, tasks: Tasks, decided: Mapping[int, tuple[int, ...]], flags: Mapping[str, int], seed: int
) -> tuple[QualityFigures, list[ConsensusFigures]]:
    """Return the figures of a project and the consensus of each of its tasks.

    `decided` holds ranks that an adjudicator set: they stand, with confidence 1. `flags` is passed through.
    The same arrays and seed give the same figures.
    """
    n_ranked = np.isfinite(votes.ranks_JK).sum(axis=1)
    figures = QualityFigures(
        n_judgments=int(votes.counted.sum()),
        n_tasks=len(tasks.task),
        n_annotators=len(np.unique(votes.annotator[votes.counted])),
        n_pairs=int((n_ranked * (n_ranked - 1) // 2)[votes.counted].sum()),
        pairwise_agreement=NOTHING,
        kendall_tau=NOTHING,
        krippendorff_alpha=NOTHING,
        gold_accuracy=NOTHING,
        self_consistency=NOTHING,
        first_position=NOTHING,
        length_preference=NOTHING,
        seconds=NOTHING,
        flags=dict(flags),
        mean_confidence=NOTHING,
        annotators=(),
        sources=(),
        pairs=(),
        plan=(),
        seconds_histogram=Histogram((), ()),
        agreement_histogram=Histogram((), ()),
    )
    return figures, [ConsensusFigures(task, ranks, 1.0, 0) for task, ranks in decided.items()]
