"""How fast our sampler is beside transformers' `generate` in one run: `python -m bench.sampling --base DIR`.

`generate` gets its best: padded batches of several sizes, sorted by length. Every way draws the same number of answers
from the whole distribution at temperature 1; its best of a few repeats counts. The last line is one JSON object.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from modeling.data.chat import encode_prompt
from modeling.data.prompts import read_prompts
from modeling.device import Device, pick_device
from modeling.model.adapters import load_adapter
from modeling.model.base import load_base, load_tokenizer
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.sampler import Sampler
from modeling.spec import FileRef

Draw = Callable[[Sequence[list[int]]], int]
"""Answers every prompt once and returns the number of tokens written."""

WORDS = "what who where why how does did is can the a small old red river fox tower king bread near under"


def main() -> None:
    options = _options()
    device = pick_device()
    model, tokenizer = load_base(options.base, device).eval(), load_tokenizer(options.base)
    if options.adapter:
        model = load_adapter(model, options.adapter)
    prompts = [encode_prompt(tokenizer, messages) for messages in _conversations(options)]
    rows = [prompt for prompt in prompts for _ in range(options.n)]
    ways: dict[str, tuple[Draw, int]] = {
        "generate, one at a time": (_generate(model, tokenizer, device, 1, options.max_new_tokens), len(rows) // 20),
        **{
            f"generate, padded {size}": (_generate(model, tokenizer, device, size, options.max_new_tokens), len(rows))
            for size in (32, 64, 128)
        },
        "ours": (_ours(model, tokenizer, device, options.max_new_tokens), len(rows)),
    }
    speeds = {name: _speed(draw, rows[:n_rows], options.repeats) for name, (draw, n_rows) in ways.items()}
    best = max(speed for name, speed in speeds.items() if name != "ours")
    print(f"{len(prompts)} prompts x {options.n} answers, at most {options.max_new_tokens} tokens, {device.name}")
    for name, speed in speeds.items():
        print(f"{name:26} {speed:10,.0f} tokens/s")
    print(
        json.dumps({
            "bench": "sampling", "rows": len(rows), "threads": torch.get_num_threads(), "device": device.name,
            "tokens_per_s": round(speeds["ours"]), "generate_tokens_per_s": round(best),
            "speed_ratio": round(speeds["ours"] / best, 2),
        })
    )  # fmt: skip


def _ours(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, device: Device, max_new_tokens: int) -> Draw:
    sampler, settings = Sampler(model, tokenizer, device), DecodingSettings(max_new_tokens=max_new_tokens)

    def draw(rows: Sequence[list[int]]) -> int:
        return sum(len(completion.token_ids) for completion in sampler.sample(rows, settings, range(len(rows))))

    return draw


def _generate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, device: Device, size: int, max_new_tokens: int
) -> Draw:
    pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    settings = GenerationConfig(
        max_new_tokens=max_new_tokens, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, eos_token_id=end,
        pad_token_id=pad,
    )  # fmt: skip

    @torch.inference_mode()
    def draw(rows: Sequence[list[int]]) -> int:
        n_tokens, ordered = 0, sorted(rows, key=len)
        for start in range(0, len(ordered), size):
            batch = ordered[start : start + size]
            longest = max(map(len, batch))
            tokens = torch.tensor([[pad] * (longest - len(row)) + row for row in batch])
            mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in batch])
            inputs = {"input_ids": tokens.to(device.torch_device), "attention_mask": mask.to(device.torch_device)}
            for answer in model.generate(**inputs, generation_config=settings)[:, longest:].tolist():
                n_tokens += answer.index(end) + 1 if end in answer else len(answer)
        return n_tokens

    return draw


def _speed(draw: Draw, rows: Sequence[list[int]], repeats: int) -> float:
    draw(rows[:8])
    speeds = []
    for _ in range(repeats):
        start = time.perf_counter()
        n_tokens = draw(rows)
        speeds.append(n_tokens / (time.perf_counter() - start))
    return max(speeds)


def _conversations(options: argparse.Namespace) -> list[Sequence[dict[str, str]]]:
    if options.prompts:
        return [prompt.messages for prompt in read_prompts(FileRef(str(options.prompts)))][: options.n_prompts]
    chance = random.Random(0)
    texts = [" ".join(chance.choices(WORDS.split(), k=chance.randint(4, 12))) + "?" for _ in range(options.n_prompts)]
    return [[{"role": "user", "content": text}] for text in texts]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True)
    parser.add_argument("--adapter", default="")
    parser.add_argument("--prompts", type=Path, help="JSON lines; made up without")
    parser.add_argument("--n-prompts", type=int, default=300)
    parser.add_argument("-n", type=int, default=4)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
