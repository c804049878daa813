"""Beam search: the likeliest answers that a search of limited width finds. Deterministic; one prompt at a time.

As in transformers' `generate(num_beams=...)` with its default of `early_stopping`: an answer's score is its
log-probability over its length to the power of `length_penalty`, and the search ends when the best beam that still runs
could not enter the list by its present score.

N beams, V tokens of the vocabulary.
"""

import dataclasses
import math
from collections.abc import Sequence

import torch

from modeling.errors import BadInput, Refused
from modeling.sampling.cache import select_rows
from modeling.sampling.cached_model import CachedModel
from modeling.sampling.decoding import FinishReason

MAX_BEAMS = 64
_NEVER = -1e9
"""The score of a beam that does not exist yet: at first all would hold the same."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BeamSettings:
    """How wide to search. A `length_penalty` above 0 favours long answers, one below 0 short ones."""

    max_new_tokens: int
    num_beams: int
    length_penalty: float = 1.0
    logprobs: bool = False

    def validate(self) -> None:
        """Raises: BadInput."""
        for right, message in (
            (self.max_new_tokens >= 1, f"max_new_tokens must be at least 1, not {self.max_new_tokens}."),
            (1 <= self.num_beams <= MAX_BEAMS, f"num_beams must be from 1 to {MAX_BEAMS}, not {self.num_beams}."),
            (abs(self.length_penalty) <= 10, f"length_penalty must be from -10 to 10, not {self.length_penalty}."),
        ):
            if not right:
                raise BadInput(message)


@dataclasses.dataclass(frozen=True)
class Beam:
    """An answer or the beginning of one; `total` is its log-probability in nats."""

    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    total: float = 0.0
    end: FinishReason | None = None

    def score(self, length_penalty: float) -> float:
        divisor: float = len(self.tokens) ** length_penalty
        return self.total / divisor


def beam_search(
    model: CachedModel, prompt: Sequence[int], settings: BeamSettings, stop_ids: Sequence[int]
) -> list[Beam]:
    """Return at most `num_beams` finished answers, the best first. Raises: Refused when the model has diverged."""
    n_steps = min(settings.max_new_tokens, model.context_length - len(prompt))
    cache = model.make_cache()
    logits_NV = model.forward(torch.tensor([list(prompt)], device=model.torch_device), cache, {})
    select_rows(cache, torch.zeros(settings.num_beams, dtype=torch.long, device=model.torch_device), len(prompt))
    running = [Beam(), *[Beam(total=_NEVER)] * (settings.num_beams - 1)]
    logits_NV = logits_NV.expand(settings.num_beams, -1)
    finished: list[Beam] = []
    for step in range(1, n_steps + 1):
        parents, candidates = _extend(running, logits_NV, n_kept=(1 + max(1, len(stop_ids))) * settings.num_beams)
        ends = [_end(beam, stop_ids, is_last=step == n_steps) for beam in candidates]
        # Only an end among the best counts; those behind are there so that enough beams go on.
        finished += [
            dataclasses.replace(beam, end=end)
            for beam, end in zip(candidates[: settings.num_beams], ends, strict=False)
            if end
        ]
        finished.sort(key=lambda beam: -beam.score(settings.length_penalty))
        del finished[settings.num_beams :]
        going = [i for i, end in enumerate(ends) if end is None][: settings.num_beams]
        if not going or _is_over(candidates[going[0]], finished, settings):
            break
        running = [candidates[i] for i in going]
        rows_N = torch.tensor([parents[i] for i in going], device=model.torch_device)
        select_rows(cache, rows_N, len(prompt) + step - 1)
        newest_N1 = torch.tensor([[beam.tokens[-1]] for beam in running], device=model.torch_device)
        logits_NV = model.forward(newest_N1, cache, {})
    return finished


def _extend(running: Sequence[Beam], logits_NV: torch.Tensor, n_kept: int) -> tuple[list[int], list[Beam]]:
    """Return the likeliest continuations, best first, with the beam that each comes from."""
    if not logits_NV.sum().isfinite():
        raise Refused("The model's output is not finite: it has diverged.")
    logprobs_NV = torch.log_softmax(logits_NV, -1)
    totals_N1 = torch.tensor([[beam.total] for beam in running], device=logits_NV.device)
    totals_NV = logprobs_NV + totals_N1
    best_K, places_K = totals_NV.flatten().topk(min(n_kept, totals_NV.numel()))
    chosen = zip(best_K.tolist(), places_K.tolist(), logprobs_NV.flatten()[places_K].tolist(), strict=True)
    parents, beams = [], []
    for total, place, logprob in chosen:
        parent, token = divmod(place, logits_NV.shape[1])
        before = running[parent]
        parents.append(parent)
        beams.append(Beam((*before.tokens, token), (*before.logprobs, logprob), total))
    return parents, beams


def _end(beam: Beam, stop_ids: Sequence[int], *, is_last: bool) -> FinishReason | None:
    return "stop" if beam.tokens[-1] in stop_ids else "length" if is_last else None


def _is_over(best: Beam, finished: Sequence[Beam], settings: BeamSettings) -> bool:
    worst = finished[-1].score(settings.length_penalty) if len(finished) == settings.num_beams else -math.inf
    return best.score(settings.length_penalty) <= worst
