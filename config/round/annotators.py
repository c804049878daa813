"""Programs that rank through the API, each in a thread of its own, until the queue is empty or they have enough."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from config.round.client import Client
from config.round.taste import Taste, agreement


@dataclass
class Labels:
    """What was ranked, counted over all annotators and rounds."""

    rankings: int = 0
    pairs_agreed: int = 0
    pairs_ordered: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def accuracy(self) -> float | None:
        """Share of the pairs that gold orders which were ranked in gold's order."""
        return self.pairs_agreed / self.pairs_ordered if self.pairs_ordered else None

    def add(self, agreed: int, ordered: int) -> None:
        """Count one ranking."""
        with self._lock:
            self.rankings += 1
            self.pairs_agreed += agreed
            self.pairs_ordered += ordered


@dataclass
class _Budget:
    left: int
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> bool:
        with self._lock:
            self.left -= 1
            return self.left >= 0


def annotate(
    *, address: str, tokens: Sequence[str], project: int, taste: Taste, at_most: int, labels: Labels,
    on_ranking: Callable[[int], None],
) -> int:  # fmt: skip
    """Rank with one thread a token; return how many rankings were made. Raises: what the API refused."""
    before = labels.rankings
    budget = _Budget(at_most)

    def work(token: str) -> None:
        client = Client(address, token)
        try:
            while budget.take() and (assignment := client.claim(project)) is not None:
                _judge(client, assignment, taste, labels)
                on_ranking(labels.rankings - before)
        finally:
            client.close()

    with ThreadPoolExecutor(len(tokens)) as pool:
        for done in [pool.submit(work, token) for token in tokens]:
            done.result()
    return labels.rankings - before


def _judge(client: Client, assignment: dict[str, Any], taste: Taste, labels: Labels) -> None:
    prompt = prompt_text(assignment["messages"])
    letters = [answer["letter"] for answer in assignment["answers"]]
    texts = [answer["text"] for answer in assignment["answers"]]
    ranks = taste.rank(prompt, texts)
    client.judge(assignment["assignment_id"], dict(zip(letters, ranks, strict=True)), assignment["client_key"])
    labels.add(*agreement([taste.gold(prompt, text) for text in texts], ranks))


def prompt_text(messages: Sequence[dict[str, Any]]) -> str:
    """Return what a gold function calls the prompt: the last message, which is the user's."""
    return str(messages[-1]["content"])
