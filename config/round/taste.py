"""What simulated annotators like: a hidden gold score, seen through noise.

Rankings follow Plackett and Luce (Plackett, 1975, https://doi.org/10.2307/2346567): the answer on top is drawn with
probability proportional to exp(utility / temperature), then the next one from the rest. Adding Gumbel noise to
utility / temperature and sorting draws from the same distribution (Yellott, 1977).
"""

import math
import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from config.round.options import Gold

TEMPERATURE = 0.35


@dataclass(frozen=True)
class Taste:
    """A gold score standardised over the answers that were sampled, and the noise on top of it."""

    gold: Gold
    mean: float
    deviation: float
    seed: int
    temperature: float = TEMPERATURE

    @classmethod
    def over(cls, gold: Gold, answers: Iterable[tuple[str, str]], *, seed: int) -> "Taste":
        """Build from the (prompt, answer) texts that were sampled."""
        scores = [gold(prompt, answer) for prompt, answer in answers]
        deviation = statistics.pstdev(scores) if scores else 0.0
        return cls(gold, statistics.fmean(scores) if scores else 0.0, deviation or 1.0, seed)

    def rank(self, prompt: str, answers: Sequence[str]) -> list[int]:
        """Return each answer's rank, 1 is best.

        The noise depends on seed, prompt and answers alone: not on who ranks, when, or in which order they are shown.
        """
        noise = {}
        for answer in answers:
            uniform = random.Random(f"{self.seed}|{prompt}|{answer}").random()  # noqa: S311 - a simulation
            noise[answer] = -math.log(-math.log(max(uniform, 1e-12)))
        utility = [
            (self.gold(prompt, answer) - self.mean) / self.deviation / self.temperature + noise[answer]
            for answer in answers
        ]
        order = sorted(range(len(answers)), key=lambda index: -utility[index])
        return [order.index(index) + 1 for index in range(len(answers))]


def agreement(gold_scores: Sequence[float], ranks: Sequence[int]) -> tuple[int, int]:
    """Return how many pairs the ranks order as the gold score does, and how many pairs the gold score orders at all."""
    agreed = ordered = 0
    for left, right in combinations(range(len(ranks)), 2):
        difference = gold_scores[left] - gold_scores[right]
        if difference:
            ordered += 1
            agreed += (ranks[left] < ranks[right]) == (difference > 0) and ranks[left] != ranks[right]
    return agreed, ordered
