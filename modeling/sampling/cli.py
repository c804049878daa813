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
from modeling.model.adapter_switching import adapter_active
from modeling.model.adapters import load_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.reward import reward_model_load
from modeling.sampling.beam import BeamSettings
from modeling.sampling.best import sample_best
from modeling.sampling.decoding import Completion, DecodingSettings, Scored
from modeling.sampling.options import parser
from modeling.sampling.processors import spellings
from modeling.sampling.randomness import mix_seeds
from modeling.sampling.sampler import Sampler
from modeling.spec import ExitCode, FileRef, SpecError

Asked = list[tuple[str, Sequence[Message]]]
"""Prompts by id."""
POLICY = "default"
_OF_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "stop", "bad_word", "best_of", "reward")
Answer = tuple[Completion, float | None]
"""With its score, where there is one."""


def main(options: argparse.Namespace) -> int:
    """Sample and write; the options are those of `modeling/sampling/options.py`. Returns the exit code."""
    try:
        _check(options)
        asked = _asked(options)
        rows = _rows(asked, _answers(options, [messages for _, messages in asked]))
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


def _check(options: argparse.Namespace) -> None:
    """Raises: BadInput for options that cannot be combined."""
    sampling = [name for name in _OF_SAMPLING if getattr(options, name) != parser().get_default(name)]
    beams, best_of = options.num_beams, options.best_of
    for right, message in (
        (options.n >= 1, f"-n must be at least 1, not {options.n}."),
        (
            beams is None or not sampling,
            f"Beam search draws nothing: leave --num-beams or {', '.join(map(_flag, sampling))} out.",
        ),
        (beams is None or options.n <= beams, f"A search with {beams} beams finds no {options.n} answers: lower -n."),
        (beams is not None or options.length_penalty == 1, "--length-penalty is for beam search: add --num-beams."),
        ((best_of is None) == (options.reward is None), "--best-of and --reward need each other."),
        (
            best_of is None or options.n <= best_of,
            f"The best of {best_of} answers are fewer than {options.n}: lower -n.",
        ),
    ):
        if not right:
            raise BadInput(message)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _asked(options: argparse.Namespace) -> Asked:
    if options.prompt is not None:
        return [("", [{"role": "user", "content": options.prompt}])]
    return [(prompt.id, prompt.messages) for prompt in read_prompts(FileRef(str(options.prompts)))]


def _answers(options: argparse.Namespace, conversations: Sequence[Sequence[Message]]) -> list[list[Answer]]:
    tokenizer = load_tokenizer(options.base)
    settings = DecodingSettings(
        max_new_tokens=options.max_new_tokens, temperature=options.temperature, top_p=options.top_p,
        top_k=options.top_k, min_p=options.min_p, repetition_penalty=options.repetition_penalty,
        bad_words=spellings(options.bad_word, tokenizer), stop=tuple(options.stop), logprobs=options.logprobs,
    )  # fmt: skip
    settings.validate()
    device = pick_device()
    model = load_base(options.base, device)
    sha256 = base_sha256(options.base) if options.adapter or options.reward else ""
    if options.adapter:
        model = load_adapter(model, options.adapter, name=POLICY, base_sha256=sha256)
    reward = reward_model_load(model, options.reward, device, base_sha256=sha256) if options.reward else None
    sampler = Sampler(reward.model if reward else model, tokenizer, device)
    prompts = [encode_prompt(tokenizer, messages) for messages in conversations]
    with adapter_active(sampler.model, POLICY if options.adapter else None):
        if options.num_beams is not None:
            beams = BeamSettings(
                max_new_tokens=options.max_new_tokens, num_beams=options.num_beams,
                length_penalty=options.length_penalty, logprobs=options.logprobs,
            )  # fmt: skip
            return [_first(answers, options.n) for answers in sampler.beam_search(prompts, beams)]
        n = options.best_of or options.n
        seeds = [[mix_seeds(options.seed, place, i) for i in range(n)] for place in range(len(prompts))]
        on_progress = _show_progress if sys.stderr.isatty() else None
        if reward:
            ordered = sample_best(sampler, prompts, settings, seeds, reward.standardised, on_progress)
            return [_first(answers, options.n) for answers in ordered]
        rows = [prompt for prompt in prompts for _ in range(n)]
        found = iter(sampler.sample(rows, settings, [seed for own in seeds for seed in own], on_progress))
        return [[(next(found), None) for _ in range(n)] for _ in prompts]


def _first(answers: Sequence[Scored], n: int) -> list[Answer]:
    return [(answer.completion, answer.score) for answer in answers[:n]]


def _rows(asked: Asked, answers: list[list[Answer]]) -> list[dict[str, object]]:
    return [
        {
            "id": name, "sample": sample, "messages": list(messages), "answer": completion.text,
            "finish_reason": completion.finish_reason, "n_tokens": len(completion.token_ids),
            **({} if score is None else {"score": score}),
            **({} if completion.logprobs is None else {"logprobs": completion.logprobs}),
        }
        for (name, messages), own in zip(asked, answers, strict=True) for sample, (completion, score) in enumerate(own)
    ]  # fmt: skip


def _show_progress(done: int, total: int) -> None:
    print(f"\r{done} of {total} answers", end="\n" if done == total else "", file=sys.stderr, flush=True)  # noqa: T201


def _write(rows: list[dict[str, object]], file: TextIO) -> None:
    file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
