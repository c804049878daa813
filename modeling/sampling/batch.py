"""Answers that go through the model together, from their prompts to their ends.

The newest token of each is chosen, and not yet read by the model. Rows that have ended leave, and rows of another batch
may join. A shorter row is padded on the left; of rows of one length the model is told nothing, for without a mask its
attention is faster.

U distinct prompts, B rows, T positions, S steps, V tokens of the vocabulary.
"""

from collections.abc import Sequence

import torch
from transformers import DynamicCache, PreTrainedTokenizerBase

from modeling.errors import Refused
from modeling.sampling.cache import join_rows, select_rows
from modeling.sampling.cached_model import CachedModel
from modeling.sampling.choosing import choose_tokens, chosen_logprobs
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.draft import Draft
from modeling.sampling.processors import processors_for
from modeling.sampling.randomness import row_uniforms

DROP_AT = 7 / 8
"""Finished rows leave when they are an eighth of the batch: dropping copies the cache, keeping computes in vain."""


class Batch:
    """The state of all rows; the answers themselves stand in the drafts."""

    cache: DynamicCache
    width: int
    """Positions of the longest row."""
    is_even: bool
    """Whether all rows are of one length."""
    n_going: int
    """Rows that have not ended."""
    room: int
    """Tokens that each of them may write at least."""

    def __init__(
        self,
        model: CachedModel,
        tokenizer: PreTrainedTokenizerBase,
        settings: DecodingSettings,
        stop_ids: Sequence[int],
        drafts: Sequence[Draft],
    ) -> None:
        self.model, self.tokenizer, self.settings = model, tokenizer, settings
        self.drafts = list(drafts)
        self.n_read_B: torch.Tensor
        self.tokens_B: torch.Tensor
        self.stop_ids = torch.tensor(stop_ids, device=model.torch_device)
        self._unrecorded: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]] = []
        logits_BV = self._read_prompts()
        prompts = [draft.prompt for draft in drafts]
        self.processors = processors_for(settings, prompts, logits_BV.shape[1], model.torch_device)
        self._choose(logits_BV, self._uniforms(1)[0])
        self._record()

    def advance(self) -> int:
        """Write every row's next token, or its next few where looking at each would hold up the device: how many."""
        n_steps = min(self.model.steps_per_look, self.room)
        for uniforms_B in self._uniforms(n_steps):
            self._choose(self._read_tokens(), uniforms_B)
        self._record()
        return n_steps

    def drop_ended(self) -> None:
        """Let rows that have ended go, once they are enough."""
        if self.n_going <= DROP_AT * len(self.drafts):
            self._keep_going()

    def join(self, other: "Batch") -> None:
        """Take in the rows of another batch of the same model and settings."""
        self._keep_going()
        other._keep_going()  # noqa: SLF001 - of its own class
        if not other.drafts:
            return
        join_rows(self.cache, other.cache)
        self.drafts += other.drafts
        self.tokens_B = torch.cat([self.tokens_B, other.tokens_B])
        self.n_read_B = torch.cat([self.n_read_B, other.n_read_B])
        for mine, more in zip(self.processors, other.processors, strict=True):
            mine.join(more)
        self._measure()
        self.n_going, self.room = self.n_going + other.n_going, min(self.room, other.room)

    def _keep_going(self) -> None:
        kept = [row for row, draft in enumerate(self.drafts) if draft.end is None]
        if len(kept) == len(self.drafts):
            return
        self.drafts = [self.drafts[row] for row in kept]
        if not kept:
            return
        self._measure()
        kept_B = torch.tensor(kept, device=self.model.torch_device)
        select_rows(self.cache, kept_B, self.width)
        self.tokens_B, self.n_read_B = self.tokens_B[kept_B], self.n_read_B[kept_B]
        for processor in self.processors:
            processor.select(kept_B)

    def _measure(self) -> None:
        """Note how long the longest row is, and whether all are."""
        lengths = {draft.n_read for draft in self.drafts}
        self.width, self.is_even = max(lengths), len(lengths) == 1

    def _read_prompts(self) -> torch.Tensor:
        """Read each distinct prompt once."""
        row_of = {prompt: i for i, prompt in enumerate(dict.fromkeys(draft.prompt for draft in self.drafts))}
        lengths = [len(prompt) for prompt in row_of]
        self.width, self.is_even = max(lengths), len(set(lengths)) == 1
        padded = [(0,) * (self.width - len(prompt)) + prompt for prompt in row_of]
        tokens_UT = torch.tensor(padded, device=self.model.torch_device)
        self.n_read_B = torch.tensor(lengths, device=self.model.torch_device)
        self.cache = self.model.make_cache()
        mask_UT = self._mask()
        positions_UT = (mask_UT.cumsum(-1) - 1).clamp(min=0)
        padding = {} if self.is_even else {"attention_mask": mask_UT, "position_ids": positions_UT}
        logits_UV = self.model.forward(tokens_UT, self.cache, padding)
        rows_B = torch.tensor([row_of[draft.prompt] for draft in self.drafts], device=self.model.torch_device)
        select_rows(self.cache, rows_B, self.width)
        self.n_read_B = self.n_read_B[rows_B]
        return logits_UV[rows_B]

    def _read_tokens(self) -> torch.Tensor:
        self.width += 1
        self.n_read_B = self.n_read_B + 1
        # A row that has ended may stand at the end of its context until it leaves.
        positions_B1 = (self.n_read_B - 1).clamp(max=self.model.context_length - 1)[:, None]
        padding = {} if self.is_even else {"attention_mask": self._mask(), "position_ids": positions_B1}
        return self.model.forward(self.tokens_B[:, None], self.cache, padding)

    def _mask(self) -> torch.Tensor:
        positions_T = torch.arange(self.width, device=self.model.torch_device)
        return (positions_T >= self.width - self.n_read_B[:, None]).long()

    def _uniforms(self, n_steps: int) -> torch.Tensor:
        seeds, after = zip(*((draft.seed, len(draft.tokens)) for draft in self.drafts), strict=True)
        return row_uniforms(seeds, n_steps, after).T.to(self.model.torch_device)

    def _choose(self, logits_BV: torch.Tensor, uniforms_B: torch.Tensor) -> None:
        shaped_BV = logits_BV
        for processor in self.processors:
            shaped_BV = processor.process(shaped_BV)
        self.tokens_B = choose_tokens(shaped_BV, uniforms_B, self.settings)
        for processor in self.processors:
            processor.append(self.tokens_B)
        logprobs_B = chosen_logprobs(logits_BV, self.tokens_B) if self.settings.logprobs else None
        self._unrecorded.append((self.tokens_B, logits_BV.sum(), logprobs_B))

    def _record(self) -> None:
        """Look at what was chosen since the last look, write it into the drafts, and count those that go on."""
        steps, self._unrecorded = self._unrecorded, []
        if not torch.stack([total for _, total, _ in steps]).isfinite().all():
            raise Refused("The model's output is not finite: it has diverged.")
        tokens_SB = torch.stack([tokens_B for tokens_B, _, _ in steps])
        ends = torch.isin(tokens_SB, self.stop_ids).tolist()
        logprobs = [[] if logprobs_B is None else logprobs_B.tolist() for _, _, logprobs_B in steps]
        for step, tokens in enumerate(tokens_SB.tolist()):
            for row, draft in enumerate(self.drafts):
                if draft.end is None:
                    draft.logprobs += logprobs[step][row : row + 1]
                    draft.write(tokens[row], is_end=ends[step][row], tokenizer=self.tokenizer, stop=self.settings.stop)
        room = [draft.limit - len(draft.tokens) for draft in self.drafts if draft.end is None]
        self.n_going, self.room = len(room), min(room, default=0)
