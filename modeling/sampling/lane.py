"""Keeps one batch of rows running: as rows end, others take their places. No tensors here.

Whether that wins was measured (docs/experiments.md). On a GPU a step takes about as long for ten rows as for two
hundred, so free places cost what full ones do. On a CPU a step costs by the row and by the longest row's length, so a
refilled batch only reads more padding: there a lane is given one group of rows of about equal length, and ends with it.
"""

import collections
from collections.abc import Callable, Sequence

from modeling.sampling.batch import Batch
from modeling.sampling.draft import Draft
from modeling.sampling.grouping import fit_together

Take = Callable[[int, int], Sequence[Draft]]
"""Called with the number of free places and the length of the longest row there, 0 where none is. Returns what to start
next, at most as many; none when nothing fits, or nothing is left."""

REFILL_AT = 1 / 4
"""Joining copies the cache of all rows: with fewer free places that costs more than it saves."""
STEPS_BETWEEN = 8
"""Where rows come one by one, as in a server, they wait these steps for each other."""


def run_lane(start: Callable[[Sequence[Draft]], Batch], take: Take, max_rows: int) -> None:
    """Write all that is taken, until nothing comes when the lane is empty."""
    while drafts := take(max_rows, 0):
        batch, n_steps = start(drafts), 0
        while batch.n_going:
            batch.drop_ended()
            n_free = max_rows - len(batch.drafts)
            if n_steps >= STEPS_BETWEEN and n_free >= REFILL_AT * max_rows:
                n_steps = 0
                more = take(n_free, batch.width)
                if more:
                    batch.join(start(more))
            n_steps += batch.advance()


def take_once(drafts: Sequence[Draft]) -> Take:
    """Return what gives all drafts at once, and nothing afterwards."""
    waiting = [list(drafts)]
    return lambda _n_free, _width: waiting.pop() if waiting else []


def take_in_turn(drafts: Sequence[Draft]) -> Take:
    """Return what gives the next drafts in order, as long as they are not much longer than those that run."""
    waiting = collections.deque(drafts)

    def take(n_free: int, width: int) -> list[Draft]:
        taken: list[Draft] = []
        while waiting and len(taken) < n_free and (not width or fit_together(width, len(waiting[0].prompt))):
            taken.append(waiting.popleft())
            width = width or len(taken[0].prompt)
        return taken

    return take
