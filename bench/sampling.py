"""How fast our sampler is beside transformers' `generate`, in one run on one model: `make bench-sampling`.

Two loads: 300 prompts of the demo with four answers each, and 999 instructions with their many lengths. Every answer
has its length before it begins, the same for both: how much is written is equal, and chance is out of the comparison.
Ours lets a row go at its length; `generate` is told by a stopping criterion, row by row, and ends a batch with its
longest row, as it always does. Both draw at temperature 1 from the whole distribution and never stop by an end token.

`generate` gets its best: batches sorted by prompt length, of several sizes, with one thread and with all, and
continuous batching (`generate_batch`) where it runs; a trial on part of the rows tells which. Then both take turns.

    python -m bench.sampling [--base DIR --prompts FILE] [--instructions FILE]

Without files it makes up a model and token sequences of the same shapes: speed depends on nothing else. The last line
is one JSON object; `speed_ratio` is the lower of the two.
"""

import argparse
import contextlib
import dataclasses
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    ContinuousBatchingConfig,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    StoppingCriteria,
)

from modeling.data.chat import encode_prompt, encode_text
from modeling.data.prompts import read_prompts
from modeling.device import Device, pick_device
from modeling.model.base import load_base, load_tokenizer
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.sampler import Sampler
from modeling.spec import FileRef
from modeling.training.tokenizer import train_tokenizer

Rows = Sequence[tuple[list[int], int]]
"""Prompts with the lengths of their answers."""
Way = Callable[[Rows], None]

INSTRUCTIONS = Path("../shared/data/alpaca_en_demo.json")
DEMO_PROMPTS = (9, 11, 12, 14, 15, 17, 19, 21, 26, 40, 60)
DEMO_ANSWERS = (3, 12, 15, 17, 19, 21, 23, 25, 28, 32, 64)
REAL_PROMPTS = (8, 13, 15, 17, 19, 22, 25, 29, 35, 44, 193)
REAL_ANSWERS = (2, 14, 25, 43, 79, 134, 197, 277, 363, 454, 812)
"""Tokens, from the shortest to the longest in tenths, of the demo base's answers and of `INSTRUCTIONS`."""
CACHE_BLOCKS = 512
"""Of 256 tokens; left alone, `generate_batch` takes most of the machine's memory."""
SIZES = (32, 64, 128)
TRIAL_SHARE = 6


@dataclasses.dataclass(frozen=True)
class Load:
    """What is to be written, by which model."""

    name: str
    source: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    rows: Rows

    @property
    def n_tokens(self) -> int:
        return sum(length for _, length in self.rows)


def main() -> None:
    options = _options()
    device = pick_device()
    results = {}
    for load in (_demo(options, device), _real(options, device)):
        results[load.name] = _compare(load, device, options.repeats)
    ratio = min(result["speed_ratio"] for result in results.values())
    print(
        json.dumps({
            "bench": "sampling", "device": device.name, "threads": torch.get_num_threads(), **results,
            "speed_ratio": ratio,
        })
    )  # fmt: skip


def _compare(load: Load, device: Device, repeats: int) -> dict[str, Any]:
    print(f"{load.name}: {len(load.rows)} answers, {load.n_tokens} tokens, {load.source}", flush=True)
    ways = _peers(load, device)
    trial = load.rows[::TRIAL_SHARE]
    speeds = {name: _try(way, trial) for name, way in ways.items()}
    for name, speed in speeds.items():
        print(f"  trial of {name:28} {f'{speed:8,.0f} tokens/s' if speed else 'does not run here'}", flush=True)
    best = max(speeds, key=lambda name: speeds[name])
    ours, theirs = [], [speeds[best]]  # its best counts, in the trial too
    _ours(load, device)(trial)
    for _ in range(repeats):
        ours.append(_speed(_ours(load, device), load.rows))
        theirs.append(_speed(ways[best], load.rows))
        print(f"  ours {ours[-1]:8,.0f} tokens/s, {best} {theirs[-1]:8,.0f} tokens/s", flush=True)
    return {
        "source": load.source, "rows": len(load.rows), "tokens": load.n_tokens, "tokens_per_s": round(max(ours)),
        "peer": best, "peer_tokens_per_s": round(max(theirs)), "speed_ratio": round(max(ours) / max(theirs), 2),
    }  # fmt: skip


