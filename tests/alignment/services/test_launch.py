"""What a launch needs: each lack is refused before anything starts, with what to do about it."""

import itertools

import pytest

from alignment.domain.errors import RoundRefused
from alignment.domain.recipe import Recipe
from alignment.domain.states import RoundState
from alignment.services.round import round_launch
from feedback.domain.split import half_of
from feedback.domain.states import BatchState, Split
from feedback.models import Project
from tests.alignment.factories import BuildRoundFactory, DeploymentFactory, RoundFactory
from tests.feedback.factories import (
    BatchFactory,
    JudgmentFactory,
    MembershipFactory,
    PromptFactory,
    TaskFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss():
    return UserFactory(is_superuser=True)


def labeling(*, gold: str = "tests.gold:score") -> Project:
    """A project whose round may be launched but for what a test leaves out."""
    project = BuildRoundFactory(gold=gold).project
    DeploymentFactory(project=project)
    RoundFactory(project=project, batch=BatchFactory(project=project))
    PromptFactory.create_batch(32, project=project, split=Split.POOL)
    PromptFactory(project=project, split=Split.HELDOUT)
    MembershipFactory(project=project)
    return project


def rank(project: Project, n_prompts: int, *, ranks=(1, 2, 3), half: str = "") -> None:
    """Rank answers to prompts, all of one half where one is named."""
    annotator = project.memberships.get().user
    names = (name for name in map("group {}".format, itertools.count()) if half in {"", half_of(name)})
    for name in itertools.islice(names, n_prompts):
        task = TaskFactory(project=project, n_answers=len(ranks), prompt__group=name)
        JudgmentFactory(assignment__task=task, assignment__annotator=annotator, ranks=list(ranks))


def refused(project: Project, boss, broker, recipe: Recipe, match: str) -> None:
    with pytest.raises(RoundRefused, match=match):
        round_launch(project=project, recipe=recipe, by=boss)
    round_ = project.rounds.get(number=1)
    assert (round_.state, round_.batch.state, round_.recipe) == (RoundState.LABELING, BatchState.OPEN, {})
    assert not project.snapshots.exists()
    assert broker.messages == []


def test_an_empty_pool_is_refused_where_the_policy_answers_its_prompts(boss, broker):
    project = labeling()
    rank(project, 12)
    project.prompts.filter(split=Split.POOL).delete()
    refused(project, boss, broker, Recipe(), "no prompts of the split 'pool': import more")
    round_launch(project=project, recipe=Recipe(method="dpo"), by=boss)


def test_more_folds_than_prompts_with_a_winner_are_refused(boss, broker):
    project = labeling()
    rank(project, 12)
    rank(project, 8, ranks=(1, 1, 1))
    recipe = Recipe(reward={"folds": 13})
    refused(project, boss, broker, recipe, r"12 prompts .* not enough for 13 folds: set .* to at most 12")
    round_launch(project=project, recipe=Recipe(reward={"folds": 12}), by=boss)


def test_rankings_that_are_all_ties_are_none(boss, broker):
    project = labeling()
    rank(project, 40, ranks=(1, 1, 1))
    refused(project, boss, broker, Recipe(), "0 ranked pairs of 0 prompts; training needs at least 20 pairs of 10")


@pytest.mark.parametrize(("half", "whose"), [("a", "judge"), ("b", "reward model")])
def test_a_half_without_rankings_is_refused(boss, broker, half, whose):
    project = labeling(gold="")
    rank(project, 40, half=half)
    refused(project, boss, broker, Recipe(), f"for the {whose} there are 0 ranked pairs of 0 prompts; .* rank more")


def test_two_halves_that_are_both_large_enough_are_launched(boss, broker):
    project = labeling(gold="")
    rank(project, 10, half="a")
    rank(project, 10, half="b")
    assert round_launch(project=project, recipe=Recipe(), by=boss).state == RoundState.SNAPSHOT
