from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from feedback.domain.protocol import ProtocolKind


class Project(models.Model):
    """One labeling campaign: its prompts, its people and its rules."""

    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True, max_length=2_000)
    overlap = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(100)],
    )  # fmt: skip
    """How many counted judgments each task gets."""
    lease_s = models.PositiveIntegerField(
        default=1_800, validators=[MinValueValidator(60), MaxValueValidator(86_400)],
    )  # fmt: skip
    """How long a shown task stays with its annotator: half an hour outlasts a phone call."""
    answers_per_task = models.PositiveSmallIntegerField(
        default=4, validators=[MinValueValidator(2), MaxValueValidator(9)],
    )  # fmt: skip
    prompts_per_batch = models.PositiveIntegerField(
        default=300, validators=[MinValueValidator(1), MaxValueValidator(1_000_000)],
    )  # fmt: skip
    max_overlap = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100)],
    )  # fmt: skip
    """Judgments a task may get when people disagree, before an adjudicator decides; empty: always `overlap`."""
    min_agreement = models.FloatField(
        default=0.6, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
    )  # fmt: skip
    """Share of a task's pairs that must be judged alike, or further people are asked."""
    gold_share = models.FloatField(default=0.0, validators=[MinValueValidator(0.0), MaxValueValidator(0.5)])
    """Share of an annotator's tasks that are hidden gold tasks, while there are any left for them."""
    repeat_share = models.FloatField(default=0.0, validators=[MinValueValidator(0.0), MaxValueValidator(0.5)])
    """Share of an annotator's tasks that they judged before."""
    qualification_pass = models.FloatField(
        default=0.7, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
    )  # fmt: skip
    """Share of the qualification tasks that a newcomer must get right."""
    daily_cap = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100_000)],
    )  # fmt: skip
    """Judgments a person may make in a day of their own time zone; empty: as many as they like."""
    is_demo = models.BooleanField(default=False)
    created_by = models.ForeignKey("feedback.User", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Protocol(models.Model):
    """One version of a project's guidelines and way of judging.

    Never changed after it was made: a change is a new version.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="protocols")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=ProtocolKind.choices, default=ProtocolKind.RANK)
    guidelines = models.TextField(blank=True, max_length=50_000)
    """Markdown."""
    options = models.JSONField(default=dict)
    """`feedback.domain.protocol.ProtocolOptions` as JSON."""
    created_by = models.ForeignKey("feedback.User", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="protocol_number_once")]

    def __str__(self) -> str:
        return f"{self.project}, version {self.number}"
