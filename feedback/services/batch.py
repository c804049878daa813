"""Batches: choosing prompts, making tasks from answers, opening and closing."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.domain.errors import Invalid
from feedback.domain.protocol import ProtocolKind
from feedback.domain.states import BatchState, Split
from feedback.models import Batch, Project, Prompt, Response, Task, TaskItem, User
from feedback.selectors.project import protocol_current
from feedback.services.hold import project_hold
from feedback.services.transition import transition, transition_log

INSERT_CHUNK = 500


def batch_create(*, project: Project, plan: Sequence[tuple[int, int]], n_prompts: int, seed: int) -> Batch:
    """Make a batch that waits for answers: `plan` is (source id, answers of a prompt), empty for answers to write.

    Takes `ranked` prompts that were in the fewest batches, in an order of their contents and the seed alone, and
    fewer than `n_prompts` when the project has no more. Raises: Invalid.
    """
    if n_prompts < 1 or any(n < 0 for _, n in plan) or (plan and not any(n for _, n in plan)):
        raise Invalid(_("A batch needs at least one prompt, and each prompt one answer."))
    if bool(plan) == (protocol_current(project=project).kind == ProtocolKind.WRITE):
        raise Invalid(_("A batch of answers to write samples none; every other batch needs at least one source."))
    chosen = _choose_prompts(project, n_prompts, seed)
    if not chosen:
        raise Invalid(_("%(project)s has no prompts to rank; add some first.") % {"project": project})
    with transaction.atomic():
        batch = batch_add(
            project=project,
            state=BatchState.SAMPLING,
            overlap=project.overlap,
            plan=[{"source": source, "n": n} for source, n in plan],
        )
        batch.prompts.add(*chosen)
    return batch


def batch_open_written(*, project: Project, seed: int, by: User | None = None) -> Batch:
    """Make and open a batch of prompts whose answers people write: it needs no policy. Raises: Invalid."""
    batch = batch_create(project=project, plan=[], n_prompts=project.prompts_per_batch, seed=seed)
    return batch_open(batch=batch, actor=by)


def batch_add(
    *, project: Project, state: BatchState, overlap: int, plan: list[dict[str, int]], actor: User | None = None
) -> Batch:
    """Make the project's next batch, in the caller's transaction."""
    project_hold(project=project)
    last = Batch.objects.filter(project=project).aggregate(number=Max("number"))["number"] or 0
    batch = Batch.objects.create(project=project, number=last + 1, state=state, overlap=overlap, plan=plan)
    transition_log(obj=batch, from_state="", to_state=state, actor=actor)
    return batch


def batch_open(*, batch: Batch, actor: User | None = None) -> Batch:
    """Make the tasks from the batch's answers and open it; a batch that gives no task fails. Opening twice is fine.

    Answers of one text are one item. A prompt with fewer than two distinct answers makes no task, unless the batch
    asked for none: then people write them.
    """
    batch.refresh_from_db(fields=["state"])
    if batch.state != BatchState.SAMPLING:
        return batch
    with transaction.atomic():
        # First: a second process waits here and is then told that the batch has changed.
        transition(obj=batch, to=BatchState.OPEN, actor=actor, opened_at=timezone.now())
        n_tasks = _make_tasks(batch)
        if not n_tasks:
            transaction.set_rollback(True)
    if not n_tasks:
        batch.refresh_from_db()
        batch_fail(batch=batch, reason="no prompt has two different answers")
    return batch


def batch_close(*, batch: Batch, by: User | None = None, reason: str = "") -> Batch:
    """End claims and corrections; leases that run may still be submitted. Closing again does nothing."""
    batch.refresh_from_db(fields=["state"])
    if batch.state != BatchState.CLOSED:
        transition(obj=batch, to=BatchState.CLOSED, actor=by, reason=reason, closed_at=timezone.now())
    return batch


def batch_reopen(*, batch: Batch, by: User | None = None, reason: str = "") -> Batch:
    """Let people go on with a closed batch, after a round that ended without a policy."""
    transition(obj=batch, to=BatchState.OPEN, actor=by, reason=reason, closed_at=None)
    return batch


def batch_fail(*, batch: Batch, reason: str) -> Batch:
    """Give a batch up whose sampling cannot go on."""
    transition(obj=batch, to=BatchState.FAILED, reason=reason)
    return batch


def _choose_prompts(project: Project, n_prompts: int, seed: int) -> list[int]:
    prompts = (
        Prompt.objects.filter(project=project, split=Split.RANKED, parent_response=None)
        .annotate(n_batches=Count("batches"))
        .values_list("n_batches", "content_sha256", "pk")
    )
    drawn = sorted(
        (n_batches, hashlib.sha256(f"{seed}:{content}".encode()).digest(), pk) for n_batches, content, pk in prompts
    )
    return [pk for _, _, pk in drawn[:n_prompts]]


def _make_tasks(batch: Batch) -> int:
    answers: dict[int, list[tuple[int, str]]] = defaultdict(list)
    rows = Response.objects.filter(batch=batch).order_by("prompt_id", "pk").values_list("prompt_id", "pk", "text")
    for prompt_id, response_id, text in rows.iterator(chunk_size=2_000):
        answers[prompt_id].append((response_id, text))
    if batch.plan:
        items = {prompt_id: merge_answers(group) for prompt_id, group in answers.items()}
        items = {prompt_id: merged for prompt_id, merged in items.items() if len(set(merged.values())) >= 2}
    else:
        items = {prompt_id: {} for prompt_id in batch.prompts.order_by("pk").values_list("pk", flat=True)}
    tasks = Task.objects.bulk_create(
        [
            Task(
                project_id=batch.project_id,
                batch=batch,
                prompt_id=prompt_id,
                overlap=batch.overlap,
                open_slots=batch.overlap,
            )
            for prompt_id in items
        ],
        batch_size=INSERT_CHUNK,
    )
    TaskItem.objects.bulk_create(
        [
            TaskItem(task=task, response_id=response_id, item=item)
            for task in tasks
            for response_id, item in items[task.prompt_id].items()
        ],
        batch_size=INSERT_CHUNK,
    )
    Batch.objects.filter(pk=batch.pk).update(n_tasks=len(tasks), n_wanted=len(tasks) * batch.overlap)
    return len(tasks)


def merge_answers(answers: Iterable[tuple[int, str]]) -> dict[int, int]:
    """Return the item number of each response id; equal texts share one.

    Items are numbered by the hash of their text, so that a number says nothing about who answered.
    """
    hashes = {response_id: hashlib.sha256(text.encode()).digest() for response_id, text in answers}
    number = {digest: item for item, digest in enumerate(sorted(set(hashes.values())))}
    return {response_id: number[digest] for response_id, digest in hashes.items()}
