import pytest

from feedback.domain.errors import Invalid
from feedback.models import Task
from feedback.selectors.annotator import Block, block_list
from feedback.services.assignment import assignment_claim, assignment_show
from feedback.services.batch import batch_close
from feedback.services.block import block_dissolve, block_give
from feedback.services.person import member_remove
from tests.feedback.factories import MembershipFactory, ProjectFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    project = ProjectFactory()
    TaskFactory.create_batch(4, project=project)
    return project


@pytest.fixture
def membership(project):
    return MembershipFactory(project=project)


def give(membership, n, **asked):
    project = membership.project
    return block_give(membership=membership, batch=project.batches.get(), n=n, by=project.created_by, **asked)


def claim(membership):
    found = assignment_claim(project=membership.project, annotator=membership.user)
    return found and assignment_show(assignment=found).task


def test_the_next_untouched_tasks_wait_for_the_person(project, membership):
    touched = claim(MembershipFactory(project=project))
    *block, last = Task.objects.exclude(pk=touched.pk).order_by("pk")

    assert give(membership, 2) == 2
    assert list(Task.objects.filter(reserved_for=membership.user).order_by("pk")) == block
    assert block_list(membership=membership) == [Block(1, 2)]
    assert claim(MembershipFactory(project=project)) == last
    assert claim(membership) in block


def test_a_block_of_one_tag_takes_no_others(project, membership):
    tagged = TaskFactory(project=project, prompt__tags=["medicine", "straße"])

    assert give(membership, 10, tag="straße") == 1
    assert list(Task.objects.filter(reserved_for=membership.user)) == [tagged]
    assert give(membership, 10, tag="medic") == 0


def test_two_people_never_get_the_same_block(project, membership):
    assert give(membership, 3) == 3
    assert give(MembershipFactory(project=project), 3) == 1


def test_a_dissolved_block_is_everybodys(project, membership):
    give(membership, 4)
    assert claim(MembershipFactory(project=project)) is None

    assert block_dissolve(project=project, user=membership.user, by=project.created_by) == 4
    assert claim(MembershipFactory(project=project)) is not None


def test_closed_batches_and_odd_numbers_are_refused(project, membership):
    for n in (0, 1_001):
        with pytest.raises(Invalid):
            give(membership, n)
    batch_close(batch=project.batches.get())
    with pytest.raises(Invalid, match="is not open"):
        give(membership, 1)


def test_the_block_of_somebody_who_leaves_is_everybodys(project, membership):
    give(membership, 4)

    member_remove(project=project, user=membership.user, by=project.created_by)

    assert claim(MembershipFactory(project=project)) is not None
