"""Simulated crowds with spammers: how good is the consensus, and who is found out?

    python -m bench.crowds --seeds 20
    python -m bench.crowds --seeds 3 --peers

A crowd of 30 judges tasks whose true order is known, 54 tasks each. Honest people are right in 85% of the pairs (80% to
90%, each their own); 30% are spammers: a third ranks at random, a third by the shown position, a third hands in what
another annotator of the same task said. Copyists take an earlier judgment and guess where there is none; in the rows
marked "any" they take any other of the task, as if they saw what comes. Figures are shares of right pairs; a tie is
half right. With --peers crowd-kit's models judge the same rows, spammers and all. Prints a table; the last line is one
JSON object.
"""

import argparse
import dataclasses
import itertools
import json
import statistics
import time

import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene, NoisyBradleyTerry, OneCoinDawidSkene
from numpy.typing import NDArray

from feedback.domain.quality import ConsensusFigures, QualityFigures
from feedback.quality.pairs import item_pairs
from feedback.quality.report import quality_compute
from feedback.quality.seen import votes_where
from feedback.quality.votes import Tasks, Votes

KINDS = ("honest", "random", "position", "copying")
SPAM = {"random", "position", "copying"}
PEERS = ("dawid_skene", "one_coin", "noisy_bt")


@dataclasses.dataclass(frozen=True)
class Crowd:
    votes: Votes
    tasks: Tasks
    kind: tuple[str, ...]
    """Of each annotator, by id."""
    truth_TK: NDArray[np.float64]
    """(T, K) True ranks."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--peers", action="store_true", help="ask crowd-kit's models, too, which takes minutes")
    options = parser.parse_args()
    rows = []
    for overlap, n_items, anyone in itertools.product((3, 5), (2, 4), (False, True)):
        started = time.monotonic()
        found = [
            measure(crowd_make(seed=seed, overlap=overlap, n_items=n_items, anyone=anyone), peers=options.peers)
            for seed in range(options.seeds)
        ]
        means = {name: round(statistics.fmean(one[name] for one in found), 4) for name in found[0]}
        row = {"overlap": overlap, "n_items": n_items, "copies": "any" if anyone else "earlier", **means}
        row["seconds"] = round(time.monotonic() - started, 1)
        if not rows:
            print("  ".join(f"{name[:11]:>11}" for name in row))
        print("  ".join(f"{value:>11}" for value in row.values()), flush=True)
        rows.append(row)
    print(json.dumps({"seeds": options.seeds, "rows": rows}))


def measure(crowd: Crowd, *, peers: bool = False) -> dict[str, float]:
    """Return accuracies of the consensus and of others, and the share of each kind of people who are suspected."""
    figures, agreed = compute(crowd, crowd.votes)
    honest = np.array([kind == "honest" for kind in crowd.kind])
    _, agreed_by_honest = compute(crowd, votes_where(crowd.votes, honest[crowd.votes.annotator]))
    suspected = np.array([bool(SPAM & set(one.suspicions)) for one in figures.annotators])
    kind = np.array(crowd.kind)
    return {
        "consensus": accuracy(crowd, agreed),
        "honest_alone": accuracy(crowd, agreed_by_honest),
        "majority": majority_accuracy(crowd),
        **({name: peer_accuracy(crowd, name) for name in PEERS} if peers else {}),
        "confidence": float(np.mean([one.confidence for one in agreed])),
        "recall": float(suspected[~honest].mean()),
        **{name: float(suspected[kind == name].mean()) for name in KINDS},
        "weight_left": float(max(one.weight for one in figures.annotators if SPAM & set(one.suspicions)))
        if suspected.any()
        else 0.0,
    }


def compute(crowd: Crowd, votes: Votes) -> tuple[QualityFigures, list[ConsensusFigures]]:
    return quality_compute(votes=votes, tasks=crowd.tasks, decided={}, flags={}, seed=0)


def accuracy(crowd: Crowd, agreed: list[ConsensusFigures]) -> float:
    """Return the share of pairs that the consensus gets right; a tie, and no consensus, is half right."""
    said_TK = np.zeros_like(crowd.truth_TK)
    for one in agreed:
        said_TK[one.task] = one.ranks
    return float(np.mean([right(said_TK, crowd.truth_TK, i, j) for i, j in item_pairs(said_TK.shape[1])]))


def majority_accuracy(crowd: Crowd) -> float:
    n_tasks, n_items = crowd.truth_TK.shape
    shares = []
    for i, j in item_pairs(n_items):
        vote = np.sign(crowd.votes.ranks_JK[:, j] - crowd.votes.ranks_JK[:, i])
        sums = np.zeros((n_tasks, n_items))
        sums[:, j] = np.bincount(crowd.votes.task, vote, n_tasks)
        shares.append(right(sums, crowd.truth_TK, i, j))
    return float(np.mean(shares))


def peer_accuracy(crowd: Crowd, name: str) -> float:
    """Return the share of pairs that a model of crowd-kit gets right."""
    rows = []
    for i, j in item_pairs(crowd.truth_TK.shape[1]):
        first_wins = crowd.votes.ranks_JK[:, i] < crowd.votes.ranks_JK[:, j]
        left, right_ = crowd.votes.task * 10 + i, crowd.votes.task * 10 + j
        rows.append(
            pd.DataFrame(
                {
                    "task": left * 10 + j,
                    "worker": crowd.votes.annotator,
                    "left": left,
                    "right": right_,
                    "label": np.where(first_wins, left, right_) if name == "noisy_bt" else first_wins.astype(int),
                }
            )
        )
    data = pd.concat(rows, ignore_index=True)
    if name == "noisy_bt":
        scores = NoisyBradleyTerry(n_iter=30).fit_predict(data)
        said_TK = -scores[[task * 10 + i for task, i in np.ndindex(crowd.truth_TK.shape)]].to_numpy()
        said_TK = said_TK.reshape(crowd.truth_TK.shape)
        return float(np.mean([right(said_TK, crowd.truth_TK, i, j) for i, j in item_pairs(said_TK.shape[1])]))
    label = (DawidSkene(100) if name == "dawid_skene" else OneCoinDawidSkene(100)).fit_predict(data)
    truth = [
        crowd.truth_TK[code // 100, code // 10 % 10] < crowd.truth_TK[code // 100, code % 10] for code in label.index
    ]
    return float(np.mean(label.to_numpy() == np.array(truth)))


def right(said_TK: NDArray[np.float64], truth_TK: NDArray[np.float64], i: int, j: int) -> float:
    said, true = np.sign(said_TK[:, j] - said_TK[:, i]), np.sign(truth_TK[:, j] - truth_TK[:, i])
    return float(np.mean(np.where(said == 0, 0.5, said == true)))


def noise_for(accuracy: NDArray[np.float64], n_items: int) -> NDArray[np.float64]:
    """Return the spread of normal noise on utilities 0, 1, .. that gets the wished share of pairs right."""
    from_zero = np.random.default_rng(0).standard_normal((4000, n_items))
    spreads = np.geomspace(0.05, 20, 200)
    shares = []
    for spread in spreads:
        seen = np.arange(n_items) + spread * from_zero
        right = [seen[:, j] > seen[:, i] for i in range(n_items) for j in range(i + 1, n_items)]
        shares.append(np.mean(right))
    return np.asarray(np.interp(accuracy, shares[::-1], spreads[::-1]), dtype=np.float64)


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
                made[person] = (1 + orders[person]).astype(np.float64)
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


if __name__ == "__main__":
    main()
