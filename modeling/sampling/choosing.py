"""From the logits of one step to one token a row. B rows, V tokens of the vocabulary.

A token is chosen by inverting the cumulative distribution at one uniform number a row. Gumbel noise would choose as
well, but needs a random number for every row and token: ten times the cost of the rest of this module.
"""

import torch

from modeling.sampling.decoding import DecodingSettings


def choose_tokens(logits_BV: torch.Tensor, uniforms_B: torch.Tensor, settings: DecodingSettings) -> torch.Tensor:
    """Return the chosen token of each row, shape (B,). In order: temperature, top-k, top-p, min-p."""
    if settings.greedy:
        return logits_BV.argmax(-1)
    if settings.temperature != 1:
        logits_BV = logits_BV / settings.temperature
    if settings.top_k == 0 and settings.top_p == 1:
        probs_BV = torch.softmax(logits_BV, -1)
        return _invert(_likely(probs_BV, probs_BV.amax(-1, keepdim=True), settings.min_p), uniforms_B)
    n_kept = min(settings.top_k or logits_BV.shape[-1], logits_BV.shape[-1])
    # Stable, so that equal logits are kept in the order of the vocabulary whatever the batch.
    sorted_BK, tokens_BK = (part[:, :n_kept] for part in torch.sort(logits_BV, dim=-1, descending=True, stable=True))
    probs_BK = torch.softmax(sorted_BK, -1)
    if settings.top_p < 1:
        # A token stays while those before it have not yet reached top_p: the one that crosses is kept.
        probs_BK = probs_BK * (probs_BK.cumsum(-1) - probs_BK < settings.top_p)
    chosen_B1 = _invert(_likely(probs_BK, probs_BK[:, :1], settings.min_p), uniforms_B)[:, None]
    return tokens_BK.gather(-1, chosen_B1).squeeze(-1)


def chosen_logprobs(logits_BV: torch.Tensor, tokens_B: torch.Tensor) -> torch.Tensor:
    """Return the log-probability of each row's token in nats, shape (B,), without temperature and filters."""
    return logits_BV.gather(-1, tokens_B[:, None]).squeeze(-1) - logits_BV.logsumexp(-1)


def _likely(probs_BV: torch.Tensor, largest_B1: torch.Tensor, min_p: float) -> torch.Tensor:
    """Keep what has at least `min_p` times the largest probability. Source: https://arxiv.org/abs/2407.01082."""
    return probs_BV * (probs_BV >= min_p * largest_B1) if min_p else probs_BV


def _invert(probs_BV: torch.Tensor, uniforms_B: torch.Tensor) -> torch.Tensor:
    # In float64: a float32 sum over a large vocabulary rounds away what is rarer than 1e-7.
    totals_BV = probs_BV.cumsum(-1, dtype=torch.float64)
    targets_B = uniforms_B * totals_BV[:, -1]
    chosen_B = torch.searchsorted(totals_BV, targets_B[:, None], right=True).squeeze(-1)
    return chosen_B.clamp(max=probs_BV.shape[-1] - 1)  # a diverged model's are no numbers; it is refused soon after
