"""Sample answers from a causal language model: our own loop, because `generate` drags padding and finished rows along.

Prompts of about equal length run together over a key-value cache, a prompt shared by several answers is read once, and
rows that have ended leave the batch. Each row draws from its own generator, so the same prompt and seed give the same
answer in any batch (up to float rounding, which on a CPU in float32 changes one answer in many thousands, if any).

Knows tokens and tensors; which adapter is active is the caller's choice, what a prompt means is `data/chat.py`'s.
"""

import contextlib
from collections.abc import Callable, Sequence

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from modeling.device import Device
from modeling.errors import BadInput
from modeling.model.adapter_switching import adapter_fused
from modeling.model.cores import map_parts
from modeling.sampling.cached_model import CachedModel
from modeling.sampling.decoding import Completion, DecodingSettings
from modeling.sampling.group_run import GroupRun, OnToken
from modeling.sampling.grouping import MAX_ROWS, Group, group_rows

OnProgress = Callable[[int, int], None]
"""Called with the number of finished rows and of all rows. It may raise to stop."""

CACHE_BYTES = 2 * 2**30
"""Bounds the rows of a group with long contexts: a fraction of a small machine's memory."""


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
        self._check(prompts, seeds)
        stop_ids = self._stop_ids(settings)

        def run_group(group: Group) -> list[tuple[int, Completion]]:
            with self._precision():
                return GroupRun(self._cached, self.tokenizer, group, settings, seeds, stop_ids, on_token).run()

        completions: dict[int, Completion] = {}
        training = self.model.training
        self.model.eval()
        try:
            with adapter_fused(self.model), torch.inference_mode():
                groups = list(group_rows(prompts, self._max_rows(prompts, settings), may_pad=self._cached.may_pad))
                for finished in map_parts(self.device, run_group, groups):
                    completions.update(finished)
                    if on_progress:
                        on_progress(len(completions), len(prompts))
        finally:
            self.model.train(training)
        return [completions[row] for row in range(len(prompts))]

    def _stop_ids(self, settings: DecodingSettings) -> list[int]:
        """Return every token that ends an answer: the tokenizer's, the base's and the caller's."""
        ends = {*self._cached.end_token_ids, *settings.stop_token_ids}
        return sorted(ends if self.tokenizer.eos_token_id is None else ends | {self.tokenizer.eos_token_id})

    def _precision(self) -> contextlib.AbstractContextManager[None]:
        # On a CPU always float32: one token at a time, bfloat16 was 0.7 times as fast with 1M parameters, and its
        # rounding would make an answer depend on its batch.
        return contextlib.nullcontext() if self.device.is_cpu else self.device.autocast()

    def _check(self, prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> None:
        if len(seeds) != len(prompts):
            raise BadInput(f"{len(prompts)} prompts need as many seeds, not {len(seeds)}.")
        for row, prompt in enumerate(prompts):
            if not prompt:
                raise BadInput(f"Prompt {row} is empty.")
            if len(prompt) >= self.context_length:
                raise BadInput(
                    f"Prompt {row} has {len(prompt)} tokens, "
                    f"and the context of {self.context_length} leaves no room to answer."
                )

    def _max_rows(self, prompts: Sequence[Sequence[int]], settings: DecodingSettings) -> int:
        longest = max((len(prompt) for prompt in prompts), default=1) + settings.max_new_tokens
        row_bytes = self._cached.cache_bytes_per_token * min(longest, self.context_length)
        return max(1, min(MAX_ROWS, CACHE_BYTES // row_bytes))
