"""Who decides which answer is better: a gold function, or a reward model trained on a disjoint part of the prompts."""

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from modeling.errors import BadInput
from modeling.model.batching import Example
from modeling.model.reward import RewardModel

Gold = Callable[[str, str], float]


class Judge(Protocol):
    """Scores answers; a higher score is a better answer to the same prompt."""

    def scores(self, prompts: Sequence[str], texts: Sequence[str], examples: Sequence[Example]) -> list[float]: ...


class GoldJudge:
    """A function of prompt text and answer text."""

    def __init__(self, gold: Gold) -> None:
        self.gold = gold

    def scores(self, prompts: Sequence[str], texts: Sequence[str], examples: Sequence[Example]) -> list[float]:
        """Return the gold scores. Raises: BadInput when one is not a finite number."""
        del examples
        scores = [float(self.gold(prompt, text)) for prompt, text in zip(prompts, texts, strict=True)]
        if not all(math.isfinite(score) for score in scores):
            raise BadInput("The gold function returned a score that is not a finite number.")
        return scores


class RewardJudge:
    """A held-out reward model."""

    def __init__(self, reward: RewardModel) -> None:
        self.reward = reward

    def scores(self, prompts: Sequence[str], texts: Sequence[str], examples: Sequence[Example]) -> list[float]:
        """Return standardised scores."""
        del prompts, texts
        return [float(score) for score in self.reward.standardised(examples)]


def gold_function(reference: str) -> Gold:
    """Return the function that `module:function` names. Raises: BadInput."""
    module, _, name = reference.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise BadInput(f"gold: {reference} cannot be imported ({error}); write module:function.") from error
    if not callable(function):
        raise BadInput(f"gold: {reference} is not a function.")
    gold: Gold = function
    return gold
