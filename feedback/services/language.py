"""The language in which a person reads the pages."""

from django.conf import settings
from django.utils.translation import gettext as _

from feedback.domain.errors import Invalid
from feedback.models import User


def language_choose(*, user: User, language: str) -> None:
    """Keep a person's language for all their browsers. Raises: Invalid."""
    if language not in dict(settings.LANGUAGES):
        raise Invalid(_("This language is not one of ours; choose from those in the foot of the page."))
    user.language = language
    user.save(update_fields=["language"])
