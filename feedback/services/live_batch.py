"""Where the tasks of live turns go."""

from django.utils import timezone

from feedback.domain.states import BatchState
from feedback.models import Batch, Project, User
from feedback.services.batch import batch_add
from feedback.services.hold import project_hold


def live_batch(*, project: Project, preferred: Batch | None = None, actor: User | None = None) -> Batch:
    """Return the preferred batch while it is open, else the project's newest open one, else a new one.

    In the caller's transaction, which holds the project from here on. A round may close a batch in the middle of a
    conversation; what is said afterwards belongs to the next.
    """
    project_hold(project=project)
    open_batches = Batch.objects.filter(project=project, state=BatchState.OPEN)
    batch = open_batches.filter(pk=preferred.pk).first() if preferred else None
    batch = batch or open_batches.order_by("-number").first()
    if batch is None:
        batch = batch_add(project=project, state=BatchState.OPEN, overlap=1, plan=[], actor=actor)
        Batch.objects.filter(pk=batch.pk).update(opened_at=timezone.now())
    return batch