def _speed(way: Way, rows: Rows) -> float:
    start = time.perf_counter()
    way(rows)
    return sum(length for _, length in rows) / (time.perf_counter() - start)


def _try(way: Way, rows: Rows) -> float:
    try:
        return _speed(way, rows)
    except Exception as error:  # noqa: BLE001 - a peer's way that does not run on this machine is reported and left out
        print(f"  {type(error).__name__}: {str(error)[:200]}")
        return 0.0


def _ours(load: Load, device: Device) -> Way:
    sampler = Sampler(load.model, load.tokenizer, device)

    def write(rows: Rows) -> None:
        settings = DecodingSettings(max_new_tokens=max(length for _, length in rows))
        drafts = [
            sampler.draft(prompt, seed, dataclasses.replace(settings, max_new_tokens=length))
            for seed, (prompt, length) in enumerate(rows)
        ]
        sampler.write(drafts, settings)
        assert [len(draft.tokens) for draft in drafts] == [length for _, length in rows]

    return write


def _peers(load: Load, device: Device) -> dict[str, Way]:
    all_threads = torch.get_num_threads() if device.is_cpu else 1
    ways = {
        f"generate, {size} rows, {n_threads} threads": _with_threads(_generate(load, device, size), n_threads)
        for size in SIZES for n_threads in sorted({1, all_threads})
    }  # fmt: skip
    return ways | {"generate_batch": _generate_batch(load, device)}


class _AtLength(StoppingCriteria):
    """Ends each row at its own length."""

    def __init__(self, ends: torch.Tensor) -> None:
        self.ends = ends

    def __call__(self, input_ids: torch.Tensor, _scores: Any, **_options: Any) -> torch.Tensor:
        return input_ids.shape[1] >= self.ends


def _generate(load: Load, device: Device, size: int) -> Way:
    pad = load.tokenizer.pad_token_id

    @torch.inference_mode()
    def write(rows: Rows) -> None:
        ordered = sorted(rows, key=lambda row: len(row[0]))
        for batch in _batched(ordered, size):
            longest = max(len(prompt) for prompt, _ in batch)
            tokens = [[pad] * (longest - len(prompt)) + prompt for prompt, _ in batch]
            mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt, _ in batch]
            ends = torch.tensor([longest + length for _, length in batch], device=device.torch_device)
            settings = _drawing(pad, max_new_tokens=max(length for _, length in batch))
            with _precision(device):
                load.model.generate(
                    input_ids=torch.tensor(tokens, device=device.torch_device),
                    attention_mask=torch.tensor(mask, device=device.torch_device),
                    generation_config=settings, stopping_criteria=[_AtLength(ends)],
                )  # fmt: skip

    return write


def _generate_batch(load: Load, device: Device) -> Way:
    def write(rows: Rows) -> None:
        settings = _drawing(load.tokenizer.pad_token_id, max_new_tokens=max(length for _, length in rows))
        room = ContinuousBatchingConfig(num_blocks=CACHE_BLOCKS, max_batch_tokens=CACHE_BLOCKS)
        with (
            torch.no_grad(),
            _precision(device),
            load.model.continuous_batching_context_manager(settings, continuous_batching_config=room) as manager,
        ):
            for prompt, length in rows:
                manager.add_request(prompt, max_new_tokens=length)
            for _ in rows:
                result = manager.get_result(timeout=60)
                if result is None or result.error:
                    raise RuntimeError("a request failed")

    return write


def _drawing(pad: int, max_new_tokens: int) -> GenerationConfig:
    return GenerationConfig(
        max_new_tokens=max_new_tokens, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, eos_token_id=None,
        pad_token_id=pad,
    )  # fmt: skip


def _batched(rows: Rows, size: int) -> Iterator[Rows]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _precision(device: Device) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext() if device.is_cpu else device.autocast()


