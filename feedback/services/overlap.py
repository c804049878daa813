"""More judgments where people disagree, and at the highest overlap an adjudicator."""

from feedback.models import Judgment


def overlap_review(*, judgment: Judgment) -> None:
    """Ask for a further judgment, or for an adjudicator, if this one filled its task and people disagree on it.

    In the transaction that stored the judgment.
    """
