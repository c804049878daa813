"""One group of rows from its first prompt token to its last finished row.

B rows of a batch, U distinct prompts, T positions, S steps, V tokens of the vocabulary.
"""

from collections.abc import Callable, Sequence

import torch
from transformers import PreTrainedTokenizerBase

from modeling.errors import Refused
from modeling.sampling.cache import select_rows
from modeling.sampling.cached_model import CachedModel
from modeling.sampling.choosing import choose_tokens, chosen_logprobs
from modeling.sampling.decoding import Completion, DecodingSettings, FinishReason
from modeling.sampling.grouping import Group
from modeling.sampling.padding import Padding
from modeling.sampling.randomness import row_uniforms

OnToken = Callable[[int, int], None]
"""Called with a row's index and its next token, for streaming."""

DROP_AT = 7 / 8
"""Finished rows leave when they are an eighth of the batch: dropping copies the cache, keeping computes in vain."""


class GroupRun:
    """The state of all rows of a group."""

    def __init__(
        self,
        model: CachedModel,
        tokenizer: PreTrainedTokenizerBase,
        group: Group,
        settings: DecodingSettings,
        seeds: Sequence[int],
        stop_ids: Sequence[int],
        on_token: OnToken | None,
    ) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.group, self.settings, self.on_token = group, settings, on_token
        self.torch_device = model.torch_device
        room = [model.context_length - len(group.prompts[i]) for i in group.prompt_of_row]
        self.limits = [min(settings.max_new_tokens, tokens) for tokens in room]
        self.n_steps = max(self.limits)
        uniforms_BS = row_uniforms([seeds[row] for row in group.rows], self.n_steps)
        self.uniforms_SB = uniforms_BS.T.contiguous().to(self.torch_device)
        self.stop_ids = torch.tensor(stop_ids, device=self.torch_device)
        self.tokens: list[list[int]] = [[] for _ in group.rows]
        self.logprobs: list[list[float]] = [[] for _ in group.rows]
        self.ends: list[FinishReason | None] = [None for _ in group.rows]

    def run(self) -> list[tuple[int, Completion]]:
        """Sample all rows; returns (row, completion) pairs."""
        cache, padding = self.model.make_cache(), Padding(self.group, self.n_steps, self.torch_device)
        prompt_of_row = torch.tensor(self.group.prompt_of_row, device=self.torch_device)
        logits_BV = self.model.forward(padding.prompts_UT, cache, padding.of_prompts())[prompt_of_row]
        select_rows(cache, prompt_of_row)
        padding.select(prompt_of_row)
        places = list(range(len(self.group.rows)))  # which row of the group each row of the batch is
        for step in range(self.n_steps):
            tokens_B = self._step(step, logits_BV, places)
            going = [i for i, place in enumerate(places) if self.ends[place] is None]
            if not going:
                break
            if len(going) <= DROP_AT * len(places):
                kept = torch.tensor(going, device=self.torch_device)
                select_rows(cache, kept)
                padding.select(kept)
                tokens_B, places = tokens_B[kept], [places[i] for i in going]
            logits_BV = self.model.forward(tokens_B[:, None], cache, padding.of_answer(step))
        return [(row, self._completion(place)) for place, row in enumerate(self.group.rows)]

    def _step(self, step: int, logits_BV: torch.Tensor, places: list[int]) -> torch.Tensor:
        if not logits_BV.sum().isfinite():
            raise Refused("The model's output is not finite: it has diverged.")
        tokens_B = choose_tokens(logits_BV, self.uniforms_SB[step, places], self.settings)
        stops = torch.isin(tokens_B, self.stop_ids).tolist()
        logprobs = chosen_logprobs(logits_BV, tokens_B).tolist() if self.settings.logprobs else None
        for i, (place, token) in enumerate(zip(places, tokens_B.tolist(), strict=True)):
            if self.ends[place] is not None:
                continue
            self.tokens[place].append(token)
            if logprobs:
                self.logprobs[place].append(logprobs[i])
            if stops[i] or (self.settings.stop and self._stop_at(place) is not None):
                self.ends[place] = "stop"
            elif step + 1 == self.limits[place]:
                self.ends[place] = "length"
            if self.on_token:
                self.on_token(self.group.rows[place], token)
        return tokens_B

    def _text(self, place: int) -> str:
        text: str = self.tokenizer.decode(
            self.tokens[place], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def _stop_at(self, place: int) -> int | None:
        text = self._text(place)
        found = [at for at in (text.find(stop) for stop in self.settings.stop) if at >= 0]
        return min(found, default=None)

    def _completion(self, place: int) -> Completion:
        text, end = self._text(place), self.ends[place]
        assert end is not None, "the loop runs until every row has ended"
        return Completion(
            token_ids=self.tokens[place],
            text=text[: self._stop_at(place)] if self.settings.stop else text,
            finish_reason=end,
            logprobs=self.logprobs[place] if self.settings.logprobs else None,
        )