def _with_threads(way: Way, n_threads: int) -> Way:
    def write(rows: Rows) -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        try:
            way(rows)
        finally:
            torch.set_num_threads(before)

    return write


def _demo(options: argparse.Namespace, device: Device) -> Load:
    chance = random.Random(0)
    lengths = [_draw(DEMO_ANSWERS, chance) for _ in range(1_200)]
    if not options.base:
        prompts = [_made_up(DEMO_PROMPTS, 1_536, chance) for _ in range(300)]
        model, tokenizer = _model(1_536, 256, device), _tokenizer([])
        source = "made up"
    else:
        model, tokenizer = load_base(options.base, device).eval(), _endless(load_tokenizer(options.base))
        asked = itertools.islice(read_prompts(FileRef(str(options.prompts))), 300)
        prompts = [list(encode_prompt(tokenizer, prompt.messages)) for prompt in asked]
        found = Sampler(model, load_tokenizer(options.base), device).sample(
            [prompt for prompt in prompts for _ in range(4)],
            DecodingSettings(max_new_tokens=64),
            range(4 * len(prompts)),
        )
        lengths = [len(completion.token_ids) for completion in found]
        model.generation_config.eos_token_id = None
        model.set_attn_implementation("sdpa")  # the same in float32, and continuous batching knows its name
        source = str(options.base)
    rows = [(prompt, lengths[4 * i + j]) for i, prompt in enumerate(prompts) for j in range(4)]
    return Load("demo", source, model, tokenizer, rows)


def _real(options: argparse.Namespace, device: Device) -> Load:
    chance, most = random.Random(0), options.max_new_tokens
    if options.instructions.exists():
        asked = json.loads(options.instructions.read_text(encoding="utf-8"))
        texts = [f"{row['instruction']}\n\n{row['input']}".strip() for row in asked]
        tokenizer = _tokenizer([*texts, *(row["output"] for row in asked)])
        prompts = [list(encode_prompt(tokenizer, [{"role": "user", "content": text}])) for text in texts]
        lengths = [len(encode_text(tokenizer, row["output"])) + 1 for row in asked]
        source = str(options.instructions)
    else:
        tokenizer, source = _tokenizer([]), "made up"
        prompts = [_made_up(REAL_PROMPTS, 4_096, chance) for _ in range(999)]
        lengths = [_draw(REAL_ANSWERS, chance) for _ in prompts]
    rows = [(prompt, min(length, most)) for prompt, length in zip(prompts, lengths, strict=True)]
    return Load("real", source, _model(4_096, 2_048, device), tokenizer, rows)


def _draw(tenths: Sequence[int], chance: random.Random) -> int:
    part, share = divmod(chance.random() * 10, 1)
    return round(tenths[int(part)] + share * (tenths[int(part) + 1] - tenths[int(part)]))


def _made_up(tenths: Sequence[int], vocab_size: int, chance: random.Random) -> list[int]:
    return [chance.randrange(10, vocab_size) for _ in range(_draw(tenths, chance))]


def _model(vocab_size: int, context_length: int, device: Device) -> PreTrainedModel:
    """Return the demo base's shape with random weights."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocab_size, hidden_size=128, intermediate_size=352, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=context_length, tie_word_embeddings=True, eos_token_id=None,
    )  # fmt: skip
    model = LlamaForCausalLM(config).to(device.torch_device).eval()
    model.generation_config.eos_token_id = None
    return model


def _tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    return _endless(train_tokenizer(texts or ["nothing to learn from"], vocab_size=4_096))


def _endless(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """Take the end token away: lengths are given."""
    tokenizer.eos_token = None
    return tokenizer


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="a base instead of one of its shape with random weights; needs --prompts")
    parser.add_argument("--prompts", type=Path, help="JSON lines")
    parser.add_argument("--instructions", type=Path, default=INSTRUCTIONS, help="made up where they are not there")
    parser.add_argument("--max-new-tokens", type=int, default=256, help="cuts the longest of the 999 answers")
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    if bool(options.base) != bool(options.prompts):
        parser.error("--base and --prompts need each other")
    return options


if __name__ == "__main__":
    main()
