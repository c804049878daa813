"""Snapshots and who stands behind them."""

from collections import Counter

from django.db.models import QuerySet

from feedback.models import Judgment, Project, Snapshot
from feedback.selectors.judgment import CHUNK
from feedback.selectors.person import pseudonyms


def snapshot_list(*, project: Project) -> QuerySet[Snapshot]:
    """Return the project's snapshots, newest first."""
    return Snapshot.objects.filter(project=project).order_by("-pk")


def snapshot_people(snapshot: Snapshot) -> list[tuple[str, int]]:
    """Return (pseudonym, pinned judgments), the busiest first."""
    people: Counter[int] = Counter()
    for start in range(0, len(snapshot.judgment_ids), CHUNK):
        ids = snapshot.judgment_ids[start : start + CHUNK]
        people.update(Judgment.objects.filter(pk__in=ids).values_list("annotator_id", flat=True))
    names = pseudonyms(project=snapshot.project)
    return sorted(((names[user], n) for user, n in people.items()), key=lambda person: (-person[1], person[0]))
