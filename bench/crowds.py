"""Simulated crowds with spammers: how good is the consensus, and who is found out?

    python bench/crowds.py --seeds 20

For each overlap and number of answers a crowd judges tasks whose true order is known. Honest people are right in 85% of
pairs (80% to 90%, each their own); 30% are spammers: a third ranks at random, a third by the shown position, a third
hands in what another annotator of the same task said. Everybody judges 50 to 60 tasks. Prints a table; the last line is
one JSON object.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from feedback.quality.report import quality_compute  # noqa: F401
from feedback.quality.votes import Tasks, Votes

KINDS = ("honest", "random", "position", "copying")


@dataclasses.dataclass(frozen=True)
class Crowd:
    votes: Votes
    tasks: Tasks
    kind: tuple[str, ...]
    """Of each annotator, by id."""
    truth_TK: NDArray[np.float64]
    """(T, K) True ranks."""


def noise_for(accuracy: NDArray[np.float64], n_items: int) -> NDArray[np.float64]:
    """Return the spread of normal noise on utilities 0, 1, .. that gets the wished share of pairs right."""
    from_zero = np.random.default_rng(0).standard_normal((4000, n_items))
    spreads = np.geomspace(0.05, 20, 200)
    shares = []
    for spread in spreads:
        seen = np.arange(n_items) + spread * from_zero
        right = [seen[:, j] > seen[:, i] for i in range(n_items) for j in range(i + 1, n_items)]
        shares.append(np.mean(right))
    return np.interp(accuracy, shares[::-1], spreads[::-1])


def crowd_make(
    *, seed: int, overlap: int, n_items: int, n_annotators: int = 30, tasks_each: int = 54, anyone: bool = False
) -> Crowd:
    """Return a crowd's judgments.

    Copyists hand in an earlier judgment of the task and guess where there is none; with `anyone` they copy any other of
    the task, also later ones.
    """
    generator = np.random.default_rng(seed)
    n_spammers = round(0.3 * n_annotators)
    kind = ["honest"] * (n_annotators - n_spammers) + [KINDS[1 + i % 3] for i in range(n_spammers)]
    generator.shuffle(kind)
    n_tasks = n_annotators * tasks_each // overlap
    spread = noise_for(generator.uniform(0.8, 0.9, n_annotators), n_items)
    truth_TK = np.argsort(generator.random((n_tasks, n_items)), axis=1)  # utility of each item
    left = np.full(n_annotators, tasks_each)
    rows: list[tuple[int, int]] = []
    ranks, shown = [], []
    for task in range(n_tasks):
        people = generator.permutation(n_annotators)
        people = people[np.argsort(-left[people], kind="stable")][:overlap]
        people = generator.permutation(people)
        left[people] -= 1
        made: dict[int, NDArray[np.float64]] = {}
        orders = {}
        for person in people:
            orders[person] = np.argsort(generator.random(n_items))
            noise = generator.standard_normal(n_items)
            if kind[person] == "honest":
                made[person] = ranks_from(truth_TK[task] + spread[person] * noise)
            elif kind[person] == "position":
                made[person] = 1.0 + orders[person]
            elif kind[person] == "random" or not (made or anyone):
                made[person] = ranks_from(noise)
            elif not anyone:
                made[person] = made[generator.choice(list(made))]
        for person in people:
            if person not in made:
                others = list(made)
                made[person] = made[generator.choice(others)] if others else ranks_from(generator.random(n_items))
            rows.append((task, person))
            ranks.append(made[person])
            shown.append(orders[person])
    task_J, annotator_J = np.array(rows).T
    n = len(rows)
    votes = Votes(
        task=task_J, annotator=annotator_J, ranks_JK=np.array(ranks), shown_JK=np.array(shown),
        purpose=np.full(n, "label"), counted=np.ones(n, np.bool_), seconds=generator.lognormal(3, 0.5, n),
        at=np.arange(n, dtype=np.float64), n_flags=np.zeros(n, np.int64),
    )  # fmt: skip
    sources = tuple(tuple((f"s{i % 2}",) for i in range(n_items)) for _ in range(n_tasks))
    tasks = Tasks(
        task=np.arange(n_tasks), lengths_TK=generator.integers(50, 500, (n_tasks, n_items)).astype(np.float64),
        sources=sources, prompt=np.arange(n_tasks), gold_TK=np.full((n_tasks, n_items), np.nan),
        tolerance=np.zeros(n_tasks),
    )  # fmt: skip
    return Crowd(votes, tasks, tuple(kind), n_items - truth_TK.astype(np.float64))


def ranks_from(utility: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 + np.argsort(np.argsort(-utility)).astype(np.float64)
