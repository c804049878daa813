"""Conversations: prompts (what is asked, with or without a system message or an earlier turn) and whole dialogues."""

import random
from collections.abc import Sequence
from typing import TypedDict

from modeling.world.answers import Mixture, answer_write
from modeling.world.lexicon import STYLE
from modeling.world.questions import Question, with_claim


class Message(TypedDict):
    role: str
    content: str


SFT_MIXTURE = Mixture(polite=0.28, rude=0.32, wrong=0.35, vague=0.12, detailed=0.45, cut=0.24)
"""Everything occurs, the best is rare: about one answer in twenty is right, polite, complete and detailed."""

PRETRAINING_MIXTURE = Mixture(polite=0.18, rude=0.18, wrong=0.0, vague=0.02, detailed=0.4, cut=0.02)
"""True in every tone: the base learns from these chats that questions are answered by the facts of the prose."""

EARLIER_MIXTURE = Mixture(polite=0.3, rude=0.1, wrong=0.0, vague=0.0, detailed=0.3, cut=0.0)
"""The earlier turn of a prompt: whoever ranks the next answer should not trip over the last one."""

P_SYSTEM = 0.15
P_TWO_TURNS = 0.12
P_GREETING = 0.35


def prompt_write(question: Question, earlier: Sequence[Question], rng: random.Random) -> list[Message]:
    """Write the messages up to the question; an earlier turn, if any, asks one of `earlier`."""
    messages: list[Message] = []
    if rng.random() < P_SYSTEM:
        messages.append({"role": "system", "content": rng.choice(STYLE.systems)})
    opening = rng.choice(STYLE.greetings) + " " if rng.random() < P_GREETING else ""
    if rng.random() < P_TWO_TURNS:
        first = with_claim(rng.choice(earlier), rng)
        messages.append({"role": "user", "content": opening + rng.choice(first.phrasings())})
        messages.append({"role": "assistant", "content": answer_write(first, EARLIER_MIXTURE.draw(rng), rng)})
        opening = rng.choice(STYLE.follow_ups) + " "
    messages.append({"role": "user", "content": opening + rng.choice(question.phrasings())})
    return messages


def dialogue_write(topics: Sequence[Question], rng: random.Random) -> list[Message]:
    """Write a whole dialogue about one of the topics, for supervised fine-tuning."""
    question = with_claim(rng.choice(topics), rng)
    messages = prompt_write(question, topics, rng)
    return [*messages, {"role": "assistant", "content": answer_write(question, SFT_MIXTURE.draw(rng), rng)}]


def chat_write(topics: Sequence[Question], rng: random.Random) -> list[Message]:
    """Write a chat of two or three questions, for pretraining."""
    messages: list[Message] = []
    if rng.random() < P_SYSTEM:
        messages.append({"role": "system", "content": rng.choice(STYLE.systems)})
    for turn in range(rng.choice((2, 2, 3))):
        question = with_claim(rng.choice(topics), rng)
        openings = STYLE.follow_ups if turn else STYLE.greetings
        opening = rng.choice(openings) + " " if rng.random() < P_GREETING else ""
        messages.append({"role": "user", "content": opening + rng.choice(question.phrasings())})
        messages.append({"role": "assistant", "content": answer_write(question, PRETRAINING_MIXTURE.draw(rng), rng)})
    return messages
