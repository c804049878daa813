"""What somebody gets instead of the next task of the queue: training, qualification, a hidden gold task, a repeat."""

from feedback.models import Membership, Task


def task_drawn(*, membership: Membership) -> Task | None:
    """Return the task to hand out now instead of one from the queue, or None; the same for the same `n_claims`.

    A repeat is made here. The caller takes a slot of it, as of any task, and raises `n_claims` when it succeeds.
    """
    del membership
    return None


def qualification_review(*, membership: Membership) -> None:
    """Let a learner work, or not, once every qualification task is judged; called after each judgment of a learner."""
