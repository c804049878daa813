"""What a task page shows of each kind of task, and what its smaller forms do."""

import pytest
from django.urls import reverse

from feedback.domain.protocol import DEFAULT_DIMENSIONS, Editing, ProtocolKind, ProtocolOptions
from feedback.domain.states import AssignmentState
from feedback.models import Assignment, Judgment, Membership, Report
from feedback.services.assignment import assignment_claim, assignment_prefetch, assignment_show
from feedback.services.draft import draft_save
from tests.example import example_project
from tests.feedback.factories import ProtocolFactory, TaskFactory

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


def project_of(kind=ProtocolKind.RANK, *, n_answers=2, **options):
    example = example_project(n_tasks=2 if n_answers else 0, n_answers=n_answers or 2)
    if not n_answers:
        TaskFactory.create_batch(2, project=example.project, n_answers=0)
    ProtocolFactory(project=example.project, kind=kind, options=ProtocolOptions(**options).to_json())
    return example


@pytest.fixture
def annie(client):
    def sign_in(example):
        client.force_login(example.annotator)
        return client

    return sign_in


def url(example, name):
    return reverse(f"feedback:{name}", args=[example.project.pk])


def held(example):
    return assignment_show(assignment=assignment_claim(project=example.project, annotator=example.annotator))


@pytest.mark.parametrize(
    ("kind", "n_answers", "options", "field"),
    [
        (ProtocolKind.RANK, 4, {}, 'name="rank_D"'),
        (ProtocolKind.PAIRWISE, 2, {}, 'name="strength"'),
        (ProtocolKind.RATE, 3, {"dimensions": DEFAULT_DIMENSIONS}, 'name="rating_honest_C"'),
        (ProtocolKind.WRITE, 0, {}, 'name="edited_answer"'),
    ],
)
def test_each_kind_is_shown_whole_and_as_a_part(annie, kind, n_answers, options, field):
    example = project_of(kind, n_answers=n_answers, **options)
    client = annie(example)
    held(example)
    whole = client.get(url(example, "label")).content.decode()
    part = client.get(url(example, "label"), **HTMX).content.decode()
    assert "<html" in whole
    assert "<html" not in part
    for page in (whole, part):
        assert field in page
        assert "version 2" in page
        assert 'value="unclear"' in page
        assert 'name="report"' in page


def test_a_draft_comes_back_into_every_field(annie):
    example = project_of(ProtocolKind.PAIRWISE, dimensions=DEFAULT_DIMENSIONS, editing=Editing.MAY)
    client = annie(example)
    fields = {"strength": ["B2"], "rating_honest_A": ["4"], "flag_B": ["unsafe"], "cannot_A": ["on"], "all_bad": ["on"]}
    fields |= {"rationale": ["</textarea>why"], "edited": ["B"], "edited_answer": ["\nBetter."]}
    draft_save(assignment=held(example), annotator=example.annotator, fields=fields, version=0)
    response = client.get(url(example, "label"))
    page = response.content.decode()
    assert 'data-draft-version="1"' in page
    assert page.count(" checked>") == 5
    assert "&lt;/textarea&gt;why" in page
    assert ">\n\nBetter.</textarea>" in page  # a field drops the first of the two ends of lines
    assert response.context["edited"] == "B"


def test_without_scripts_improving_starts_with_the_text_of_the_better_answer(annie):
    example = project_of(ProtocolKind.PAIRWISE, editing=Editing.MUST)
    client = annie(example)
    first = held(example)
    response = client.post(url(example, "submit"), {"assignment": first.pk, "strength": "B1", "start_edit": "1"})
    assert response.status_code == 200
    assert response.context["edited"] == "B"
    assert response.context["edited_answer"] == response.context["answers"][1].text
    assert not Judgment.objects.exists()


def test_a_prefetched_task_that_is_shown_already_is_only_started(annie):
    example = project_of(ProtocolKind.PAIRWISE)
    client = annie(example)
    first = held(example)
    second = assignment_prefetch(project=example.project, annotator=example.annotator)
    assert second.shown_at is None
    form = {"assignment": first.pk, "client_key": "key-1", "strength": "0", "outbox": "1", "shown": second.pk}
    response = client.post(url(example, "submit"), form, **HTMX)
    assert response.status_code == 200
    assert b"comparison" not in response.content
    second.refresh_from_db()
    assert second.shown_at is not None


