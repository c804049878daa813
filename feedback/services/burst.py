"""Judgments that came faster than anybody reads."""

from feedback.models import Judgment


def burst_hold(*, judgment: Judgment) -> None:
    """Hold back the author's latest judgments if they are a burst of impossible speed, and stop the author.

    In the transaction that stored the judgment.
    """
