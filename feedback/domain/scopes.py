"""What a key of the API may be limited to. A key without scopes may do all that its user may."""

from django.db.models import TextChoices


class Scope(TextChoices):
    ANNOTATE = "annotate", "Claim tasks and submit judgments"
    PROMPTS = "prompts", "Add prompts"
    ROUNDS = "rounds", "Launch, decide and follow rounds"
    EXPORT = "export", "Download preferences and judgments"
