"""Judgments of answers as comparisons of the sources that gave them.

Every pair of answers of different sources compares these sources; a text that two sources gave is a tie of the two,
once for each judgment of its task.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feedback.quality.pairs import Pairs
from feedback.quality.sums import sum_by

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Comparisons:
    """Sums over the comparisons of two sources on one prompt; N such sums, ordered by the two sources."""

    sources: tuple[str, ...]
    one: Ints
    """(N,) Source with the lower number."""
    two: Ints
    """(N,) Source with the higher number."""
    prompt: Ints
    """(N,) Row of the prompts, from 0."""
    n: Floats
    """(N,) Comparisons."""
    wins: Floats
    """(N,) Of `one`, ties half."""
    ties: Floats

    @property
    def squares(self) -> Floats:
        """(N,) Sums of squares of what a comparison gave: a tie's half gives a quarter."""
        return self.wins - self.ties / 4


def comparisons_of(
    pairs: Pairs, sources_T: Sequence[Sequence[Sequence[str]]], prompt_T: Ints, judged_J: Ints
) -> Comparisons:
    """Return the comparisons in `pairs`; `judged_J` names the row of the task of each of their judgments."""
    names = tuple(sorted({name for items in sources_T for item in items for name in item}))
    source_TKD = _source_table(sources_T, names)
    depths = range(source_TKD.shape[2])
    task_P = pairs.task[pairs.pair].astype(np.int64)
    first_PD = source_TKD[task_P, pairs.first[pairs.pair]]
    second_PD = source_TKD[task_P, pairs.second[pairs.pair]]
    score_P = (pairs.label + 1) / 2
    parts = [_both_known(first_PD[:, i], second_PD[:, j], score_P, task_P) for i in depths for j in depths]
    task_N = np.repeat(np.arange(len(sources_T)), np.bincount(judged_J, minlength=len(sources_T)))
    for i, j in itertools.combinations(depths, 2):
        for item in range(source_TKD.shape[1]):
            same = source_TKD[task_N, item]
            parts.append(_both_known(same[:, i], same[:, j], np.full(len(task_N), 0.5), task_N))
    return _summed(names, parts, np.unique(prompt_T, return_inverse=True)[1])


_Part = tuple[Ints, Ints, Floats, Ints]
"""Left source, right source, score of the left one, task."""


def _source_table(sources_T: Sequence[Sequence[Sequence[str]]], names: Sequence[str]) -> NDArray[np.int32]:
    """Return (T, K, D) numbers of the sources of each item, -1 where there are fewer than D."""
    number = {name: place for place, name in enumerate(names)}
    n_items = max((len(items) for items in sources_T), default=0)
    depth = max((len(item) for items in sources_T for item in items), default=0)
    table = np.full((len(sources_T), n_items, depth), -1, np.int32)
    for task, items in enumerate(sources_T):
        for item, given in enumerate(items):
            table[task, item, : len(given)] = [number[name] for name in given]
    return table


def _both_known(left: NDArray[np.int32], right: NDArray[np.int32], score: Floats, task: Ints) -> _Part:
    used = (left >= 0) & (right >= 0) & (left != right)
    return left[used].astype(np.int64), right[used].astype(np.int64), score[used], task[used]


def _summed(names: tuple[str, ...], parts: Sequence[_Part], prompt_T: Ints) -> Comparisons:
    none = np.zeros(0, np.int64)
    left = np.concatenate([none, *(part[0] for part in parts)])
    right = np.concatenate([none, *(part[1] for part in parts)])
    score = np.concatenate([np.zeros(0), *(part[2] for part in parts)])
    prompt = prompt_T[np.concatenate([none, *(part[3] for part in parts)])]
    n_sources, n_prompts = max(1, len(names)), int(prompt_T.max(initial=0)) + 1
    both = np.minimum(left, right) * n_sources + np.maximum(left, right)
    code, row = np.unique(both * n_prompts + prompt, return_inverse=True)
    return Comparisons(
        sources=names,
        one=code // n_prompts // n_sources,
        two=code // n_prompts % n_sources,
        prompt=code % n_prompts,
        n=np.bincount(row, minlength=len(code)).astype(np.float64),
        wins=sum_by(row, np.where(left < right, score, 1 - score), len(code)),
        ties=sum_by(row, score == 0.5, len(code)),
    )
