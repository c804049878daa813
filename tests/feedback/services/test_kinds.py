"""A judgment of every kind through the services: stored by item, under the version that was shown."""

import pytest

from feedback.domain.errors import Conflict, Invalid
from feedback.domain.masking import MASK
from feedback.domain.protocol import Dimension, Editing, ProtocolKind, ProtocolOptions
from feedback.domain.states import AssignmentState
from feedback.domain.verdict import Verdict
from feedback.models import Judgment
from feedback.selectors.assignment import assignment_view
from feedback.selectors.judgment import judgment_verdict
from feedback.services.assignment import assignment_claim, assignment_show
from feedback.services.judgment import judgment_submit
from feedback.services.project import project_update
from tests.feedback.factories import MembershipFactory, ProjectFactory, ProtocolFactory, TaskFactory

pytestmark = pytest.mark.django_db
HELPFUL = Dimension("helpful", "Helpful")


def shown(kind, n_answers, **options):
    """Return an assignment on the screen of a project of that kind."""
    project = ProjectFactory(protocol__kind=kind, protocol__options=ProtocolOptions(**options).to_json())
    TaskFactory(project=project, n_answers=n_answers, prompt__tags=["blood"])
    annotator = MembershipFactory(project=project).user
    return assignment_show(assignment=assignment_claim(project=project, annotator=annotator))


def submit(assignment, verdict, key="key", **more):
    return judgment_submit(
        assignment_id=assignment.pk, annotator=assignment.annotator, verdict=verdict, client_key=key, **more
    ).judgment


def at(assignment, letter):
    """Return the item that stood under a letter."""
    return assignment.order["ABCDEFGHI".index(letter)]


def test_a_partial_ranking_counts_its_pairs():
    assignment = shown(ProtocolKind.RANK, 4, top_k=1)

    judgment = submit(assignment, Verdict(ranks=(None, 1, None, None), cannot_judge=(3,)))

    assert judgment.ranks[at(assignment, "B")] == 1
    assert judgment.cannot_judge == [at(assignment, "D")]
    assert (judgment.n_pairs, judgment.n_ties) == (2, 0)


def test_a_comparison_is_one_pair_or_one_tie_or_neither():
    said = [
        (Verdict(ranks=(2, 1), strength=3), (1, 0)),
        (Verdict(ranks=(1, 1), strength=0), (0, 1)),
        (Verdict(all_bad=True), (0, 0)),
    ]
    for verdict, counted in said:
        judgment = submit(shown(ProtocolKind.PAIRWISE, 2), verdict)
        assert (judgment.n_pairs, judgment.n_ties) == counted
        assert (judgment.strength, judgment.all_bad) == (verdict.strength, verdict.all_bad)


def test_ratings_are_stored_by_item():
    assignment = shown(ProtocolKind.RATE, 3, dimensions=(HELPFUL,))

    judgment = submit(assignment, Verdict(ratings={"helpful": (5, None, 2)}, cannot_judge=(1,)))

    assert judgment.ranks == [None, None, None]
    assert [judgment.ratings["helpful"][item] for item in assignment.order] == [5, None, 2]
    assert (judgment.n_pairs, judgment.n_ties) == (0, 0)


def test_an_answer_is_written_where_none_is_shown():
    assignment = shown(ProtocolKind.WRITE, 0)

    judgment = submit(assignment, Verdict(edited_answer="Take the ferry."))

    assert assignment_view(assignment=assignment).answers == []
    assert (judgment.edited_answer, judgment.edited_item, judgment.ranks) == ("Take the ferry.", None, [])


def test_an_improved_answer_points_at_what_it_improves():
    assignment = shown(ProtocolKind.RANK, 2, editing=Editing.MUST)
    original = assignment_view(assignment=assignment).answers[1].text

    with pytest.raises(Invalid, match="the same as B"):
        submit(assignment, Verdict(ranks=(2, 1), edited_position=1, edited_answer=original))
    judgment = submit(assignment, Verdict(ranks=(2, 1), edited_position=1, edited_answer=f"{original} Really."))

    assert judgment.edited_item == at(assignment, "B")


