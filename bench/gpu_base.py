"""A base with random weights, its tokenizer, and rows of random words of one length: what `bench.gpu` measures on."""

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

N_WORDS = 3_000
WORDS_PER_TEXT = 128
"""Of the prompt, and of each answer; with a vocabulary of whole words a word is a token."""


@dataclasses.dataclass(frozen=True)
class Size:
    hidden: int
    n_layers: int
    n_heads: int
    gib: float
    """Memory of the smallest GPU on which it is chosen."""
    rows: int
    """Pairs and prompts of one measurement."""


SIZES = {
    "tiny": Size(64, 2, 2, 0, 64),
    "124m": Size(768, 12, 12, 4, 256),
    "350m": Size(1_024, 24, 16, 20, 256),
    "1b": Size(2_048, 16, 16, 60, 256),
}


def make_base(folder: Path, size: str) -> dict[str, Any]:
    """Write `base/`, `preferences.jsonl`, `prompts.jsonl` and `size.json` into the folder; return what they are."""
    import torch  # noqa: PLC0415 - the caller's help needs no torch
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415

    from modeling.data.chat import encode_prompt  # noqa: PLC0415
    from modeling.model.base import load_tokenizer, save_base  # noqa: PLC0415
    from modeling.rundir import RunDir  # noqa: PLC0415
    from modeling.spec import FileRef, TokenizerSpec  # noqa: PLC0415
    from modeling.training import tokenizer as tokenizer_stage  # noqa: PLC0415

    chosen, generator = SIZES[size], random.Random(0)
    words = ["".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(N_WORDS)]

    def text() -> str:
        return " ".join(generator.choices(words, k=WORDS_PER_TEXT))

    _write(folder / "texts.jsonl", [{"text": text()} for _ in range(400)])
    run = RunDir(folder / "tokenizer")
    tokenizer_stage.run(TokenizerSpec(texts=(FileRef(str(folder / "texts.jsonl")),), vocab_size=16_000), run)
    tokenizer = load_tokenizer(run.path / "artifacts" / "tokenizer")
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=chosen.hidden, intermediate_size=4 * chosen.hidden,
            num_hidden_layers=chosen.n_layers, num_attention_heads=chosen.n_heads, max_position_embeddings=1_024,
            tie_word_embeddings=True, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        )
    )  # fmt: skip
    save_base(model, tokenizer, folder / "base")
    prompts = [[{"role": "user", "content": text()}] for _ in range(chosen.rows)]
    _write(folder / "prompts.jsonl", [{"id": str(i), "messages": prompt} for i, prompt in enumerate(prompts)])
    _write(folder / "preferences.jsonl", [_pair(i, prompt, text(), text()) for i, prompt in enumerate(prompts)])
    return {
        "size": size,
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "n_rows": chosen.rows,
        "n_tokens": len(encode_prompt(tokenizer, prompts[0])),
    }


def _pair(i: int, prompt: list[dict[str, str]], chosen: str, rejected: str) -> dict[str, Any]:
    answers = {
        name: [{"role": "assistant", "content": said}] for name, said in (("chosen", chosen), ("rejected", rejected))
    }
    return {"prompt_id": str(i), "prompt": prompt, **answers}


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
