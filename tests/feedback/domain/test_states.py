import pytest

from feedback.domain.states import LEGAL, AssignmentState, BatchState


@pytest.mark.parametrize("states", [AssignmentState, BatchState])
def test_every_state_says_what_may_follow(states):
    for state in states:
        assert LEGAL[state] <= set(states)


def test_a_judged_or_skipped_assignment_stays_so():
    assert LEGAL[AssignmentState.SUBMITTED] == LEGAL[AssignmentState.RELEASED] == frozenset()