def test_masked_names_are_not_shown_and_not_taken_into_an_improved_answer():
    assignment = shown(ProtocolKind.RANK, 2, editing=Editing.MAY, masked_names=("Plumb",))
    response = assignment.task.items.get(item=at(assignment, "A")).response
    response.text = "I am PLUMB, a plumber."
    response.save()

    view = assignment_view(assignment=assignment)

    assert view.answers[0].text == f"I am {MASK}, a plumber."
    assert (view.options.masked_names, view.options.live_sources) == ((), ())
    with pytest.raises(Invalid, match="in the place of"):
        submit(assignment, Verdict(ranks=(1, 2), edited_position=0, edited_answer=f"I am {MASK}, a clerk."))
    with pytest.raises(Invalid, match="the same as A"):
        submit(assignment, Verdict(ranks=(1, 2), edited_position=0, edited_answer=response.text))


def test_the_view_says_what_is_asked_and_warns():
    assignment = shown(ProtocolKind.RANK, 4, top_k=2, warnings={"blood": "There is blood.", "spiders": "Spiders."})

    view = assignment_view(assignment=assignment)

    assert (view.kind, view.options.top_k, view.warnings) == (ProtocolKind.RANK, 2, ["There is blood."])


def test_a_judgment_keeps_the_version_it_was_shown_under_and_is_checked_against_it():
    assignment = shown(ProtocolKind.RANK, 2)
    project = assignment.task.project
    project_update(
        project=project, by=project.created_by, kind=ProtocolKind.RATE, options=ProtocolOptions(dimensions=(HELPFUL,))
    )

    judgment = submit(assignment, Verdict(ranks=(1, 2)))
    again = submit(assignment, Verdict(ranks=(2, 1)), key="correction")

    assert (judgment.protocol.number, again.protocol.number) == (1, 1)
    assert again.protocol.kind == ProtocolKind.RANK


def test_tasks_that_were_made_for_another_kind_are_still_done_as_they_were_meant():
    project = ProjectFactory()
    ranked, written = TaskFactory(project=project, n_answers=4), TaskFactory(project=project, n_answers=0)
    ProtocolFactory(project=project, kind=ProtocolKind.WRITE)
    annotator = MembershipFactory(project=project).user
    seen = {}
    for _ in range(2):
        assignment = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))
        verdict = Verdict(ranks=(1, 2, 3, 4)) if assignment.order else Verdict(edited_answer="Take the ferry.")
        seen[assignment.task] = submit(assignment, verdict, key=str(assignment.pk)).protocol.kind

    assert seen == {ranked: "rank", written: "write"}


@pytest.mark.parametrize(
    "other",
    [
        {"verdict": Verdict(ranks=(2, 1), strength=1)},
        {"verdict": Verdict(ranks=(1, 2), strength=2)},
        {"verdict": Verdict(ranks=(1, 2), strength=1, flags=((0, "unsafe"),))},
        {"rationale": "Other words."},
    ],
)
def test_one_key_never_stands_for_two_judgments(other):
    assignment = shown(ProtocolKind.PAIRWISE, 2)
    said = {"verdict": Verdict(ranks=(1, 2), strength=1), "rationale": "B is rude."}
    first = submit(assignment, **said, active_s=3.0)

    assert submit(assignment, **said, active_s=4.0) == first
    with pytest.raises(Conflict, match="another judgment"):
        submit(assignment, **said | other)
    assert Judgment.objects.get() == first


def test_what_was_judged_can_be_shown_again_as_it_was_given():
    assignment = shown(ProtocolKind.RANK, 3, dimensions=(HELPFUL,), editing=Editing.MAY)
    verdict = Verdict(
        ranks=(1, None, 2),
        cannot_judge=(1,),
        ratings={"helpful": (3, None, 1)},
        flags=((0, "untrue"), (2, "broken")),
        edited_position=0,
        edited_answer="Better.",
    )

    judgment = submit(assignment, verdict)
    judgment.refresh_from_db()

    assert judgment_verdict(judgment=judgment) == verdict


@pytest.mark.parametrize(
    ("kind", "n_answers", "verdict"),
    [
        (ProtocolKind.PAIRWISE, 2, Verdict(ranks=(1, 2))),
        (ProtocolKind.RATE, 2, Verdict(ratings={"helpful": (1, None)})),
        (ProtocolKind.WRITE, 0, Verdict(ranks=(1,), edited_answer="So.")),
        (ProtocolKind.RANK, 3, Verdict(ranks=(1, 2, None))),
    ],
)
def test_what_does_not_answer_the_question_changes_nothing(kind, n_answers, verdict):
    options = {"dimensions": (HELPFUL,)} if kind == ProtocolKind.RATE else {}
    assignment = shown(kind, n_answers, **options)

    with pytest.raises(Invalid):
        submit(assignment, verdict)

    assignment.refresh_from_db()
    assert assignment.state == AssignmentState.HELD
    assert not Judgment.objects.exists()
