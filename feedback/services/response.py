"""Answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from feedback.domain.messages import storable
from feedback.domain.states import FinishReason
from feedback.models import Batch, Response

ResponseRow = tuple[int, int, int, str, str, Mapping[str, Any]]
"""(prompt id, source id, sample, text, finish reason, decoding settings)"""


def responses_add(*, batch: Batch, rows: Sequence[ResponseRow]) -> None:
    """Store sampled answers; a sample that is already there stays as it is, so a repeated job adds nothing."""
    Response.objects.bulk_create(
        [
            Response(
                batch=batch,
                prompt_id=prompt_id,
                source_id=source_id,
                sample=sample,
                text=storable(text),
                finish_reason=FinishReason(finish_reason),
                decoding=dict(decoding),
            )
            for prompt_id, source_id, sample, text, finish_reason, decoding in rows
        ],
        ignore_conflicts=True,
    )
