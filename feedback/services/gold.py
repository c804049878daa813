"""Making tasks whose answer is known, from tasks of the project or from a file, and retiring them."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.domain.errors import Conflict, Invalid, UploadRefused
from feedback.domain.gold import EVERYBODY, ORDERED, known_ranks_check, purpose_check, tolerance_check
from feedback.domain.messages import Message, json_sha256, messages_sha256
from feedback.domain.ranking import Rank
from feedback.domain.states import KNOWN, Split, TaskPurpose
from feedback.formats.gold import GoldRow, explanation_check, read_golds
from feedback.models import Gold, Project, Prompt, Response, Task, TaskItem, User
from feedback.selectors.project import protocol_for
from feedback.services.batch import merge_answers
from feedback.services.hold import project_hold
from feedback.services.prompt import LOOK_UP_CHUNK, prompts_known
from feedback.services.source import source_get_or_create
from feedback.services.transition import transition_log

INSERT_CHUNK = 500
SOURCE = "known-answers"
"""Key of the source of answers that came with a file of known ones."""


@dataclasses.dataclass(frozen=True)
class GoldImport:
    n_added: int
    n_known: int
    """Rows that are known answers already, or that stand twice in the file."""


def gold_add(
    *,
    task: Task,
    ranks: Sequence[Rank],
    by: User,
    purpose: TaskPurpose = TaskPurpose.GOLD,
    tolerance: float = 0.0,
    explanation: str = "",
) -> Gold:
    """Make a known answer of an ordinary task: a copy of it, so that the task itself is judged as before.

    `ranks` are by item. Raises: RankError, Invalid, Conflict when these answers are in use with a known order.
    """
    items = list(task.items.values_list("response_id", "item", "response__text"))
    if task.purpose != TaskPurpose.LABEL or not items:
        raise Invalid(_("A known answer is made of an ordinary task that shows answers."))
    normal = known_ranks_check(ranks, len({item for _response, item, _text in items}))
    tolerance, explanation = tolerance_check(tolerance), explanation_check(explanation)
    purpose = purpose_check(purpose)
    _check_kind(task.project, n_answers=len(normal))
    with transaction.atomic():
        project_hold(project=task.project)  # two who know the same answer at the same moment
        by_text = {text: normal[item] for _response, item, text in items}
        key = _key(task.prompt.content_sha256, by_text, purpose)
        if key in _keys_in_use(task.project, [task.prompt_id]):
            raise Conflict(_("This task is a known answer already; retire that one first."))
        copy = Task.objects.create(
            project=task.project, prompt=task.prompt, purpose=purpose, overlap=EVERYBODY, open_slots=EVERYBODY
        )
        TaskItem.objects.bulk_create(
            TaskItem(task=copy, response_id=response_id, item=item) for response_id, item, _text in items
        )
        gold = Gold.objects.create(task=copy, ranks=normal, tolerance=tolerance, explanation=explanation, created_by=by)
        transition_log(obj=gold, from_state="", to_state="in use", actor=by, reason=f"from task {task.pk}")
    return gold


def golds_import(*, project: Project, file: BinaryIO, filename: str, by: User) -> GoldImport:
    """Add a file's known answers, whole or not at all. Raises: UploadRefused with the line.

    New prompts are kept aside: nothing samples, trains or evaluates on them. A prompt that the project has is used.
    """
    rows = list(read_golds(file, filename))
    for row in rows:
        try:
            _check_kind(project, n_answers=len(row.answers))
        except Invalid as error:
            raise UploadRefused(error.message, row.line) from error
    with transaction.atomic():
        project_hold(project=project)
        prompt_ids = _prompts(project, rows)
        fresh = _fresh(project, rows, prompt_ids)
        _store(project, fresh, prompt_ids, by)
        transition_log(
            obj=project, from_state="", to_state="known answers added", actor=by, reason=f"{len(fresh)} from a file"
        )
    return GoldImport(n_added=len(fresh), n_known=len(rows) - len(fresh))


def gold_retire(*, gold: Gold, by: User) -> None:
    """Show a known answer to nobody any more; what was judged stays. Retiring it again does nothing."""
    with transaction.atomic():
        if Gold.objects.filter(pk=gold.pk, retired_at=None).update(retired_at=timezone.now()):
            transition_log(obj=gold, from_state="in use", to_state="retired", actor=by)
    gold.refresh_from_db(fields=["retired_at"])


def gold_restore(*, gold: Gold, by: User) -> None:
    """Show a retired known answer again. Raises: Invalid where the project no longer asks for an order."""
    _check_kind(gold.task.project, n_answers=len(gold.ranks))
    with transaction.atomic():
        if Gold.objects.filter(pk=gold.pk, retired_at__isnull=False).update(retired_at=None):
            transition_log(obj=gold, from_state="retired", to_state="in use", actor=by)
    gold.refresh_from_db(fields=["retired_at"])


def _check_kind(project: Project, *, n_answers: int) -> None:
    if protocol_for(project=project, n_answers=n_answers).kind not in ORDERED:
        raise Invalid(_("This project asks for no order of answers, so none can be known."))


def _key(prompt_sha256: str, ranks: Mapping[str, Rank], purpose: str) -> str:
    """Return what two known answers have in common that ask the same, whatever their ranks."""
    return json_sha256([prompt_sha256, sorted(ranks), purpose])


def _keys_in_use(project: Project, prompt_ids: Iterable[int]) -> dict[str, dict[str, Rank]]:
    """Return {key: {text: rank}} of the known answers in use to these prompts."""
    tasks = Task.objects.filter(project=project, purpose__in=KNOWN, gold__retired_at=None)
    wanted = sorted(set(prompt_ids))
    found: dict[str, dict[str, Rank]] = {}
    for start in range(0, len(wanted), LOOK_UP_CHUNK):
        chunk = tasks.filter(prompt__in=wanted[start : start + LOOK_UP_CHUNK])
        for task in chunk.select_related("prompt", "gold").prefetch_related("items__response"):
            by_text = {item.response.text: task.gold.ranks[item.item] for item in task.items.all()}
            found[_key(task.prompt.content_sha256, by_text, task.purpose)] = by_text
    return found


def _prompts(project: Project, rows: Sequence[GoldRow]) -> dict[str, int]:
    """Return {content hash: prompt id}; what the project has not is added."""
    messages: dict[str, list[Message]] = {messages_sha256(row.messages): row.messages for row in rows}
    known = {digest: pk for digest, (pk, _split) in prompts_known(project=project, hashes=messages).items()}
    added = Prompt.objects.bulk_create(
        [
            Prompt(project=project, messages=content, content_sha256=digest, group=digest, split=Split.ASIDE)
            for digest, content in messages.items()
            if digest not in known
        ],
        batch_size=INSERT_CHUNK,
    )
    return known | {prompt.content_sha256: prompt.pk for prompt in added}


def _fresh(project: Project, rows: Sequence[GoldRow], prompt_ids: Mapping[str, int]) -> list[GoldRow]:
    """Return the rows that are no known answers yet. Raises: UploadRefused for another order of the same answers."""
    in_use = _keys_in_use(project, prompt_ids.values())
    fresh = []
    for row in rows:
        ranks = dict(zip(row.answers, row.ranks, strict=True))
        key = _key(messages_sha256(row.messages), ranks, row.purpose)
        if key not in in_use:
            in_use[key] = ranks
            fresh.append(row)
        elif in_use[key] != ranks:
            raise UploadRefused(
                _("these answers are known already, in another order; retire that known answer first."), row.line
            )
    return fresh


def _store(project: Project, rows: Sequence[GoldRow], prompt_ids: Mapping[str, int], by: User) -> None:
    source = source_get_or_create(project=project, key=SOURCE, name=_("Known answers"))
    tasks = Task.objects.bulk_create(
        [
            Task(
                project=project,
                prompt_id=prompt_ids[messages_sha256(row.messages)],
                purpose=row.purpose,
                overlap=EVERYBODY,
                open_slots=EVERYBODY,
            )
            for row in rows
        ],
        batch_size=INSERT_CHUNK,
    )
    responses = Response.objects.bulk_create(
        [
            Response(prompt_id=task.prompt_id, source=source, sample=sample, text=text)
            for task, row in zip(tasks, rows, strict=True)
            for sample, text in enumerate(row.answers)
        ],
        batch_size=INSERT_CHUNK,
    )
    stored = iter(responses)
    known = [
        _known(task, row, [next(stored) for _answer in row.answers], by) for task, row in zip(tasks, rows, strict=True)
    ]
    TaskItem.objects.bulk_create([item for items, _gold in known for item in items], batch_size=INSERT_CHUNK)
    Gold.objects.bulk_create([gold for _items, gold in known], batch_size=INSERT_CHUNK)


def _known(task: Task, row: GoldRow, responses: Sequence[Response], by: User) -> tuple[list[TaskItem], Gold]:
    numbers = merge_answers([(response.pk, response.text) for response in responses])
    items = [TaskItem(task=task, response=response, item=numbers[response.pk]) for response in responses]
    ranks = {item.item: rank for item, rank in zip(items, row.ranks, strict=True)}
    gold = Gold(
        task=task,
        ranks=[ranks[item] for item in range(len(items))],
        tolerance=row.tolerance,
        explanation=row.explanation,
        created_by=by,
    )
    return items, gold
