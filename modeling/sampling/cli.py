"""`python -m modeling sample`: answers to one prompt on the screen, or to a file of prompts as JSON lines."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TextIO

from modeling.data.chat import Message, encode_prompt
from modeling.data.prompts import read_prompts
from modeling.device import pick_device
from modeling.errors import BadInput, ModelingError
from modeling.model.adapters import load_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.randomness import mix_seeds
from modeling.sampling.sampler import Sampler
from modeling.spec import ExitCode, FileRef, SpecError

Asked = list[tuple[str, Sequence[Message]]]
"""Prompts by id."""


def main(options: argparse.Namespace) -> int:
    """Sample and write; the options are those of `modeling/sampling/options.py`. Returns the exit code."""
    try:
        asked = _asked(options)
        rows = _sample(options, asked)
    except (ModelingError, SpecError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command line's answer
        return error.exit_code if isinstance(error, ModelingError) else ExitCode.BAD_INPUT
    if options.out:
        with options.out.open("w", encoding="utf-8") as file:
            _write(rows, file)
    elif options.prompt is not None:
        print("\n\n".join(str(row["answer"]) for row in rows))  # noqa: T201 - the command line's answer
    else:
        _write(rows, sys.stdout)
    return ExitCode.OK


def _asked(options: argparse.Namespace) -> Asked:
    if options.n < 1:
        raise BadInput(f"-n must be at least 1, not {options.n}.")
    if options.prompt is not None:
        return [("", [{"role": "user", "content": options.prompt}])]
    return [(prompt.id, prompt.messages) for prompt in read_prompts(FileRef(str(options.prompts)))]


def _sample(options: argparse.Namespace, asked: Asked) -> list[dict[str, object]]:
    settings = DecodingSettings(
        max_new_tokens=options.max_new_tokens, temperature=options.temperature, top_p=options.top_p, top_k=options.top_k
    )
    settings.validate()
    device = pick_device()
    model, tokenizer = load_base(options.base, device), load_tokenizer(options.base)
    if options.adapter:
        model = load_adapter(model, options.adapter, base_sha256=base_sha256(options.base))
    order = [(place, sample) for place in range(len(asked)) for sample in range(options.n)]
    encoded = [encode_prompt(tokenizer, messages) for _, messages in asked]
    completions = Sampler(model, tokenizer, device).sample(
        [encoded[place] for place, _ in order], settings, [mix_seeds(options.seed, *indices) for indices in order],
        on_progress=_show_progress if sys.stderr.isatty() else None,
    )  # fmt: skip
    return [
        {
            "id": asked[place][0], "sample": sample, "messages": list(asked[place][1]), "answer": completion.text,
            "finish_reason": completion.finish_reason, "n_tokens": len(completion.token_ids),
        }
        for (place, sample), completion in zip(order, completions, strict=True)
    ]  # fmt: skip


def _show_progress(done: int, total: int) -> None:
    print(f"\r{done} of {total} answers", end="\n" if done == total else "", file=sys.stderr, flush=True)  # noqa: T201


def _write(rows: list[dict[str, object]], file: TextIO) -> None:
    file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
