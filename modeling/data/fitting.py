"""Prompts as token ids, without those that leave no room for an answer: skipped and counted, never shortened."""

from collections.abc import Sequence

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from modeling.data.chat import encode_prompt
from modeling.data.prompts import Prompt
from modeling.errors import BadInput

UNLIMITED = 1_000_000
"""For bases whose configuration names no longest context."""


def context_length(model: PreTrainedModel) -> int:
    """Return how many tokens the base reads, prompt and answer together."""
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", None) or UNLIMITED)


def prompts_encode(
    prompts: Sequence[Prompt], tokenizer: PreTrainedTokenizerFast, *, context: int, max_new_tokens: int
) -> tuple[list[Prompt], list[tuple[int, ...]], int]:
    """Return the prompts that fit, their ids, and how many were skipped. Raises: BadInput when none fits."""
    encoded = [(prompt, tuple(encode_prompt(tokenizer, prompt.messages))) for prompt in prompts]
    fitting = [(prompt, ids) for prompt, ids in encoded if len(ids) + max_new_tokens <= context]
    if prompts and not fitting:
        raise BadInput(
            f"No prompt leaves room for {max_new_tokens} tokens of answer in a context of {context}: "
            "lower max_new_tokens or use a base with a longer context."
        )
    return [prompt for prompt, _ in fitting], [ids for _, ids in fitting], len(encoded) - len(fitting)
