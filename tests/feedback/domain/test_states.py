import pytest

from feedback.domain.states import (
    LEGAL,
    AdjudicationState,
    AssignmentState,
    BatchState,
    ConversationState,
    HoldState,
    QualityState,
    Standing,
    TurnState,
)

STATES = (
    AdjudicationState,
    AssignmentState,
    BatchState,
    ConversationState,
    HoldState,
    QualityState,
    Standing,
    TurnState,
)


@pytest.mark.parametrize("states", STATES)
def test_every_state_says_what_may_follow(states):
    for state in states:
        assert LEGAL[state] <= set(states)


def test_a_judged_or_skipped_assignment_stays_so():
    assert LEGAL[AssignmentState.SUBMITTED] == LEGAL[AssignmentState.RELEASED] == frozenset()


def test_no_two_states_share_a_value_since_the_table_could_not_tell_them_apart():
    assert len(LEGAL) == sum(len(states) for states in STATES)
