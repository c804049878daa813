"""Where answers come from."""

from feedback.models import Project, Source


def source_get_or_create(*, project: Project, key: str, name: str) -> Source:
    """Return the project's source of that key."""
    source, _ = Source.objects.get_or_create(project=project, key=key, defaults={"name": name})
    return source
