"""Answers that people wrote or improved, in trl's prompt-completion format for fine-tuning.

Source: https://huggingface.co/docs/trl/dataset_formats (conversational)
"""

from collections.abc import Iterator
from typing import Any

from feedback.models import Project
from feedback.selectors.judgment import judged_with_text, source_label
from feedback.selectors.preference import answer_written, as_messages


def demonstration_rows(*, project: Project) -> Iterator[dict[str, Any]]:
    """Yield one row for each improved or written answer of a judgment that stands."""
    for judged in judged_with_text(project=project):
        judgment = judged.judgment
        task, item = judgment.task, judgment.edited_item
        yield {
            "prompt": task.prompt.messages,
            "completion": as_messages(answer_written(judged)),
            "task": task.pk,
            "annotator": judged.annotator,
            "improves": None if item is None else source_label(judged.answers[item]),
            "prompt_id": task.prompt_id,
            "protocol": judgment.protocol.number,
            "reliability": judged.reliability,
            "weight": judged.weight,
        }
