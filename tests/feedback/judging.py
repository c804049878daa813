"""Judging by item, for tests that care about what was said and not about how it was shown."""

import secrets

from feedback.domain.verdict import Verdict
from feedback.services.judgment import judgment_submit


def judge(assignment, ranks, *, key="", **said):
    """Submit ranks by item number under a fresh key, or this one; return the judgment."""
    shown = tuple(ranks[item] for item in assignment.order)
    return judgment_submit(
        assignment_id=assignment.pk,
        annotator=assignment.annotator,
        verdict=Verdict(ranks=shown, **said),
        client_key=key or secrets.token_urlsafe(9),
    ).judgment
