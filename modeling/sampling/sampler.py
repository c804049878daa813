"""Sample answers from a causal language model: our own loop, because `generate` drags padding and finished rows along.

Prompts of about equal length run together over a key-value cache, a prompt shared by several answers is read once, rows
that have ended leave the batch, and on a GPU others take their places. Each row draws from its own generator, so the
same prompt and seed give the same answer in any batch (up to float rounding, which on a CPU in float32 changes one
answer in many thousands, if any).

Knows tokens and tensors; which adapter is active is the caller's choice, what a prompt means is `data/chat.py`'s.
"""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from modeling.device import Device
from modeling.errors import BadInput
from modeling.model.adapter_switching import adapter_fused
from modeling.model.cores import map_parts
from modeling.sampling.batch import Batch
from modeling.sampling.beam import Beam, BeamSettings, beam_search
from modeling.sampling.cached_model import CachedModel
from modeling.sampling.decoding import Completion, DecodingSettings, Scored
from modeling.sampling.draft import Draft, text_of
from modeling.sampling.grouping import GPU_ROWS, MAX_ROWS, by_length, group_rows
from modeling.sampling.lane import Take, run_lane, take_in_turn, take_once

OnProgress = Callable[[int, int], None]
"""Called with the number of finished rows and of all rows. It may raise to stop."""
OnToken = Callable[[int, int], None]
"""Called with a row's index and its next token, for streaming."""

CACHE_BYTES = 2 * 2**30
"""Bounds the rows of a batch with long contexts: a fraction of a small machine's memory."""
GPU_CACHE_SHARE = 1 / 4
"""The same of a GPU's memory, which also holds the model and, in training, its gradients."""


