import dataclasses

import pytest

from feedback.domain.errors import Conflict, Invalid
from feedback.domain.protocol import DEFAULT_DIMENSIONS, Dimension, Editing, ProtocolKind, ProtocolOptions
from feedback.domain.states import Role
from feedback.selectors.project import membership_roles, protocol_current, protocol_for, protocol_list
from feedback.services.gold import gold_retire
from feedback.services.project import project_create, project_update
from tests.feedback.factories import BatchFactory, GoldFactory, ProjectFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_a_project_begins_with_guidelines_and_an_admin():
    maker = UserFactory()

    project = project_create(name=" Kindness ", guidelines="Be kind.", overlap=2, created_by=maker)

    assert (project.name, project.overlap) == ("Kindness", 2)
    assert (protocol_current(project=project).number, protocol_current(project=project).guidelines) == (1, "Be kind.")
    assert membership_roles(user=maker, project=project) == {Role.ADMIN}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"name": "a\x00"}, "U\\+0000"),
        ({"overlap": 0}, "overlap"),
        ({"overlap": 101}, "overlap"),
        ({"lease_s": 59}, "lease_s"),
        ({"answers_per_task": 10}, "answers_per_task"),
        ({"prompts_per_batch": 0}, "prompts_per_batch"),
        ({"gold_share": 0.6}, "gold_share"),
        ({"repeat_share": -0.1}, "repeat_share"),
        ({"qualification_pass": 1.1}, "qualification_pass"),
        ({"guidelines": "x" * 50_001}, "guidelines"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(values, says):
    with pytest.raises(Invalid, match=says):
        project_create(**{"name": "Kindness", "created_by": UserFactory()} | values)


def test_a_name_is_taken_once():
    project_create(name="Kindness", created_by=UserFactory())

    with pytest.raises(Conflict, match="choose another name"):
        project_create(name="Kindness", created_by=UserFactory())


def test_changed_guidelines_are_a_new_version_and_unchanged_ones_are_not():
    project = ProjectFactory()
    first = protocol_current(project=project)

    project_update(project=project, by=project.created_by, guidelines=first.guidelines, lease_s=600)
    assert protocol_current(project=project) == first
    project_update(project=project, by=project.created_by, guidelines="Be brief.")

    assert protocol_current(project=project).number == 2
    first.refresh_from_db()
    assert first.guidelines != "Be brief."
    project.refresh_from_db()
    assert project.lease_s == 600


def test_an_open_batch_keeps_its_overlap():
    project = ProjectFactory(overlap=1)
    batch = BatchFactory(project=project)

    project_update(project=project, by=project.created_by, overlap=5)

    batch.refresh_from_db()
    assert batch.overlap == 1


def test_a_refused_change_changes_nothing():
    project = ProjectFactory()

    with pytest.raises(Invalid):
        project_update(project=project, by=project.created_by, overlap=0, guidelines="New.")

    project.refresh_from_db()
    assert (project.overlap, protocol_current(project=project).number) == (1, 1)


def test_another_kind_or_option_is_a_new_version_and_the_old_one_stays_as_it_was():
    project = project_create(name="Kindness", guidelines="Be kind.", created_by=UserFactory())
    options = ProtocolOptions(dimensions=DEFAULT_DIMENSIONS, warnings={"violence": "There is blood."})

    project_update(project=project, by=project.created_by, kind=ProtocolKind.RATE, options=options)
    project_update(project=project, by=project.created_by, kind=ProtocolKind.RATE, options=options)
    project_update(project=project, by=project.created_by, options=dataclasses.replace(options, top_k=0, live_turns=3))

    versions = list(protocol_list(project=project))
    assert [(version.number, version.kind, version.guidelines) for version in versions] == [
        (3, "rate", "Be kind."), (2, "rate", "Be kind."), (1, "rank", "Be kind."),
    ]  # fmt: skip
    assert ProtocolOptions.from_json(versions[1].options) == options
    assert ProtocolOptions.from_json(versions[2].options) == ProtocolOptions()


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        (ProtocolKind.RATE, ProtocolOptions(), "at least one scale"),
        (ProtocolKind.WRITE, ProtocolOptions(editing=Editing.MAY), "improved in"),
        (ProtocolKind.PAIRWISE, ProtocolOptions(top_k=2), "Only a ranking"),
        (ProtocolKind.RANK, ProtocolOptions(dimensions=(Dimension("a b", "Kind"),)), "small letters"),
        (ProtocolKind.RANK, ProtocolOptions(masked_names=(" ",)), "masked name"),
    ],
)
def test_options_that_do_not_fit_are_refused_and_make_no_version(kind, options, says):
    project = ProjectFactory()

    with pytest.raises(Invalid, match=says):
        project_update(project=project, by=project.created_by, kind=kind, options=options)
    assert protocol_current(project=project).number == 1


def test_a_task_is_done_under_the_newest_version_that_can_judge_it():
    project = ProjectFactory()
    for kind in (ProtocolKind.PAIRWISE, ProtocolKind.WRITE):
        project_update(project=project, by=project.created_by, kind=kind)

    kinds = {n: protocol_for(project=project, n_answers=n).kind for n in (0, 2, 4)}

    assert kinds == {0: "write", 2: "pairwise", 4: "rank"}


def test_a_kind_without_an_order_waits_until_the_known_answers_are_retired():
    project = ProjectFactory()
    gold = GoldFactory(task__project=project)
    project_update(project=project, by=project.created_by, kind=ProtocolKind.PAIRWISE)
    with pytest.raises(Conflict, match="retire them first"):
        project_update(
            project=project,
            by=project.created_by,
            kind=ProtocolKind.RATE,
            options=ProtocolOptions(dimensions=DEFAULT_DIMENSIONS),
        )
    assert protocol_current(project=project).kind == ProtocolKind.PAIRWISE

    gold_retire(gold=gold, by=project.created_by)
    project_update(
        project=project,
        by=project.created_by,
        kind=ProtocolKind.RATE,
        options=ProtocolOptions(dimensions=DEFAULT_DIMENSIONS),
    )
    assert protocol_current(project=project).kind == ProtocolKind.RATE
