"""More judgments where people disagree, and at the highest overlap an adjudicator."""

from django.db.models import F

from feedback.domain.agreement import agreement_share
from feedback.domain.states import AdjudicationState, BatchState
from feedback.models import Adjudication, Batch, Judgment, Task
from feedback.services.transition import transition_log


def overlap_review(*, judgment: Judgment) -> None:
    """Ask for a further judgment, or for an adjudicator, if this one filled its task and people disagree on it.

    In the transaction that stored the judgment.
    """
    if judgment.task.project.max_overlap is not None and judgment.counted:
        task_review(task=judgment.task)


def task_review(*, task: Task) -> None:
    """Ask for a further judgment, or for an adjudicator, if a task has all judgments it wants and people disagree.

    Holds the task's row: of two that fill the last slots at once, the second sees the judgment of the first.
    """
    project = task.project
    assert task.batch_id is not None, "tasks with a known answer are not reviewed"
    if project.max_overlap is None or not Task.objects.filter(pk=task.pk, open_slots=0).update(open_slots=0):
        return
    overlap = Task.objects.values_list("overlap", flat=True).get(pk=task.pk)
    standing = Judgment.objects.filter(task=task, counted=True, superseded_by=None)
    said = list(standing.values_list("ranks", "cannot_judge"))
    if len(said) < overlap or Adjudication.objects.filter(task=task).exists():
        return  # somebody holds it still, or an admin has to look at a judgment first
    agreement = agreement_share(said)
    if agreement is None or agreement >= project.min_agreement:
        return
    if overlap < project.max_overlap:
        _ask_further(task, task.batch_id, overlap, agreement)
    elif Batch.objects.filter(pk=task.batch_id, state=BatchState.OPEN).exists():
        adjudication = Adjudication.objects.create(task=task, agreement=agreement)
        transition_log(obj=adjudication, from_state="", to_state=AdjudicationState.WAITING, reason=_why(agreement))


def _ask_further(task: Task, batch_id: int, overlap: int, agreement: float) -> None:
    # A batch that closes meanwhile wants nothing more: its row is asked and changed at once.
    if Batch.objects.filter(pk=batch_id, state=BatchState.OPEN).update(n_wanted=F("n_wanted") + 1):
        Task.objects.filter(pk=task.pk).update(overlap=F("overlap") + 1, open_slots=F("open_slots") + 1)
        transition_log(obj=task, from_state="", to_state=f"overlap {overlap} to {overlap + 1}", reason=_why(agreement))


def _why(agreement: float) -> str:
    return f"{agreement:.0%} of the pairs judged alike"
