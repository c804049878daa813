"""The judgments that figures are computed from, in all the shapes that they are needed in."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from feedback.domain.states import EXPORTED
from feedback.quality.pairs import Pairs, pairs_of
from feedback.quality.votes import Tasks, Votes


@dataclasses.dataclass(frozen=True)
class Seen:
    """Votes with the rows of their tasks and annotators, and their pairs."""

    votes: Votes
    task_J: NDArray[np.int64]
    """(J,) Row of the tasks."""
    annotator_J: NDArray[np.int64]
    """(J,) Row of the people."""
    data_J: NDArray[np.bool_]
    """(J,) Whether it is data: counted, of a task whose judgments are exported."""
    pairs: Pairs


def seen_of(votes: Votes, tasks: Tasks, people: NDArray[np.int64], part: slice = slice(None)) -> Seen:
    """Return votes by rows of a `part` of the tasks and of `people`, the sorted user ids (A,)."""
    task_J = np.searchsorted(tasks.task[part], votes.task)
    annotator_J = np.searchsorted(people, votes.annotator)
    return Seen(
        votes=votes,
        task_J=task_J,
        annotator_J=annotator_J,
        data_J=votes.counted & np.isin(votes.purpose, [str(purpose) for purpose in EXPORTED]),
        pairs=pairs_of(votes, task_J, annotator_J, tasks.gold_TK[part], len(people)),
    )


def votes_where(votes: Votes, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Votes:
    """Return the votes at these rows."""
    return Votes(**{field.name: getattr(votes, field.name)[rows] for field in dataclasses.fields(Votes)})
