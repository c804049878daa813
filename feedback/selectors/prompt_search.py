"""Prompts by their words and tags.

PostgreSQL finds whole words by an index over all turns; SQLite looks for the letters anywhere in them, in parts.
"""

import dataclasses
import json
from typing import Any

from django.db import connection
from django.db.models import BooleanField, F, Func, Q, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, StrIndex
from django.db.models.lookups import GreaterThan, IContains

from feedback.domain.states import Split
from feedback.models import Project, Prompt
from feedback.selectors.keyset import Found, keyset_page, narrow_ids


@dataclasses.dataclass(frozen=True)
class PromptFilter:
    """What is empty excludes nothing."""

    words: str = ""
    tag: str = ""
    split: Split | None = None


def prompt_search(*, project: Project, asked: PromptFilter, below: int | None = None, limit: int) -> Found[Prompt]:
    """Return a page of the prompts that have the words and the tag, the newest first."""
    rows = Prompt.objects.filter(project=project)
    if asked.split is not None:
        rows = rows.filter(split=asked.split)
    return keyset_page(
        rows=rows,
        matching=lambda part: with_words(part, "", words=asked.words, tag=asked.tag),
        narrow=lambda: prompt_ids_narrow(project=project, words=asked.words, tag=asked.tag),
        below=below,
        limit=limit,
    )


def prompt_ids_narrow(*, project: Project, words: str, tag: str) -> list[int] | None:
    """Return the ids of the prompts with these words and this tag when an index finds them and they are few."""
    if connection.vendor != "postgresql" or not (words or tag):
        return None
    return narrow_ids(with_words(Prompt.objects.filter(project=project), "", words=words, tag=tag))


def with_words(rows: QuerySet[Any], prompt: str, *, words: str, tag: str) -> QuerySet[Any]:
    """Return the rows whose prompt has the words and the tag; `prompt` is the way to it: "" or "prompt__"."""
    if words:
        rows = rows.filter(*_has_words(f"{prompt}messages", words))
    if tag:
        rows = rows.filter(_has_tag(f"{prompt}tags", tag))
    return rows


def _has_words(messages: str, words: str) -> list[Combinable]:
    if connection.vendor == "postgresql":
        text = Func(
            F(messages), template="to_tsvector('simple', jsonb_path_query_array(%(expressions)s, '$[*].content'))"
        )
        asked = Func(Value(words), template="plainto_tsquery('simple', %(expressions)s)")
        return [Func(text, asked, template="%(expressions)s", arg_joiner=" @@ ", output_field=BooleanField())]
    turns = Func(
        F(messages),
        template="(SELECT group_concat(json_extract(value, '$.content'), ' ') FROM json_each(%(expressions)s))",
        output_field=TextField(),
    )
    return [IContains(turns, word) for word in words.split()]


def _has_tag(tags: str, tag: str) -> Q | Combinable:
    if connection.vendor == "postgresql":
        return Q(**{f"{tags}__contains": [tag]})
    # As text, a tag stands between quotes, with escapes as it was stored.
    return GreaterThan(StrIndex(Cast(tags, TextField()), Value(json.dumps(tag))), 0)
