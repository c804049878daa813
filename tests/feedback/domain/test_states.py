import pytest

from feedback.domain.states import LEGAL, AssignmentState, BatchState, ConversationState, TurnState


@pytest.mark.parametrize("states", [AssignmentState, BatchState])
def test_every_state_says_what_may_follow(states):
    for state in states:
        assert LEGAL[state] <= set(states)


def test_a_judged_or_skipped_assignment_stays_so():
    assert LEGAL[AssignmentState.SUBMITTED] == LEGAL[AssignmentState.RELEASED] == frozenset()


def test_no_two_states_share_a_value_since_the_table_could_not_tell_them_apart():
    members = [member for kind in (BatchState, AssignmentState, ConversationState, TurnState) for member in kind]
    assert len(LEGAL) == len(members)
