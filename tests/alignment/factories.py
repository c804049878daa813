"""One small factory for each model of alignment."""

import factory
from factory.django import DjangoModelFactory

from alignment.domain.recipe import BuildRecipe
from alignment.domain.states import DeploymentState, RoundState, VersionKind
from alignment.models import Deployment, Evaluation, ModelVersion, Round, Run
from tests.feedback.factories import ProjectFactory, SourceFactory, UserFactory


class RoundFactory(DjangoModelFactory):
    class Meta:
        model = Round

    project = factory.SubFactory(ProjectFactory)
    number = factory.LazyAttribute(lambda round_: round_.project.rounds.count())
    state = RoundState.LABELING
    launched_by = factory.SubFactory(UserFactory)


class BuildRoundFactory(RoundFactory):
    """A finished import: `recipe` may carry a gold score."""

    class Params:
        gold = ""

    is_build = True
    state = RoundState.DEPLOYED
    recipe = factory.LazyAttribute(lambda r: BuildRecipe(kind="import", base="hub/base", gold=r.gold).to_json())


class RunFactory(DjangoModelFactory):
    class Meta:
        model = Run

    round = factory.SubFactory(RoundFactory, state=RoundState.REWARD)
    stage = "reward"
    purpose = factory.SelfAttribute("stage")
    spec = factory.LazyAttribute(lambda run: {"stage": run.stage, "seed": 0})


class ModelVersionFactory(DjangoModelFactory):
    class Meta:
        model = ModelVersion

    project = factory.SubFactory(ProjectFactory)
    kind = VersionKind.SFT
    name = factory.Sequence(lambda n: f"version-{n}")
    path = factory.SelfAttribute("name")
    source = factory.SubFactory(SourceFactory, project=factory.SelfAttribute("..project"))


class DeploymentFactory(DjangoModelFactory):
    class Meta:
        model = Deployment

    project = factory.SubFactory(ProjectFactory)
    version = factory.SubFactory(ModelVersionFactory, project=factory.SelfAttribute("..project"))
    state = DeploymentState.LIVE
    deployed_by = factory.SubFactory(UserFactory)


class EvaluationFactory(DjangoModelFactory):
    class Meta:
        model = Evaluation

    round = factory.SubFactory(RoundFactory, state=RoundState.GATE)
    run = factory.SubFactory(RunFactory, round=factory.SelfAttribute("..round"), stage="evaluate")
    policy = factory.SubFactory(
        ModelVersionFactory, project=factory.SelfAttribute("..round.project"), kind=VersionKind.POLICY
    )
    judge = "world:gold"
    metrics = factory.LazyFunction(lambda: {"win_rate": 0.7})
    passed = True
