"""Sample every side of a comparison with the same decoding: temperature 1, no top-k, no top-p, no reranking.

A side is an adapter by name, or the bare base (the SFT policy). Each side draws from seeds of its own, so that no side
answers with another's dice.
"""

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modeling.evaluation.parts import Part
from modeling.model.adapter_switching import adapter_active
from modeling.model.batching import Example
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.sampler import OnProgress, Sampler


@dataclass(frozen=True)
class Answers:
    """N answers prompt by prompt: the first `per_prompt` belong to the first prompt."""

    positions: list[int]
    """Which prompt each answers."""
    examples: list[Example]
    texts: list[str]
    cut: list[bool]
    per_prompt: int

    def records(self, **columns: Sequence[Any]) -> list[list[dict[str, Any]]]:
        """Return the rows of `eval.jsonl` for each prompt, with further columns of N values."""
        rows = [
            {"text": text, "n_tokens": len(example.answer), "cut": cut}
            for text, example, cut in zip(self.texts, self.examples, self.cut, strict=True)
        ]
        for name, values in columns.items():
            for row, value in zip(rows, values, strict=True):
                row[name] = value
        return [rows[start : start + self.per_prompt] for start in range(0, len(rows), self.per_prompt)]


class Sides:
    """Samples from adapters of one model to one list of prompts."""

    def __init__(
        self, sampler: Sampler, prompt_ids: Sequence[tuple[int, ...]], *, max_new_tokens: int, seed: str
    ) -> None:
        self.sampler, self.prompt_ids, self.seed = sampler, list(prompt_ids), seed
        self.settings = DecodingSettings(max_new_tokens=max_new_tokens)

    def sample(self, part: Part, on_progress: OnProgress | None = None) -> Answers:
        """Draw the part's answers. Every answer's seed follows from its side and its place there, whatever the part."""
        stream = random.Random(f"{self.seed}-{part.side}")  # noqa: S311 - reproducible draws, not secrets
        first, end = part.prompts.start * part.per_prompt, part.prompts.stop * part.per_prompt
        seeds = [stream.getrandbits(48) for _ in range(end)][first:]
        positions = [i for i in part.prompts for _ in range(part.per_prompt)]
        self.sampler.model.eval()
        with adapter_active(self.sampler.model, part.adapter):
            completions = self.sampler.sample(
                [self.prompt_ids[i] for i in positions],
                dataclasses.replace(self.settings, temperature=part.temperature),
                seeds,
                on_progress=on_progress,
            )
        return Answers(
            positions,
            [Example(self.prompt_ids[i], tuple(c.token_ids)) for i, c in zip(positions, completions, strict=True)],
            [completion.text for completion in completions],
            [completion.finish_reason == "length" for completion in completions],
            part.per_prompt,
        )
