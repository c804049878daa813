"""One small factory for each model: a valid row, and nothing that a test has not asked for."""

import datetime as dt

import factory
from django.db.models import F
from django.utils import timezone
from factory.django import DjangoModelFactory

from feedback.domain.gold import EVERYBODY
from feedback.domain.messages import messages_sha256
from feedback.domain.protocol import ProtocolKind
from feedback.domain.quality import NOTHING, AnnotatorFigures, Estimate, Histogram, QualityFigures
from feedback.domain.ranking import pairs_from_ranks
from feedback.domain.states import EXPORTED, AssignmentState, BatchState, QualityState, Role, Split, TaskPurpose
from feedback.models import (
    Adjudication,
    Assignment,
    Batch,
    Consensus,
    Conversation,
    Gold,
    Hold,
    Judgment,
    Membership,
    Project,
    Prompt,
    Protocol,
    QualityReport,
    Response,
    Snapshot,
    Source,
    Task,
    TaskItem,
    Turn,
    TurnAnswer,
    User,
)


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    password = factory.django.Password("a long enough secret")


class ProjectFactory(DjangoModelFactory):
    """With its first protocol, as the service makes it."""

    class Meta:
        model = Project
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Project {n}")
    created_by = factory.SubFactory(UserFactory)

    @factory.post_generation
    def protocol(self, create, extracted, **kwargs):
        if create:
            ProtocolFactory(project=self, created_by=self.created_by, **kwargs)


