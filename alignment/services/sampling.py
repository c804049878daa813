"""Sampling a batch's answers from the policies that it compares, in chunks, so that an end at any moment loses little.

Which answers a batch wants and the seed of each are pure functions of the round, so a second try, or a second worker at
the same time, makes the same answers and stores each once.
"""

import contextlib
import datetime as dt
import itertools
import uuid
from collections.abc import Generator, Iterator, Sequence

import structlog
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from alignment.domain.errors import EndpointDown, EndpointRefused
from alignment.domain.sampling import Wanted, answers_wanted, seed_of
from alignment.models import ModelVersion, Round
from alignment.policies.sampling import TEMPERATURE, Sampler
from alignment.services.specs import build_recipe
from feedback.dispatch import dispatch
from feedback.domain.states import BatchState, FinishReason
from feedback.models import Batch, Response
from feedback.services.batch import batch_open
from feedback.services.response import responses_add

log = structlog.get_logger(__name__)

CHUNK_PROMPTS = 50
"""Prompts stored per transaction: some seconds of work, and enough requests to fill the server's batches."""

_LEASE_S = 15
"""After this long without a sign of life another worker may take the batch; it would only repeat the same answers."""


def batch_sample_send(*, round: Round) -> None:
    """Ask a worker to sample the round's batch, unless one is at it."""
    if Round.objects.filter(_free(), pk=round.pk).exists():
        dispatch("alignment.batch_sample", batch_id=round.batch_id)


def batch_sample(*, batch_id: int) -> None:
    """Sample what the batch still wants, then open it. An endpoint that is down ends the job; it is tried again."""
    round_ = Round.objects.select_related("project", "batch").filter(batch=batch_id).order_by("-number").first()
    if round_ is None or round_.batch is None or round_.batch.state != BatchState.SAMPLING:
        return
    lease = _Lease(round_.pk)
    if not lease.take():
        return
    waiting_for = ""
    try:
        with contextlib.closing(_sample(round_, round_.batch, lease)) as chunks:
            for _ in chunks:
                if not lease.beat() or not Batch.objects.filter(pk=batch_id, state=BatchState.SAMPLING).exists():
                    return  # another worker took over, or the round has ended
        _ensure_answered(round_.batch)
        batch_open(batch=round_.batch)
    except (EndpointDown, EndpointRefused) as error:
        waiting_for = str(error)
        log.warning("sampling_waits", batch_id=batch_id, error=waiting_for)
    finally:
        lease.give_back(waiting_for)
    if not waiting_for:
        dispatch("alignment.round_advance", round_id=round_.pk)


def _ensure_answered(batch: Batch) -> None:
    """Raises: EndpointRefused when not one prompt could be answered: a fault of the endpoint or of all prompts."""
    if batch.plan and not Response.objects.filter(batch=batch).exists():
        raise EndpointRefused(
            gettext_noop("The policy server refused every prompt. Are they too long? Add shorter ones and cancel.")
        )


class _Lease:
    """The right to sample a round's batch, so that its periodic reminder does not start it twice."""

    def __init__(self, round_id: int) -> None:
        self._id = uuid.uuid4()
        self._round = Round.objects.filter(pk=round_id)
        self._held = self._round.filter(sampling_lease=self._id)

    def take(self) -> bool:
        return bool(self._round.filter(_free()).update(sampling_lease=self._id, sampling_beat_at=timezone.now()))

    def beat(self) -> bool:
        return bool(self._held.update(sampling_beat_at=timezone.now()))

    def give_back(self, waiting_for: str) -> None:
        self._held.update(sampling_lease=None, sampling_beat_at=None, waiting_for=waiting_for)


def _sample(round_: Round, batch: Batch, lease: _Lease) -> Generator[None, None, None]:
    """Store the batch's missing answers a chunk at a time."""
    prompts = dict(batch.prompts.order_by("pk").values_list("pk", "messages"))
    plan = [(entry["source"], entry["n"]) for entry in batch.plan]
    known = {
        Wanted(*row) for row in Response.objects.filter(batch=batch).values_list("prompt_id", "source_id", "sample")
    }
    missing = [wanted for wanted in answers_wanted(plan, list(prompts)) if wanted not in known]
    if not missing:
        return
    versions = _versions([source for source, _ in plan])
    limit = build_recipe(round_.project).max_new_tokens
    sampler = Sampler(versions, max_new_tokens=limit)
    try:
        for chunk in _chunks(missing):
            requests = [(item.source_id, prompts[item.prompt_id], seed_of(round_.seed, item)) for item in chunk]
            answers = sampler.sample(requests, on_wait=lease.beat)
            decoding = {"temperature": TEMPERATURE, "max_new_tokens": limit}
            responses_add(
                batch=batch,
                rows=[
                    (item.prompt_id, item.source_id, item.sample, answer.text, _finish(answer.finish_reason),
                     decoding | {"seed": seed})
                    for item, answer, (_, _, seed) in zip(chunk, answers, requests, strict=True)
                    if answer is not None
                ],
            )  # fmt: skip
            yield
    finally:
        sampler.close()


def _chunks(missing: Sequence[Wanted]) -> Iterator[list[Wanted]]:
    by_prompt = itertools.groupby(missing, key=lambda item: item.prompt_id)
    groups = (list(group) for _, group in by_prompt)
    while chunk := list(itertools.islice(groups, CHUNK_PROMPTS)):
        yield list(itertools.chain.from_iterable(chunk))


def _versions(source_ids: Sequence[int]) -> dict[int, ModelVersion]:
    versions = ModelVersion.objects.filter(source__in=source_ids).select_related("parent")
    return {version.source_id: version for version in versions if version.source_id is not None}


def _finish(reason: str) -> str:
    return FinishReason.LENGTH if reason == "length" else FinishReason.STOP


def _free() -> Q:
    stale = timezone.now() - dt.timedelta(seconds=_LEASE_S)
    return Q(sampling_beat_at=None) | Q(sampling_beat_at__lt=stale)
