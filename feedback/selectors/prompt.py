"""Prompts of a project."""

from django.db.models import Count, QuerySet

from feedback.domain.states import Split
from feedback.models import Project, Prompt

EXCERPT_LENGTH = 160
"""Characters of a prompt: two lines in a list."""


def prompt_list(*, project: Project, split: Split | None = None) -> QuerySet[Prompt]:
    """Return the prompts in the order in which they came; slice it."""
    prompts = Prompt.objects.filter(project=project).order_by("pk")
    return prompts if split is None else prompts.filter(split=split)


def prompt_counts(*, project: Project) -> dict[Split, int]:
    """Return how many prompts each split has; an index alone answers it."""
    counts = dict(Prompt.objects.filter(project=project).values_list("split").annotate(n=Count("*")))
    return {split: counts.get(split.value, 0) for split in Split}


def prompt_count_up_to(*, project: Project, at_most: int) -> int:
    """Return how many prompts the project has, and `at_most` when there are more."""
    return Prompt.objects.filter(project=project)[:at_most].count()


def prompt_excerpt(*, prompt: Prompt) -> str:
    """Return the beginning of the prompt's last turn, in one line."""
    words = " ".join(str(prompt.messages[-1]["content"]).split())
    return words if len(words) <= EXCERPT_LENGTH else f"{words[: EXCERPT_LENGTH - 1].rstrip()}…"
