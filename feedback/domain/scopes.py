"""What a key of the API may be limited to. A key without scopes may do all that its user may."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Scope(TextChoices):
    ANNOTATE = "annotate", _("Claim tasks and submit judgments")
    PROMPTS = "prompts", _("Add prompts")
    ROUNDS = "rounds", _("Launch, decide and follow rounds")
    EXPORT = "export", _("Download preferences and judgments")
