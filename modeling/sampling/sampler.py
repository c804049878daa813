"""Sample answers from a causal language model: our own loop, because `generate` pads and drags finished rows along.

Prompts of equal length run together over a key-value cache, a prompt shared by several answers is read once, and rows
that have ended leave the batch. Each row draws from its own generator, so the same prompt and seed give the same answer
in any batch (up to float rounding, which on a CPU in float32 changes one answer in many thousands, if any).

Knows tokens and tensors; which adapter is active is the caller's choice, what a prompt means is `data/chat.py`'s.
B rows of a group, V tokens of the vocabulary, T tokens of the prompt.
"""

import contextlib
import inspect
from collections.abc import Callable, Sequence

import torch
from peft import PeftModel
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from modeling.device import Device
from modeling.errors import BadInput, Refused
from modeling.model.adapter_switching import adapter_fused
from modeling.sampling.cache import make_cache, select_rows
from modeling.sampling.choosing import choose_tokens, chosen_logprobs
from modeling.sampling.decoding import Completion, DecodingSettings
from modeling.sampling.grouping import MAX_ROWS, Group, group_rows
from modeling.sampling.randomness import row_uniforms

OnProgress = Callable[[int, int], None]
"""Called with the number of finished rows and of all rows. It may raise to stop."""
OnToken = Callable[[int, int], None]
"""Called with a row's index and its next token, for streaming."""

CACHE_BYTES = 2 * 2**30
"""Bounds the rows of a group with long contexts: a fraction of a small machine's memory."""
DROP_AT = 7 / 8
"""Finished rows leave when they are an eighth of the batch: dropping copies the cache, keeping computes in vain."""


class Sampler:
    """Samples from one model; not for use by two threads at once."""

    def __init__(self, model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, device: Device) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.device = device
        # peft's wrapper only forwards: the adapters sit in the layers of the model inside.
        self._inner: PreTrainedModel = model.get_base_model() if isinstance(model, PeftModel) else model
        accepted = inspect.signature(self._inner.forward).parameters
        self._forward_options = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    @property
    def context_length(self) -> int:
        """Tokens of prompt and answer together."""
        return int(self._inner.config.get_text_config().max_position_embeddings)

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
        completions: dict[int, Completion] = {}
        training = self.model.training
        self.model.eval()
        try:
            with adapter_fused(self.model), torch.inference_mode(), self._precision():
                for group in group_rows(prompts, self._max_rows(prompts, settings)):
                    completions.update(_GroupRun(self, group, settings, seeds, on_token).run())
                    if on_progress:
                        on_progress(len(completions), len(prompts))
        finally:
            self.model.train(training)
        return [completions[row] for row in range(len(prompts))]

    def forward(self, tokens_BT: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
        """Read tokens and return the logits after the last, shape (B, V), in float32."""
        output = self._inner(input_ids=tokens_BT, past_key_values=cache, use_cache=True, **self._forward_options)
        logits_BV: torch.Tensor = output.logits[:, -1].float()
        return logits_BV

    def stop_token_ids(self, settings: DecodingSettings) -> list[int]:
        """Return every token that ends an answer: the tokenizer's, the base's and the caller's."""
        generation = getattr(self._inner, "generation_config", None)
        named = [self.tokenizer.eos_token_id, getattr(generation, "eos_token_id", None), list(settings.stop_token_ids)]
        flat = [token for part in named for token in (part if isinstance(part, list) else [part])]
        return sorted({token for token in flat if token is not None})

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
        config = self._inner.config.get_text_config()
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        n_heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        longest = max((len(prompt) for prompt in prompts), default=1) + settings.max_new_tokens
        row_bytes = 2 * 4 * config.num_hidden_layers * n_heads * width * min(longest, self.context_length)
        return max(1, min(MAX_ROWS, int(CACHE_BYTES // row_bytes)))


class _GroupRun:
    """One group from its first prompt token to its last finished row."""

    def __init__(
        self,
        sampler: Sampler,
        group: Group,
        settings: DecodingSettings,
        seeds: Sequence[int],
        on_token: OnToken | None,
    ) -> None:
        self.sampler, self.group, self.settings, self.on_token = sampler, group, settings, on_token
        self.n_steps = min(settings.max_new_tokens, sampler.context_length - group.prompt_length)
        self.torch_device = sampler.device.torch_device
        uniforms_BS = row_uniforms([seeds[row] for row in group.rows], self.n_steps)
        self.uniforms_SB = uniforms_BS.T.contiguous().to(self.torch_device)
        self.stop_ids = torch.tensor(sampler.stop_token_ids(settings), device=self.torch_device)
        self.tokens: list[list[int]] = [[] for _ in group.rows]
        self.logprobs: list[list[float]] = [[] for _ in group.rows]
        self.ended = [False] * len(group.rows)

    def run(self) -> list[tuple[int, Completion]]:
        """Sample all rows; returns (row, completion) pairs."""
        cache = make_cache(self.sampler._inner.config)  # noqa: SLF001 - two halves of one module
        prompts_UT = torch.tensor(self.group.prompts, device=self.torch_device)
        prompt_of_row = torch.tensor(self.group.prompt_of_row, device=self.torch_device)
        logits_BV = self.sampler.forward(prompts_UT, cache)[prompt_of_row]
        select_rows(cache, prompt_of_row)
        places = list(range(len(self.group.rows)))  # which row of the group each row of the batch is
        for step in range(self.n_steps):
            tokens_B = self._step(step, logits_BV, places)
            going = [i for i, place in enumerate(places) if not self.ended[place]]
            if not going or step == self.n_steps - 1:
                break
            if len(going) <= DROP_AT * len(places):
                kept = torch.tensor(going, device=self.torch_device)
                select_rows(cache, kept)
                tokens_B, places = tokens_B[kept], [places[i] for i in going]
            logits_BV = self.sampler.forward(tokens_B[:, None], cache)
        return [(row, self._completion(place)) for place, row in enumerate(self.group.rows)]

    def _step(self, step: int, logits_BV: torch.Tensor, places: list[int]) -> torch.Tensor:
        if not logits_BV.sum().isfinite():
            raise Refused("The model's output is not finite: it has diverged.")
        tokens_B = choose_tokens(logits_BV, self.uniforms_SB[step, places], self.settings)
        stops = torch.isin(tokens_B, self.stop_ids).tolist()
        logprobs = chosen_logprobs(logits_BV, tokens_B).tolist() if self.settings.logprobs else None
        for i, (place, token) in enumerate(zip(places, tokens_B.tolist(), strict=True)):
            if self.ended[place]:
                continue
            self.tokens[place].append(token)
            if logprobs:
                self.logprobs[place].append(logprobs[i])
            self.ended[place] = stops[i] or (bool(self.settings.stop) and self._stop_at(place) is not None)
            if self.on_token:
                self.on_token(self.group.rows[place], token)
        return tokens_B

    def _text(self, place: int) -> str:
        text: str = self.sampler.tokenizer.decode(
            self.tokens[place], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def _stop_at(self, place: int) -> int | None:
        text = self._text(place)
        found = [at for at in (text.find(stop) for stop in self.settings.stop) if at >= 0]
        return min(found, default=None)

    def _completion(self, place: int) -> Completion:
        text = self._text(place)
        return Completion(
            token_ids=self.tokens[place],
            text=text[: self._stop_at(place)] if self.settings.stop else text,
            finish_reason="stop" if self.ended[place] else "length",
            logprobs=self.logprobs[place] if self.settings.logprobs else None,
        )
