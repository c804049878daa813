"""Taking in preference pairs that were judged elsewhere, as a closed batch of tasks with one judgment each."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import BinaryIO

from django.db import transaction
from django.utils import timezone

from feedback.domain.messages import Message, json_sha256, messages_sha256
from feedback.domain.states import AssignmentState, BatchState, Role, Split, UserKind
from feedback.formats.preferences import PreferenceRow, read_preferences
from feedback.models import (
    Assignment,
    Batch,
    Judgment,
    Membership,
    Project,
    Prompt,
    Response,
    Source,
    Task,
    TaskItem,
    User,
)
from feedback.selectors.project import protocol_for
from feedback.services.batch import batch_add, merge_answers
from feedback.services.hold import project_hold
from feedback.services.prompt import prompts_known
from feedback.services.source import source_get_or_create

INSERT_CHUNK = 1_000
IMPORTER = "imported"
"""The user, and the pseudonym, under which judgments from elsewhere stand."""

Measure = Callable[[Sequence[Message]], int]
"""Returns the length of a conversation, its answer included, in whatever the limit counts."""


@dataclasses.dataclass(frozen=True)
class PreferenceImport:
    n_added: int
    n_known: int
    """Pairs that were imported before, or that stand twice in the file."""
    n_skipped_too_long: int
    n_skipped_equal: int
    """Chosen and rejected are the same text."""
    n_skipped_split: int
    """The project holds the prompt out, or keeps it for the pool: what is ranked must not be what is evaluated."""
    batch: Batch | None


@dataclasses.dataclass(frozen=True)
class _Pair:
    row: PreferenceRow
    prompt_sha256: str
    key: str


def preferences_import(
    *,
    project: Project,
    file: BinaryIO,
    filename: str,
    by: User | None = None,
    chosen_source: str = "imported-chosen",
    rejected_source: str = "imported-rejected",
    measure: Measure | None = None,
    max_length: int | None = None,
) -> PreferenceImport:
    """Add a file's pairs as rankings of two: trl's shapes or ShareGPT's. Raises: UploadRefused, and nothing is stored.

    New prompts join the ranked split. With `measure`, pairs of which either answer with its prompt is longer than
    `max_length` are skipped and counted. Importing the same file again adds nothing.
    """
    rows = list(read_preferences(file, filename))
    fitting = [row for row in rows if measure is None or max_length is None or _length(row, measure) <= max_length]
    differing = [row for row in fitting if row.chosen != row.rejected]
    pairs = [_pair_of(row) for row in differing]
    with transaction.atomic():
        project_hold(project=project)
        sources = [source_get_or_create(project=project, key=key, name=key) for key in (chosen_source, rejected_source)]
        known_prompts = prompts_known(project=project, hashes={pair.prompt_sha256 for pair in pairs})
        rankable = [
            pair for pair in pairs if known_prompts.get(pair.prompt_sha256, (0, Split.RANKED))[1] == Split.RANKED
        ]
        seen = _imported_keys(project, sources)
        fresh: dict[str, _Pair] = {}
        for pair in rankable:
            if pair.key not in seen:
                fresh.setdefault(pair.key, pair)
        batch = _store(project, list(fresh.values()), known_prompts, sources, by) if fresh else None
    return PreferenceImport(
        n_added=len(fresh),
        n_known=len(rankable) - len(fresh),
        n_skipped_too_long=len(rows) - len(fitting),
        n_skipped_equal=len(fitting) - len(differing),
        n_skipped_split=len(pairs) - len(rankable),
        batch=batch,
    )


def _length(row: PreferenceRow, measure: Measure) -> int:
    answers = [Message(role="assistant", content=text) for text in (row.chosen, row.rejected)]
    return max(measure([*row.messages, answer]) for answer in answers)


def _pair_of(row: PreferenceRow) -> _Pair:
    digest = messages_sha256(row.messages)
    return _Pair(row, digest, json_sha256([digest, row.chosen, row.rejected]))


def _imported_keys(project: Project, sources: Sequence[Source]) -> set[str]:
    """Return the keys of the pairs that were imported before from these sources."""
    responses = Response.objects.filter(prompt__project=project, source__in=sources).order_by("pk")
    texts: dict[tuple[int, ...], dict[int, tuple[str, str]]] = {}
    fields = ("batch_id", "prompt_id", "sample", "source_id", "prompt__content_sha256", "text")
    for *place, source_id, digest, text in responses.values_list(*fields).iterator(2_000):
        texts.setdefault(tuple(place), {})[source_id] = (digest, text)
    chosen, rejected = (source.pk for source in sources)
    return {
        json_sha256([pair[chosen][0], pair[chosen][1], pair[rejected][1]])
        for pair in texts.values()
        if chosen in pair and rejected in pair
    }


def _store(
    project: Project,
    pairs: Sequence[_Pair],
    known_prompts: dict[str, tuple[int, str]],
    sources: Sequence[Source],
    by: User | None,
) -> Batch:
    prompt_ids = _store_prompts(project, pairs, known_prompts)
    batch = batch_add(project=project, state=BatchState.CLOSED, overlap=1, plan=[], actor=by)
    Batch.objects.filter(pk=batch.pk).update(opened_at=timezone.now(), closed_at=timezone.now())
    batch.prompts.add(*sorted(set(prompt_ids)))
    samples: Counter[int] = Counter()
    responses = []
    for pair, prompt_id in zip(pairs, prompt_ids, strict=True):
        for source, text in zip(sources, (pair.row.chosen, pair.row.rejected), strict=True):
            responses.append(
                Response(prompt_id=prompt_id, source=source, batch=batch, sample=samples[prompt_id], text=text)
            )
        samples[prompt_id] += 1
    Response.objects.bulk_create(responses, batch_size=INSERT_CHUNK)
    tasks = Task.objects.bulk_create(
        [Task(project=project, batch=batch, prompt_id=prompt_id, overlap=1, open_slots=0) for prompt_id in prompt_ids],
        batch_size=INSERT_CHUNK,
    )
    Batch.objects.filter(pk=batch.pk).update(n_tasks=len(tasks), n_wanted=len(tasks))
    _store_judgments(project, tasks, responses)
    return batch


def _store_prompts(project: Project, pairs: Sequence[_Pair], known_prompts: dict[str, tuple[int, str]]) -> list[int]:
    new = {pair.prompt_sha256: pair.row.messages for pair in pairs if pair.prompt_sha256 not in known_prompts}
    stored = Prompt.objects.bulk_create(
        [
            Prompt(project=project, messages=messages, content_sha256=digest, group=digest, split=Split.RANKED)
            for digest, messages in new.items()
        ],
        batch_size=INSERT_CHUNK,
    )
    ids = {digest: pk for digest, (pk, _) in known_prompts.items()} | {row.content_sha256: row.pk for row in stored}
    return [ids[pair.prompt_sha256] for pair in pairs]


def _store_judgments(project: Project, tasks: Sequence[Task], responses: Sequence[Response]) -> None:
    """Judge each task: its two responses stand next to each other, the chosen one first."""
    importer = _importer_of(project)
    protocol = protocol_for(project=project, n_answers=2)
    answers = list(zip(responses[::2], responses[1::2], strict=True))
    items = [merge_answers([(chosen.pk, chosen.text), (rejected.pk, rejected.text)]) for chosen, rejected in answers]
    TaskItem.objects.bulk_create(
        [
            TaskItem(task=task, response_id=pk, item=item)
            for task, merged in zip(tasks, items, strict=True)
            for pk, item in merged.items()
        ],
        batch_size=INSERT_CHUNK,
    )
    now = timezone.now()
    assignments = Assignment.objects.bulk_create(
        [
            Assignment(
                task=task,
                annotator=importer,
                state=AssignmentState.SUBMITTED,
                order=[0, 1],
                protocol=protocol,
                lease_expires_at=now,
            )
            for task in tasks
        ],
        batch_size=INSERT_CHUNK,
    )
    Judgment.objects.bulk_create(
        [
            Judgment(
                assignment=assignment,
                task=task,
                annotator=importer,
                protocol=protocol,
                ranks=[1, 2] if merged[chosen.pk] == 0 else [2, 1],
                n_pairs=1,
                n_ties=0,
                client_key=f"imported-{task.pk}",
            )
            for task, assignment, merged, (chosen, _) in zip(tasks, assignments, items, answers, strict=True)
        ],
        batch_size=INSERT_CHUNK,
    )


def _importer_of(project: Project) -> User:
    importer, created = User.objects.get_or_create(
        username=IMPORTER, defaults={"kind": UserKind.JUDGE, "is_active": False}
    )
    if created:
        importer.set_unusable_password()
        importer.save(update_fields=["password"])
    Membership.objects.get_or_create(
        project=project, user=importer, role=Role.ANNOTATOR, defaults={"pseudonym": IMPORTER, "is_active": False}
    )
    return importer