class ProtocolFactory(DjangoModelFactory):
    class Meta:
        model = Protocol

    project = factory.SubFactory(ProjectFactory)
    number = factory.LazyAttribute(lambda protocol: protocol.project.protocols.count() + 1)
    guidelines = "Prefer the answer that helps."
    created_by = factory.SubFactory(UserFactory)


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = Membership

    project = factory.SubFactory(ProjectFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.ANNOTATOR
    pseudonym = factory.Sequence(lambda n: f"p-{n:010x}")


class PromptFactory(DjangoModelFactory):
    class Meta:
        model = Prompt

    class Params:
        text = factory.Sequence(lambda n: f"Question {n}?")

    project = factory.SubFactory(ProjectFactory)
    messages = factory.LazyAttribute(lambda prompt: [{"role": "user", "content": prompt.text}])
    content_sha256 = factory.LazyAttribute(lambda prompt: messages_sha256(prompt.messages))
    group = factory.LazyAttribute(lambda prompt: prompt.content_sha256)
    split = Split.RANKED


class SourceFactory(DjangoModelFactory):
    class Meta:
        model = Source

    project = factory.SubFactory(ProjectFactory)
    key = factory.Sequence(lambda n: f"source-{n}")
    name = factory.LazyAttribute(lambda source: f"Source {source.key}")


class BatchFactory(DjangoModelFactory):
    class Meta:
        model = Batch

    project = factory.SubFactory(ProjectFactory)
    number = factory.LazyAttribute(lambda batch: batch.project.batches.count() + 1)
    overlap = factory.SelfAttribute("project.overlap")
    state = BatchState.OPEN


class ResponseFactory(DjangoModelFactory):
    class Meta:
        model = Response

    prompt = factory.SubFactory(PromptFactory)
    source = factory.SubFactory(SourceFactory, project=factory.SelfAttribute("..prompt.project"))
    text = factory.Sequence(lambda n: f"Answer {n}.")


class TaskFactory(DjangoModelFactory):
    """A task in an open batch with distinct answers of one source: TaskFactory(project=..., n_answers=4)."""

    class Meta:
        model = Task
        skip_postgeneration_save = True

    project = factory.SubFactory(ProjectFactory)
    batch = factory.LazyAttribute(
        lambda task: task.project.batches.filter(state=BatchState.OPEN).first() or BatchFactory(project=task.project)
    )
    prompt = factory.SubFactory(PromptFactory, project=factory.SelfAttribute("..project"))
    overlap = factory.SelfAttribute("batch.overlap")
    open_slots = factory.SelfAttribute("overlap")

    @factory.post_generation
    def n_answers(self, create, extracted, **kwargs):
        if not create:
            return
        if self.batch is not None and self.purpose in EXPORTED:
            Batch.objects.filter(pk=self.batch.pk).update(
                n_tasks=F("n_tasks") + 1, n_wanted=F("n_wanted") + self.overlap
            )
        source = self.project.sources.first() or SourceFactory(project=self.project)
        for item in range(2 if extracted is None else extracted):
            response = ResponseFactory(prompt=self.prompt, source=source, batch=self.batch, sample=item)
            TaskItemFactory(task=self, response=response, item=item)


class TaskItemFactory(DjangoModelFactory):
    class Meta:
        model = TaskItem

    task = factory.SubFactory(TaskFactory, n_answers=0)
    response = factory.SubFactory(ResponseFactory, prompt=factory.SelfAttribute("..task.prompt"))
    item = 0


class GoldFactory(DjangoModelFactory):
    """A known answer that puts item 0 first: GoldFactory(task__project=project, task__purpose="training")."""

    class Meta:
        model = Gold

    task = factory.SubFactory(
        TaskFactory, purpose=TaskPurpose.GOLD, batch=None, overlap=EVERYBODY, open_slots=EVERYBODY
    )
    ranks = factory.LazyAttribute(lambda gold: [item + 1 for item in range(gold.task.items.count())])
    created_by = factory.SelfAttribute("task.project.created_by")


class AssignmentFactory(DjangoModelFactory):
    """A held, shown assignment. It takes no slot of its task: claim through the service where slots matter."""

    class Meta:
        model = Assignment

    task = factory.SubFactory(TaskFactory)
    annotator = factory.SubFactory(UserFactory)
    state = AssignmentState.HELD
    order = factory.LazyAttribute(lambda assignment: sorted(set(assignment.task.items.values_list("item", flat=True))))
    protocol = factory.LazyAttribute(lambda assignment: assignment.task.project.protocols.latest("number"))
    shown_at = factory.LazyFunction(timezone.now)
    lease_expires_at = factory.LazyFunction(lambda: timezone.now() + dt.timedelta(minutes=30))


class JudgmentFactory(DjangoModelFactory):
    """A counted judgment that ranks item 0 first: JudgmentFactory(assignment__task=task, ranks=[1, 1])."""

    class Meta:
        model = Judgment

    assignment = factory.SubFactory(AssignmentFactory, state=AssignmentState.SUBMITTED)
    task = factory.SelfAttribute("assignment.task")
    annotator = factory.SelfAttribute("assignment.annotator")
    protocol = factory.SelfAttribute("assignment.protocol")
    ranks = factory.LazyAttribute(lambda judgment: [item + 1 for item in range(len(judgment.assignment.order))])
    cannot_judge = factory.LazyFunction(list)
    n_pairs = factory.LazyAttribute(lambda judged: len(pairs_from_ranks(judged.ranks, judged.cannot_judge).won))
    n_ties = factory.LazyAttribute(lambda judged: len(pairs_from_ranks(judged.ranks, judged.cannot_judge).tied))
    client_key = factory.Sequence(lambda n: f"key-{n}")


class SnapshotFactory(DjangoModelFactory):
    class Meta:
        model = Snapshot

    project = factory.SubFactory(ProjectFactory)
    judgment_ids = factory.LazyFunction(list)
    sha256 = "0" * 64


def quality_figures(**figures):
    """Return figures of which nothing is known but what is given."""
    estimates = (
        "pairwise_agreement", "kendall_tau", "krippendorff_alpha", "gold_accuracy", "self_consistency",
        "first_position", "length_preference", "seconds", "mean_confidence",
    )  # fmt: skip
    empty = {
        **dict.fromkeys(("n_judgments", "n_tasks", "n_annotators", "n_pairs"), 0),
        **dict.fromkeys(estimates, NOTHING),
        **dict.fromkeys(("annotators", "sources", "pairs", "plan"), ()),
        **dict.fromkeys(("seconds_histogram", "agreement_histogram"), Histogram((), ())),
        "flags": {},
    }
    return QualityFigures(**{**empty, **figures})


def annotator_figures(user, **figures):
    estimates = (
        "reliability", "agreement", "gold_accuracy", "self_consistency", "first_position", "length_preference",
        "seconds", "flags_per_task",
    )  # fmt: skip
    empty = {**dict.fromkeys(estimates, NOTHING), "n_judgments": 0, "weight": 1.0, "copies": None, "suspicions": ()}
    return AnnotatorFigures(user.pk, **{**empty, **figures})


class QualityReportFactory(DjangoModelFactory):
    """A computed report: QualityReportFactory(project=..., reliable={user: (reliability, weight)})."""

    class Meta:
        model = QualityReport

    class Params:
        reliable = {}

    project = factory.SubFactory(ProjectFactory)
    state = QualityState.COMPUTED
    figures = factory.LazyAttribute(
        lambda report: quality_figures(
            annotators=tuple(
                annotator_figures(user, reliability=Estimate(reliability), weight=weight)
                for user, (reliability, weight) in report.reliable.items()
            )
        ).to_json()
    )
    started_at = factory.LazyFunction(timezone.now)
    computed_at = factory.LazyFunction(timezone.now)


class ConsensusFactory(DjangoModelFactory):
    class Meta:
        model = Consensus

    task = factory.SubFactory(TaskFactory)
    report = factory.SubFactory(QualityReportFactory, project=factory.SelfAttribute("..task.project"))
    ranks = factory.LazyFunction(lambda: [1, 2])
    confidence = 0.9
    n_judgments = 3


class ConversationFactory(DjangoModelFactory):
    """A conversation of two sources whose first turn is being answered."""

    class Meta:
        model = Conversation
        skip_postgeneration_save = True

    project = factory.SubFactory(ProjectFactory, protocol__kind=ProtocolKind.LIVE)
    annotator = factory.SubFactory(UserFactory)
    batch = factory.SubFactory(BatchFactory, project=factory.SelfAttribute("..project"))

    @factory.post_generation
    def turn(self, create, extracted, **kwargs):
        if create:
            self.sources.add(*SourceFactory.create_batch(2, project=self.project))
            turn = Turn.objects.create(
                conversation=self, number=1, prompt=PromptFactory(project=self.project, **kwargs)
            )
            for source in self.sources.order_by("pk"):
                TurnAnswer.objects.create(turn=turn, source=source)


class AdjudicationFactory(DjangoModelFactory):
    class Meta:
        model = Adjudication

    task = factory.SubFactory(TaskFactory, open_slots=0)
    agreement = 0.0


class HoldFactory(DjangoModelFactory):
    class Meta:
        model = Hold

    membership = factory.SubFactory(MembershipFactory)
    reason = "5 of 8 judgments within 0.3 to 0.9 seconds each"
