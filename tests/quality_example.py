"""The figures of a small project with a spammer in it, for tests of what is shown and written about them."""

from feedback.domain.quality import Estimate, Histogram, PairFigures, PlanRow, QualityFigures, SourceFigures
from feedback.models import User
from tests.feedback.factories import annotator_figures, quality_figures


def share(value: float, n: int = 120, half: float = 0.08) -> Estimate:
    return Estimate(value, round(value - half, 3), round(value + half, 3), n, "share of pairs, Wilson")


def example_figures(honest: User, spammer: User) -> QualityFigures:
    return quality_figures(
        n_judgments=1_234, n_tasks=400, n_annotators=2, n_pairs=7_404,
        pairwise_agreement=share(0.81), kendall_tau=share(0.62), krippendorff_alpha=share(0.58),
        gold_accuracy=share(0.9, n=40), self_consistency=Estimate(None), first_position=share(0.52),
        length_preference=share(0.6), seconds=Estimate(38.5, 35, 42, 1_200, "median, order statistics"),
        flags={"unsafe": 3, "untrue": 12}, mean_confidence=share(0.93),
        annotators=(
            annotator_figures(
                honest, n_judgments=617, reliability=share(0.88), agreement=share(0.84), gold_accuracy=share(0.95),
                seconds=Estimate(41.0, 38, 44, 600, "median"), flags_per_task=Estimate(0.02, 0.01, 0.03, 617, "mean"),
            ),
            annotator_figures(
                spammer, n_judgments=617, reliability=share(0.5), weight=0.0, first_position=share(0.97),
                suspicions=("position", "copying"), copies=honest.pk, seconds=Estimate(3.0, 2, 4, 600, "median"),
            ),
        ),
        sources=(
            SourceFigures("policy-2", Estimate(0.42, 0.2, 0.64, 900, "Bradley-Terry"), share(0.6, n=900)),
            SourceFigures("=sft", Estimate(-0.42, -0.64, -0.2, 900, "Bradley-Terry"), share(0.4, n=900)),
        ),
        pairs=(PairFigures("policy-2", "=sft", share(0.6, n=900), 0), PairFigures("=sft", "base", share(0.5), None)),
        plan=(PlanRow(0.05, 385, 70, 0.7), PlanRow(0.02, 2_401, 401, None)),
        seconds_histogram=Histogram((0, 10, 20, 40, 80), (300, 50, 700, 184)),
        agreement_histogram=Histogram((0, 0.25, 0.5, 0.75, 1), (3, 20, 77, 300)),
    )  # fmt: skip
