"""Judgments as arrays: all that the statistics know. No database, no text, no names."""

import dataclasses

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class Votes:
    """Judgments of tasks in the order in which they came; J judgments, K the most items of a task.

    Only judgments that say something about the answers, each person's last word on each task.
    """

    task: NDArray[np.int64]
    """(J,) Task id. A repeat has the id of the task that it repeats."""
    annotator: NDArray[np.int64]
    """(J,) User id."""
    ranks_JK: NDArray[np.float64]
    """(J, K) Rank of each item by item number, equal numbers are ties; infinite where it was left unranked, so is worse
    than all ranked ones and undecided against the others; NaN where it could not be judged or does not exist."""
    shown_JK: NDArray[np.int64]
    """(J, K) Position at which each item was shown, from 0; -1 where there is no such item."""
    purpose: NDArray[np.str_]
    """(J,) Values of `TaskPurpose`."""
    counted: NDArray[np.bool_]
    """(J,) Whether it counts; held back and excluded judgments are only looked at for suspicions."""
    seconds: NDArray[np.float64]
    """(J,) Active seconds, NaN where unknown."""
    at: NDArray[np.float64]
    """(J,) When it was made, in seconds since the epoch."""
    n_flags: NDArray[np.int64]
    """(J,) Flags set on its answers."""


@dataclasses.dataclass(frozen=True)
class Tasks:
    """What is known of the tasks in `Votes`; T tasks, sorted by id."""

    task: NDArray[np.int64]
    """(T,) Task id."""
    lengths_TK: NDArray[np.float64]
    """(T, K) Characters of each item, NaN where there is no such item."""
    sources: tuple[tuple[tuple[str, ...], ...], ...]
    """[task][item] Keys of all sources that gave this very text."""
    prompt: NDArray[np.int64]
    """(T,) Prompt id: what the bootstrap draws."""
    gold_TK: NDArray[np.float64]
    """(T, K) The known ranks, NaN where there are none."""
    tolerance: NDArray[np.float64]
    """(T,) Share of known pairs that may be wrong; 0 where nothing is known."""
