"""The stage `corpus`: the demo world's texts, dialogues and prompts, the same bytes for the same seed."""

import json
import random
from collections.abc import Iterator
from typing import Any

from modeling.errors import Stopped
from modeling.rundir import RunDir
from modeling.spec import CorpusSpec
from modeling.world.almanac import almanac_write
from modeling.world.dialogues import chat_write, dialogue_write, prompt_write
from modeling.world.documents import document_write
from modeling.world.questions import Question, topics, with_claim
from modeling.world.split import Split

CHAT_SHARE = 0.6
"""Share of the pretraining documents that are chats: the role tokens must be learnt there, LoRA does not train them."""


def run(spec: CorpusSpec, run: RunDir) -> dict[str, Any]:
    """Write `texts.jsonl`, `dialogues.jsonl` and `prompts.jsonl`, and `almanac.md` for the people who rank."""
    total = spec.n_documents + spec.n_dialogues + spec.n_prompts
    done = 0
    sizes = {}
    for name, rows in (
        ("texts", texts_make(spec.n_documents, spec.seed)),
        ("dialogues", dialogues_make(spec.n_dialogues, spec.seed)),
        ("prompts", prompts_make(spec.n_prompts, spec.seed)),
    ):
        path = run.artifact(f"{name}.jsonl")
        with path.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row) + "\n")
                done += 1
                if done % 500 == 0:
                    run.progress(done, total, unit="rows")
                    if run.should_stop:
                        raise Stopped("The corpus was not finished; it is made again from the start.")
        sizes[f"{name}_bytes"] = path.stat().st_size
    run.artifact("almanac.md").write_text(almanac_write(), encoding="utf-8")
    run.progress(done, total, unit="rows")
    return sizes


def asked_in_training() -> list[Question]:
    """Return the questions that texts and dialogues may ask: all but the held-out ones."""
    return [question for question in topics() if question.split != "heldout"]


def texts_make(n: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield pretraining documents: prose and chats in random order."""
    rng = random.Random(f"texts.{seed}")
    allowed = asked_in_training()
    for _ in range(n):
        if rng.random() < CHAT_SHARE:
            yield {"messages": chat_write(allowed, rng)}
        else:
            yield {"text": document_write(rng)}


def dialogues_make(n: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the dialogues of supervised fine-tuning."""
    rng = random.Random(f"dialogues.{seed}")
    allowed = asked_in_training()
    for _ in range(n):
        yield {"messages": dialogue_write(allowed, rng)}


def prompts_make(n: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield n distinct prompts, round after round over all groups, so that each group has nearly as many."""
    rng = random.Random(f"prompts.{seed}")
    by_split: dict[Split, list[Question]] = {"ranked": [], "pool": [], "heldout": []}
    for question in topics():
        by_split[question.split].append(question)
    seen: set[str] = set()
    while len(seen) < n:
        for topic in rng.sample(topics(), len(topics())):
            messages = prompt_write(with_claim(topic, rng), by_split[topic.split], rng)
            key = json.dumps(messages)
            if key in seen:
                continue
            seen.add(key)
            yield {
                "id": f"w{len(seen):05d}",
                "messages": messages,
                "group": topic.group,
                "split": topic.split,
                "tags": [topic.type],
            }
            if len(seen) == n:
                return