class Sampler:
    """Samples from one model; not for use by two threads at once."""

    def __init__(self, model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, device: Device) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.device = device
        self._cached = CachedModel(model, device.torch_device)

    @property
    def context_length(self) -> int:
        """Tokens of prompt and answer together."""
        return self._cached.context_length

    @property
    def may_refill(self) -> bool:
        """Whether rows may join others that have begun."""
        return self._cached.may_pad

    def sample(
        self,
        prompts: Sequence[Sequence[int]],
        settings: DecodingSettings,
        seeds: Sequence[int],
        on_progress: OnProgress | None = None,
        on_token: OnToken | None = None,
    ) -> list[Completion]:
        """Return one answer for each prompt and seed, in order. An answer that reaches the context's end is cut there.

        Raises: BadInput for a prompt that leaves no room for an answer; Refused when the model's output is not finite.
        """
        settings.validate()
        self.check_prompts(prompts)
        if len(seeds) != len(prompts):
            raise BadInput(f"{len(prompts)} prompts need as many seeds, not {len(seeds)}.")
        drafts = [
            self.draft(prompt, seed, settings, on_token=functools.partial(on_token, row) if on_token else None)
            for row, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True))
        ]
        self.write(drafts, settings, on_progress)
        return [draft.completion(self.tokenizer, settings) for draft in drafts]

    def draft(
        self,
        prompt: Sequence[int],
        seed: int,
        settings: DecodingSettings,
        on_token: Callable[[int], None] | None = None,
    ) -> Draft:
        """Return an answer that is still to be written."""
        limit = min(settings.max_new_tokens, self.context_length - len(prompt))
        return Draft(tuple(prompt), seed, limit, on_token)

    def write(self, drafts: Sequence[Draft], settings: DecodingSettings, on_progress: OnProgress | None = None) -> None:
        """Write answers to their ends: in groups on a CPU, on a GPU in one batch that is refilled."""
        longest = max((len(draft.prompt) + draft.limit for draft in drafts), default=1)
        prompts, max_rows = [draft.prompt for draft in drafts], self.max_rows(longest)
        if self.device.is_cpu or not self.may_refill:
            groups = [
                [drafts[row] for row in group] for group in group_rows(prompts, max_rows, may_pad=self.may_refill)
            ]
            takes = [take_once(group) for group in groups]
        else:
            groups = [[drafts[row] for row in by_length(prompts)]]
            takes = [take_in_turn(group) for group in groups]
        ended = itertools.accumulate(map(len, groups))
        self.run(takes, settings, max_rows, lambda: on_progress(next(ended), len(drafts)) if on_progress else None)

    def run(
        self,
        takes: Sequence[Take],
        settings: DecodingSettings,
        max_rows: int,
        on_lane_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Run a lane for each `take`, several at a time on a CPU."""

        def start(drafts: Sequence[Draft]) -> Batch:
            return Batch(self._cached, self.tokenizer, settings, stop_ids, drafts)

        def lane(take: Take) -> None:
            try:
                with self._precision():
                    run_lane(start, lambda n_free, width: [] if failures else take(n_free, width), max_rows)
            except Exception as error:  # noqa: BLE001 - raised below, once no lane computes with the folded adapter
                failures.append(error)

        stop_ids, failures = self._stop_ids(settings.stop_token_ids), list[Exception]()
        with self._evaluating():
            for _ in map_parts(self.device, lane, takes):
                if not failures:
                    on_lane_end()
        if failures:
            raise failures[0]

    def beam_search(self, prompts: Sequence[Sequence[int]], settings: BeamSettings) -> list[list[Scored]]:
        """Return each prompt's likeliest answers that the search found, the best first, at most one for each beam.

        Raises: as `sample`.
        """
        settings.validate()
        self.check_prompts(prompts)
        stop_ids = self._stop_ids(())

        def search(prompt: Sequence[int]) -> list[Beam]:
            with self._precision():
                return beam_search(self._cached, prompt, settings, stop_ids)

        with self._evaluating():
            found = list(map_parts(self.device, search, prompts))
        return [[self._scored(beam, settings) for beam in beams] for beams in found]

    def _scored(self, beam: Beam, settings: BeamSettings) -> Scored:
        assert beam.end is not None, "the search returns finished answers"
        tokens, logprobs = list(beam.tokens), list(beam.logprobs) if settings.logprobs else None
        text = text_of(tokens, self.tokenizer)
        return Scored(beam.score(settings.length_penalty), Completion(tokens, text, beam.end, logprobs))

    @contextlib.contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Without dropout and gradients, the active adapter folded in."""
        training = self.model.training
        self.model.eval()
        try:
            with adapter_fused(self.model), torch.inference_mode():
                yield
        finally:
            self.model.train(training)

    def max_rows(self, n_tokens: int) -> int:
        """Return how many rows of at most so many tokens, with their prompts, may run together."""
        device = self.device.torch_device
        memory = CACHE_BYTES if self.device.is_cpu else GPU_CACHE_SHARE * torch.cuda.mem_get_info(device)[1]
        rows = MAX_ROWS if self.device.is_cpu else GPU_ROWS
        return max(1, min(rows, int(memory / (self._cached.cache_bytes_per_token * n_tokens))))

    def check_prompts(self, prompts: Sequence[Sequence[int]]) -> None:
        """Raises: BadInput for the first prompt that cannot be answered."""
        for row, prompt in enumerate(prompts):
            if not prompt:
                raise BadInput(f"Prompt {row} is empty.")
            if len(prompt) >= self.context_length:
                raise BadInput(
                    f"Prompt {row} has {len(prompt)} tokens, "
                    f"and the context of {self.context_length} leaves no room to answer."
                )

    def _stop_ids(self, asked: Sequence[int]) -> list[int]:
        """Return every token that ends an answer: the tokenizer's, the base's and those asked for."""
        ends = {*self._cached.end_token_ids, *asked}
        return sorted(ends if self.tokenizer.eos_token_id is None else ends | {self.tokenizer.eos_token_id})

    def _precision(self) -> contextlib.AbstractContextManager[None]:
        # On a CPU always float32: one token at a time, bfloat16 was 0.7 times as fast with 1M parameters, and its
        # rounding would make an answer depend on its batch.
        return contextlib.nullcontext() if self.device.is_cpu else self.device.autocast()
