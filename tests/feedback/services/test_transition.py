import pytest

from feedback.domain.errors import Conflict
from feedback.domain.states import BatchState, IllegalTransition
from feedback.models import Batch, Transition
from feedback.services.transition import transition
from tests.feedback.factories import BatchFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_a_transition_changes_the_state_and_records_who_and_why():
    batch, actor = BatchFactory(), UserFactory()

    transition(obj=batch, to=BatchState.CLOSED, actor=actor, reason="enough", overlap=3)

    assert (batch.state, batch.overlap) == (BatchState.CLOSED, 3)
    assert Batch.objects.values_list("state", "overlap").get() == ("closed", 3)
    row = Transition.objects.get()
    assert (row.object_type, row.object_id, row.from_state, row.to_state) == (
        "feedback.batch",
        batch.pk,
        "open",
        "closed",
    )
    assert (row.actor, row.reason) == (actor, "enough")


def test_what_the_table_does_not_allow_changes_nothing():
    batch = BatchFactory()

    with pytest.raises(IllegalTransition, match="from open to sampling"):
        transition(obj=batch, to=BatchState.SAMPLING)

    batch.refresh_from_db()
    assert batch.state == BatchState.OPEN
    assert not Transition.objects.exists()


def test_of_two_who_saw_the_same_state_one_is_told_that_it_changed():
    batch = BatchFactory()
    twin = Batch.objects.get()
    transition(obj=batch, to=BatchState.CLOSED)

    with pytest.raises(Conflict, match="changed meanwhile"):
        transition(obj=twin, to=BatchState.CLOSED)
    assert Transition.objects.count() == 1


def test_further_conditions_must_hold():
    batch = BatchFactory(overlap=1)

    with pytest.raises(Conflict):
        transition(obj=batch, to=BatchState.CLOSED, where={"overlap": 2})
    transition(obj=batch, to=BatchState.CLOSED, where={"overlap": 1})