@pytest.mark.parametrize("shown", ["", "x", "999999999999999999999", "0"])
def test_without_one_the_next_task_comes_with_the_answer(annie, shown):
    example = project_of(ProtocolKind.PAIRWISE)
    client = annie(example)
    form = {"assignment": held(example).pk, "client_key": "key-1", "strength": "0", "shown": shown}
    page = client.post(url(example, "submit"), form, **HTMX).content.decode()
    second = Assignment.objects.get(state=AssignmentState.HELD)
    assert f'name="assignment" value="{second.pk}"' in page


def test_a_skip_needs_one_of_the_reasons(annie):
    example = project_of()
    client = annie(example)
    first = held(example)
    response = client.post(url(example, "skip"), {"assignment": first.pk, "skip_reason": "dull", "rationale": "So."})
    assert response.status_code == 422
    assert b"Say why you skip the task." in response.content
    assert b"So.</textarea>" in response.content
    first.refresh_from_db()
    assert first.state == AssignmentState.HELD


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["whole", "part"])
def test_a_report_is_kept_and_the_task_stays(annie, headers):
    example = project_of()
    client = annie(example)
    first = held(example)
    form = {"assignment": first.pk, "rank_A": "1", "report": "No <b>question</b>."}
    response = client.post(url(example, "report"), form, **headers)
    assert response.status_code == 200
    assert b"Thank you." in response.content
    assert Report.objects.get().text == "No <b>question</b>."
    assert (b'<option value="1" selected>' in response.content) == (not headers)
    first.refresh_from_db()
    assert first.state == AssignmentState.HELD


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["whole", "part"])
def test_an_empty_report_is_refused_in_its_place(annie, headers):
    example = project_of()
    client = annie(example)
    response = client.post(url(example, "report"), {"assignment": held(example).pk, "report": " "}, **headers)
    assert response.status_code == 422
    assert b"The report is empty." in response.content


def test_a_warning_hides_the_task_and_leads_out_of_its_tag(annie):
    example = project_of(warnings={"war": "It tells of war.", "sea": "It is wet."})
    prompt = example.tasks[0].prompt
    prompt.tags = ["war", "other"]
    prompt.save()
    client = annie(example)
    Membership.objects.filter(user=example.annotator).update(opted_out_tags=["sea"])
    example.tasks[1].delete()
    first = held(example)
    page = client.get(url(example, "label")).content.decode()
    assert "It tells of war." in page
    assert "It is wet." not in page
    assert page.index("It tells of war.") < page.index('class="turn ')
    client.post(url(example, "opt_out"), {"assignment": first.pk, "tag": ["war", "made up"]})
    assert Membership.objects.get(user=example.annotator).opted_out_tags == ["sea", "war"]
    first.refresh_from_db()
    assert first.state == AssignmentState.RELEASED


def test_undo_shows_the_last_judgment_and_says_when_there_is_none(annie):
    example = project_of(ProtocolKind.RATE, dimensions=DEFAULT_DIMENSIONS)
    client = annie(example)
    assert b"There is nothing to undo yet." in client.get(url(example, "last")).content
    ratings = {f"rating_{item.key}_{letter}": "4" for item in DEFAULT_DIMENSIONS for letter in "AB"}
    client.post(url(example, "submit"), {"assignment": held(example).pk, "client_key": "key-1", **ratings})
    page = client.get(url(example, "last")).content.decode()
    assert "Changing an earlier judgment" in page
    assert page.count('value="4" checked>') == 6


def test_long_conversations_show_their_system_message_and_last_turns(annie):
    example = project_of()
    prompt = example.tasks[0].prompt
    turns = [{"role": role, "content": f"turn {n} {role}"} for n in range(8) for role in ("user", "assistant")]
    prompt.messages = [{"role": "system", "content": "Be brief."}, *turns, {"role": "user", "content": "The last."}]
    prompt.save()
    example.tasks[1].delete()
    client = annie(example)
    held(example)
    response = client.get(url(example, "label"))
    assert [turn["role"] for turn in response.context["recent"]][:2] == ["system", "user"]
    assert response.context["recent"][-1]["content"] == "The last."
    assert len(response.context["earlier"]) + len(response.context["recent"]) == 18
    assert b"12 earlier turns" in response.content
