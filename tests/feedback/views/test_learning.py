"""What newcomers see of training and qualification, and that nobody sees which other tasks are gold or repeats."""

import re

import pytest
from django.urls import reverse

from feedback.domain.states import BatchState, Standing, TaskPurpose
from feedback.models import Assignment, Batch, Judgment, Task
from feedback.selectors.work import own_judgments
from feedback.services.person import token_create
from tests.feedback.factories import (
    AssignmentFactory,
    GoldFactory,
    JudgmentFactory,
    MembershipFactory,
    ProjectFactory,
    TaskFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def learner(client):
    project = ProjectFactory()
    membership = MembershipFactory(project=project, standing=Standing.LEARNING)
    client.force_login(membership.user)
    return membership


def url(membership, name, *arguments):
    return reverse(f"feedback:{name}", args=[membership.project_id, *arguments])


def submit(client, membership, ranks, **headers):
    """Claim what is next and judge it by ranks of its items."""
    client.post(url(membership, "claim"))
    held = Assignment.objects.get(annotator=membership.user, state="held")
    fields = {f"rank_{letter}": ranks[item] for letter, item in zip("ABC", held.order, strict=False)}
    return client.post(
        url(membership, "submit"), {"assignment": held.pk, "client_key": f"k{held.pk}", **fields}, **headers
    )


def lesson(membership, purpose=TaskPurpose.TRAINING, **fields):
    return GoldFactory(task__project=membership.project, task__purpose=purpose, task__n_answers=3, **fields)


def test_a_learner_sees_how_far_they_are(client, learner):
    lesson(learner)
    lesson(learner)
    lesson(learner, TaskPurpose.QUALIFICATION)
    start = client.get(url(learner, "label")).content.decode()
    assert "You begin with tasks whose answer is known" in start
    assert re.search(r"Training.*1 of 2", start, re.DOTALL)
    submit(client, learner, [1, 2, 3])
    submit(client, learner, [1, 2, 3])
    client.post(url(learner, "claim"))
    assert re.search(r"Qualification.*1 of 1", client.get(url(learner, "label")).content.decode(), re.DOTALL)


def test_a_page_does_not_fetch_in_advance_what_comes_after_a_lesson(client, learner):
    lesson(learner)
    client.post(url(learner, "claim"))
    assert "data-learning" in client.get(url(learner, "label")).content.decode()
    working = MembershipFactory(project=learner.project)
    TaskFactory(project=learner.project)
    client.force_login(working.user)
    client.post(url(working, "claim"))
    page = client.get(url(working, "label")).content.decode()
    assert 'id="ranking"' in page
    assert "data-learning" not in page


def test_what_a_lesson_taught_comes_with_the_answer_to_htmx_and_on_a_page_of_its_own(client, learner):
    lesson(learner, explanation="**Because** <script>alert(1)</script> [x](javascript:alert)")
    lesson(learner)
    part = submit(client, learner, [2, 1, 3], **HTMX).content.decode()
    assert 'id="comparison"' in part
    assert "Not quite" in part
    assert "<strong>Because</strong>" in part
    assert "<script>" not in part
    assert 'href="javascript' not in part
    assert "1 of 3" in part  # pairs

    answer = submit(client, learner, [1, 2, 3])
    assert answer.status_code == 303
    assert "That is right" in client.get(answer["Location"]).content.decode()


def test_known_and_own_ranks_stand_under_the_letters_that_were_shown(client, learner):
    gold = lesson(learner, ranks=[3, 1, 2])
    answer = submit(client, learner, [1, 2, 3])
    explained = client.get(answer["Location"]).context["explained"]
    order = Assignment.objects.get(task=gold.task).order
    assert [(one.known, one.given) for one in explained.answers] == [(1, 2), (2, 3), (3, 1)]
    assert [one.letter for one in explained.answers] == ["ABC"[order.index(item)] for item in (1, 2, 0)]


def test_a_qualification_task_explains_nothing(client, learner):
    lesson(learner, TaskPurpose.QUALIFICATION, explanation="A secret.")
    lesson(learner, TaskPurpose.QUALIFICATION, explanation="A secret.")
    submit(client, learner, [1, 2, 3])
    done = Judgment.objects.get().assignment_id
    assert client.get(url(learner, "explained", done)).status_code == 303
    assert "A secret." not in client.get(url(learner, "label")).content.decode()


def test_nothing_is_explained_before_it_is_judged_or_to_others(client, learner):
    lesson(learner)
    client.post(url(learner, "claim"))
    held = Assignment.objects.get()
    assert client.get(url(learner, "explained", held.pk))["Location"] == url(learner, "label")
    client.force_login(MembershipFactory(project=learner.project).user)
    assert client.get(url(learner, "explained", held.pk)).status_code == 404


def test_a_lesson_cannot_be_undone(client, learner):
    lesson(learner)
    submit(client, learner, [2, 1, 3])
    done = Judgment.objects.get().assignment_id
    for name, arguments in (("correct", [done]), ("last", [])):
        assert client.get(url(learner, name, *arguments))["Location"] == url(learner, "explained", done)
    again = {"assignment": done, "client_key": "other", "correction": "1", "rank_A": 1, "rank_B": 2, "rank_C": 3}
    answer = client.post(url(learner, "submit"), again)
    assert answer.status_code == 422
    assert "cannot be changed" in answer.content.decode()
    assert Judgment.objects.count() == 1


def test_own_work_leads_to_what_a_lesson_taught(client, learner):
    lesson(learner)
    submit(client, learner, [2, 1, 3])
    page = client.get(url(learner, "work")).content.decode()
    assert url(learner, "explained", Judgment.objects.get().assignment_id) in page
    assert "Change<" not in page


def test_who_failed_is_told_the_figures(client, learner):
    lesson(learner, TaskPurpose.QUALIFICATION)
    TaskFactory(project=learner.project)
    answer = submit(client, learner, [3, 2, 1], **HTMX)
    assert "You got 0 of 1 qualification tasks right; 1 were needed." in answer.content.decode()


# Gold tasks and repeats look like any other.


def alike(project, annotator):
    """Hand out an ordinary task, a gold one and a repeat that differ in nothing that may be seen."""
    ordinary = TaskFactory(project=project, n_answers=3)
    gold = GoldFactory(task__project=project, task__n_answers=3).task
    repeat = TaskFactory(project=project, n_answers=3, purpose=TaskPurpose.REPEAT, reserved_for=annotator)
    return [AssignmentFactory(task=task, annotator=annotator, shown_at=None) for task in (ordinary, gold, repeat)]


def without_values(page):
    """Return a page without its numbers, keys, times and texts of tasks."""
    page = re.sub(r"(Question|Answer) \d+[?.]", "", page)
    page = re.sub(r'name="(client_key|csrfmiddlewaretoken)" value="[^"]*"', "", page)
    return re.sub(r"\d+", "0", re.sub(r'X-CSRFToken": "[^"]*"', "", page))


def only(assignment):
    """Put one assignment into its person's hands and the others away."""
    Assignment.objects.exclude(pk=assignment.pk).update(state="released")
    Assignment.objects.filter(pk=assignment.pk).update(state="held")


def test_the_page_of_a_gold_task_and_of_a_repeat_is_that_of_any_other(client):
    membership = MembershipFactory(project=ProjectFactory(gold_share=0.5, repeat_share=0.5))
    client.force_login(membership.user)
    pages = []
    for assignment in alike(membership.project, membership.user):
        only(assignment)
        pages.append(without_values(client.get(url(membership, "label")).content.decode()))
    assert 'id="ranking"' in pages[0]
    assert pages[0] == pages[1] == pages[2]
    assert not re.search("gold|repeat", pages[1], re.IGNORECASE)


def test_the_api_tells_gold_tasks_and_repeats_from_no_other(client):
    membership = MembershipFactory(project=ProjectFactory(gold_share=0.5))
    _, key = token_create(user=membership.user, name="test")
    bodies = []
    for assignment in alike(membership.project, membership.user):
        only(assignment)
        found = client.post(
            f"/api/v1/projects/{membership.project_id}/claim/", headers={"Authorization": f"Token {key}"}
        )
        assert found.json()["assignment_id"] == assignment.pk
        bodies.append(found.json())
    shapes = [shape(body) for body in bodies]
    assert shapes[0] == shapes[1] == shapes[2]
    assert not {"purpose", "batch", "task", "gold"} & set(bodies[1])


def shape(value):
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else type(value).__name__


def test_own_work_tells_gold_tasks_from_no_other_before_and_after_the_batch_closes():
    membership = MembershipFactory(project=ProjectFactory(gold_share=0.5))
    project, user = membership.project, membership.user
    TaskFactory(project=project)
    for assignment in alike(project, user):
        JudgmentFactory(assignment=assignment)
    assert [own.may_correct for own in own_judgments(project=project, annotator=user, before=None)] == [True] * 3
    Batch.objects.update(state=BatchState.CLOSED)
    TaskFactory(project=project)  # in the next batch
    assert Batch.objects.filter(state=BatchState.OPEN).exists()
    assert [own.may_correct for own in own_judgments(project=project, annotator=user, before=None)] == [False] * 3


def test_a_stranger_gets_no_lesson_of_another(client, learner):
    lesson(learner)
    client.force_login(UserFactory())
    assert client.post(url(learner, "claim")).status_code == 404
    assert not Task.objects.exclude(assignments=None).exists()


def test_the_number_of_tasks_left_does_not_tell_a_gold_task_by_standing_still(client):
    membership = MembershipFactory(project=ProjectFactory(gold_share=0.1))
    client.force_login(membership.user)
    TaskFactory.create_batch(12, project=membership.project)
    pages = [url(membership, "label"), url(membership, "project"), reverse("feedback:projects")]
    assert all("up to 20 tasks left" in client.get(page).content.decode() for page in pages)
    membership.project.gold_share = 0
    membership.project.save()
    assert all("12 tasks left" in client.get(page).content.decode() for page in pages)
