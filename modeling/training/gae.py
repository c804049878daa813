"""Generalised advantage estimation: how much better than expected an answer went from each of its tokens on.

Shapes: N answers, A answer tokens (padded on the right). A state is a prompt with the tokens so far; after the last
token, an end token or a cut, nothing more is to come: its value is 0.

Source: Schulman et al., 2016, https://arxiv.org/abs/1506.02438, eq. 16.
"""

import torch
from torch import Tensor


def advantages_estimate(
    rewards_NA: Tensor, values_NA: Tensor, mask_NA: Tensor, *, gamma: float, gae_lambda: float
) -> tuple[Tensor, Tensor]:
    """Return (advantages_NA, returns_NA), zero after each answer's end; returns are what values are to become."""
    advantages_NA = torch.zeros_like(rewards_NA)
    advantage_N = next_value_N = torch.zeros_like(rewards_NA[:, 0])
    for i in reversed(range(rewards_NA.shape[1])):
        inside_N = mask_NA[:, i]
        error_N = rewards_NA[:, i] + gamma * next_value_N - values_NA[:, i]
        advantage_N = (error_N + gamma * gae_lambda * advantage_N) * inside_N
        next_value_N = values_NA[:, i] * inside_N
        advantages_NA[:, i] = advantage_N
    return advantages_NA, (advantages_NA + values_NA) * mask_NA
