"""What people have typed and not submitted."""

from feedback.models import Assignment, Draft


def draft_of(*, assignment: Assignment) -> Draft | None:
    """Return the draft of an assignment; whose it is, is the caller's question."""
    return Draft.objects.filter(assignment=assignment).first()
