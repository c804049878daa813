"""The loop's client against a real site: its database, its API, a live server."""

from types import SimpleNamespace

import pytest

from alignment.domain.states import RoundState
from config.round.loop import Loop, LoopFailed
from feedback.domain.states import BatchState, Role
from feedback.services.person import token_create
from tests.alignment.factories import BuildRoundFactory, RoundFactory
from tests.feedback.factories import BatchFactory, MembershipFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project():
    return BuildRoundFactory().project


@pytest.fixture
def loop(project, live_server):
    _, key = token_create(
        user=MembershipFactory(project=project, role=Role.ADMIN).user, name="loop", scopes=("rounds",)
    )
    stack = SimpleNamespace(address=live_server.url, process=SimpleNamespace(poll=lambda: None))
    journal = SimpleNamespace(stage=lambda name: None, progress=lambda *figures: None)
    setup = {"project": project.pk, "annotator_keys": [], "admin_key": key}
    loop = Loop(SimpleNamespace(seed=1, recipe={}), stack, journal, setup, gold=len)
    yield loop
    loop.close()


def test_a_round_that_waits_for_a_person_ends_the_loop_with_what_it_waits_for(loop, project):
    batch = BatchFactory(project=project, state=BatchState.FAILED)
    RoundFactory(project=project, state=RoundState.SAMPLING, batch=batch, waiting_for="All answers were the same.")
    with pytest.raises(LoopFailed, match=r"Round 1 cannot go on by itself: All answers were the same\."):
        loop.play(1)


def test_a_round_that_failed_ends_the_loop_with_its_reason(loop, project):
    RoundFactory(project=project, state=RoundState.FAILED, error="The reward run failed.")
    with pytest.raises(LoopFailed, match=r"Round 1 ended as failed: The reward run failed\."):
        loop.play(1)
