"""What a reward model makes of comparisons: the difference of scores and all that is known of each pair, as tensors.

Shapes: B answers, H heads, P pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modeling.model.reward import RewardModel
from modeling.training.comparisons import Comparison
from modeling.training.reward_losses import preference_losses


@dataclass(frozen=True)
class ScoredPairs:
    """Pairs of some comparisons in their order; each tensor is (P,)."""

    differences: Tensor
    """Score of the winner less that of the loser, by the head of the dimension that was judged; with gradients."""
    targets: Tensor
    weights: Tensor
    strengths: Tensor
    """0 where none was stated."""
    ties: Tensor

    def losses(self, *, margin: float, tie_odds: float) -> Tensor:
        """Return each pair's loss times its weight."""
        return self.weights * preference_losses(
            self.differences, targets_P=self.targets, margins_P=margin * self.strengths, ties_P=self.ties,
            tie_odds=tie_odds,
        )  # fmt: skip


def pairs_score(reward: RewardModel, comparisons: Sequence[Comparison]) -> ScoredPairs:
    """Score every answer once, in one forward pass, under whatever adapter is active."""
    scores_BH = reward.dimension_scores([example for comparison in comparisons for example in comparison.examples])
    heads = {name: place for place, name in enumerate(reward.dimensions)}
    winners, losers, columns = [], [], []
    offset = 0
    for comparison in comparisons:
        for pair in comparison.pairs:
            winners.append(offset + pair.winner)
            losers.append(offset + pair.loser)
            columns.append(heads[pair.judgment.dimension])
        offset += len(comparison.examples)
    pairs = [pair for comparison in comparisons for pair in comparison.pairs]

    def tensor(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=scores_BH.dtype, device=scores_BH.device)

    return ScoredPairs(
        differences=scores_BH[winners, columns] - scores_BH[losers, columns],
        targets=tensor([pair.target for pair in pairs]),
        weights=tensor([pair.weight for pair in pairs]),
        strengths=tensor([pair.judgment.strength or 0 for pair in pairs]),
        ties=tensor([pair.judgment.tie for pair in pairs]) > 0,
    )


def split_by_tokens(batch: Sequence[Comparison], max_tokens: int) -> list[list[Comparison]]:
    """Cut a batch into parts of one forward pass each; the gradients of the parts add up to the batch's."""
    parts: list[list[Comparison]] = []
    n_rows, width = 0, 0
    for comparison in batch:
        wider = max(width, longest(comparison))
        if not parts or (n_rows + len(comparison.examples)) * wider > max_tokens:
            parts.append([])
            n_rows, wider = 0, longest(comparison)
        parts[-1].append(comparison)
        n_rows, width = n_rows + len(comparison.examples), wider
    return parts


def longest(comparison: Comparison) -> int:
    """Return how many tokens the comparison's longest answer has, with its prompt."""
    return max(len(example) for example in comparison.examples)
