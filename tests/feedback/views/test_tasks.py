import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from feedback.domain.states import AssignmentState, BatchState, TaskPurpose
from feedback.models import Adjudication, Assignment, Batch, Gold, Judgment, Membership, Report, Task, TaskAction
from feedback.services.transition import transition_log
from feedback.views.task import TASKS_A_PAGE
from tests.example import QUESTIONS, example_project, example_rounds
from tests.feedback.factories import AssignmentFactory, BatchFactory, JudgmentFactory, TaskFactory

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def example():
    return example_project()


@pytest.fixture
def ada(client, example):
    client.force_login(example.admin)
    return client


def url(example, name, *args):
    return reverse(f"feedback:{name}", args=[example.project.pk, *args])


def text_of(response):
    return " ".join(response.content.decode().split())


# ---- The list -------------------------------------------------------------------------------------------------------


def test_each_task_leads_to_its_history(ada, example):
    page = text_of(ada.get(url(example, "tasks")))
    for task, question in zip(example.tasks, QUESTIONS, strict=False):
        assert url(example, "task_history", task.pk) in page
        assert question in page


def test_htmx_gets_the_list_alone(ada, example):
    part = ada.get(url(example, "tasks"), **HTMX).content.decode()
    assert part.lstrip().startswith('<div id="tasks"')


def test_a_search_keeps_what_was_asked_for_on_the_next_page(ada, example):
    TaskFactory.create_batch(TASKS_A_PAGE + 1, project=example.project, prompt__tags=["boats"])
    first = ada.get(url(example, "tasks"), {"tag": "boats", "state": "open"})
    page = first.content.decode()
    below = first.context["found"].below
    assert f"?tag=boats&amp;state=open&amp;below={below}" in page
    second = ada.get(url(example, "tasks"), {"tag": "boats", "state": "open", "below": below})
    assert len(second.context["lines"]) == 1
    assert "To the newest" in second.content.decode()


@pytest.mark.parametrize(
    "query", ["batch=x", "number=-1", "number=9" + "9" * 30, "state=nowhere", "words=%00", "purpose=x", "below=x"]
)
def test_a_search_with_a_mistake_shows_everything_and_says_what_is_wrong(ada, example, query):
    response = ada.get(f"{url(example, 'tasks')}?{query}")
    assert response.status_code == 200
    assert len(response.context["lines"]) == len(example.tasks)
    assert ("errorlist" in response.content.decode()) == (query != "below=x")


@pytest.mark.parametrize(
    "words", ["<script>alert(1)</script>", "'; DROP TABLE feedback_task; --", "a | b & !c <-> d:*"]
)
def test_what_is_searched_is_never_markup_nor_a_query(ada, example, words):
    response = ada.get(url(example, "tasks"), {"words": words})
    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()
    assert Task.objects.count() == len(example.tasks)


def test_filters_come_from_a_list_and_reach_nothing_else(ada, example):
    response = ada.get(url(example, "tasks"), {"project__created_by__password__startswith": "md5", "ordering": "x"})
    assert len(response.context["lines"]) == len(example.tasks)


def test_researchers_look_and_are_offered_no_change(client, example):
    client.force_login(example.researcher)
    for path in (url(example, "tasks"), url(example, "task_history", example.tasks[0].pk)):
        page = client.get(path).content.decode()
        assert 'name="kind"' not in page
    data = {"kind": "raise", "reason": "x", "task": example.tasks[0].pk}
    assert client.post(url(example, "tasks_act"), data).status_code == 403


# ---- Changing tasks -------------------------------------------------------------------------------------------------


def act(client, example, **data):
    return client.post(url(example, "tasks_act"), {"reason": "because", "scope": "ticked", **data}, follow=True)


def test_ticked_tasks_are_changed_and_others_are_not(ada, example):
    first, second, third = example.tasks
    response = act(ada, example, kind="prioritise", priority="-3", task=[first.pk, third.pk], state="open")
    assert response.redirect_chain == [(f"{url(example, 'tasks')}?state=open", 303)]
    assert "2 tasks were changed." in response.content.decode()
    assert [Task.objects.get(pk=task.pk).priority for task in (first, second, third)] == [-3, 0, -3]


def test_a_task_is_changed_from_its_own_page(ada, example):
    task = example.tasks[0]
    response = act(ada, example, kind="raise", task=task.pk, back=task.pk)
    assert response.redirect_chain == [(url(example, "task_history", task.pk), 303)]
    page = text_of(response)
    assert "1 task was changed." in page
    assert "overlap 1 to 2: because" in page


def test_all_that_the_search_finds_are_left_to_a_worker(ada, example):
    response = act(ada, example, kind="raise", scope="all", words="mill")
    action = TaskAction.objects.get()
    assert (action.filter, action.kind, action.reason) == ({"words": "mill"}, "raise", "because")
    assert "It is under way" in response.content.decode()
    assert "Under way: Ask for one more judgment" in response.content.decode()
    assert Task.objects.filter(overlap=2).count() == 0
    assert "It is stopped." in act(ada, example, scope="stop").content.decode()
    assert TaskAction.objects.get().finished_at is not None
    assert "It was done already." in act(ada, example, scope="stop").content.decode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"kind": "raise"}, "Tick the tasks first."),
        ({"kind": "delete"}, "Choose what to do."),
        ({"kind": "raise", "reason": " "}, "The reason is empty."),
        ({"kind": "prioritise", "priority": "much"}, "A priority is a whole number"),
        ({"kind": "prioritise", "priority": "9" * 40}, "A priority is a whole number"),
        ({"kind": "raise", "scope": "all", "batch": "x"}, "The search has a mistake"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(ada, example, data, said):
    ticked = {} if "Tick" in said else {"task": example.tasks[0].pk}
    response = act(ada, example, **ticked, **data)
    assert said in response.content.decode()
    assert not Task.objects.exclude(overlap=1, priority=0).exists()
    assert not TaskAction.objects.exists()


def test_a_task_of_another_project_is_not_changed(ada, example):
    foreign = TaskFactory()
    act(ada, example, kind="raise", task=[foreign.pk, example.tasks[0].pk])
    foreign.refresh_from_db()
    assert foreign.overlap == 1
    assert Task.objects.get(pk=example.tasks[0].pk).overlap == 2


# ---- The history of one ---------------------------------------------------------------------------------------------


@pytest.fixture
def eventful(example):
    """A task with all that can happen to one."""
    task = example.tasks[0]
    assignment = AssignmentFactory(task=task, annotator=example.annotator, state=AssignmentState.SUBMITTED)
    transition_log(obj=assignment, from_state="", to_state="held", actor=example.annotator)
    first = JudgmentFactory(
        assignment=assignment, ranks=[2, 1, 1, 4], rationale="<b>B</b> is short.", active_s=75,
        flags=[{"item": 3, "flag": "untrue"}],
    )  # fmt: skip
    JudgmentFactory(assignment=assignment, ranks=[1, 2, 3, 4], supersedes=first, edited_answer="Take the path.")
    skipped = AssignmentFactory(task=task, state=AssignmentState.RELEASED)
    transition_log(obj=skipped, from_state="held", to_state="released", reason="too_hard: I do not know it")
    late = AssignmentFactory(task=task, state=AssignmentState.SUBMITTED)
    JudgmentFactory(assignment=late, counted=False)
    Report.objects.create(
        task=task, annotator=example.annotator, text="It is cut off.", resolved_at=timezone.now(),
        resolved_by=example.admin,
    )  # fmt: skip
    Gold.objects.create(task=task, ranks=[1, 2, 2, 4], explanation="A is **right**.", created_by=example.admin)
    Adjudication.objects.create(task=task, agreement=0.25)
    return task


def test_a_history_tells_everything_in_the_order_of_time(ada, example, eventful):
    page = text_of(ada.get(url(example, "task_history", eventful.pk)))
    for said in (
        QUESTIONS[0], "Handed out", "Judged", "B = C &gt; A &gt; D", "D: untrue", "&lt;b&gt;B&lt;/b&gt; is short.",
        "Corrected", "A &gt; B &gt; C &gt; D", "Take the path.", "Skipped", "too_hard: I do not know it",
        "not counted", "Reported", "It is cut off.", "Report done", "A &gt; B = C &gt; D", "<strong>right</strong>",
        "agreement 0.25",
    ):  # fmt: skip
        assert said in page, said
    assert page.index("B = C &gt; A &gt; D") < page.index("Take the path.")
    assert eventful.items.first().response.source.name in page


def test_people_are_pseudonyms_in_a_history(client, example, eventful):
    client.force_login(example.researcher)
    page = client.get(url(example, "task_history", eventful.pk)).content.decode()
    pseudonym = Membership.objects.get(user=example.annotator).pseudonym
    assert pseudonym in page
    assert example.annotator.username not in page
    assert example.admin.username not in page


def test_a_history_costs_as_many_queries_for_many_people_as_for_one(
    ada, example, eventful, django_assert_max_num_queries
):
    for assignment in AssignmentFactory.create_batch(15, task=eventful, state=AssignmentState.SUBMITTED):
        JudgmentFactory(assignment=assignment)
        transition_log(obj=assignment, from_state="held", to_state="submitted")
    with django_assert_max_num_queries(40):
        ada.get(url(example, "task_history", eventful.pk))


def test_a_task_of_another_project_has_no_history_here(ada, example):
    assert ada.get(url(example, "task_history", TaskFactory().pk)).status_code == 404


def test_a_report_leads_to_the_history_of_its_task(ada, example):
    Report.objects.create(task=example.tasks[1], annotator=example.annotator, text="It is cut off.")
    assert url(example, "task_history", example.tasks[1].pk) in ada.get(url(example, "reports")).content.decode()


def test_tasks_of_other_rules_are_shown_without_a_form(ada, example):
    gold = TaskFactory(project=example.project, purpose=TaskPurpose.GOLD, batch=None, overlap=30_000)
    page = ada.get(url(example, "task_history", gold.pk)).content.decode()
    assert 'name="kind"' not in page


# ---- Progress and batches on the project's page ---------------------------------------------------------------------


def test_the_projects_page_says_when_it_will_be_done(ada, example):
    batch = example.tasks[0].batch
    for _ in range(12):
        done = TaskFactory(project=example.project, open_slots=0)
        JudgmentFactory(assignment__task=done)
    Judgment.objects.update(created_at=timezone.now() - dt.timedelta(hours=4))
    page = text_of(ada.get(url(example, "project")))
    assert "Done in about 60 minutes at this pace." in page  # three more at three an hour
    assert "the latest 12 over all the time since" in page
    assert f"Batch {batch.number}: 12 of 15 rankings" in page
    Judgment.objects.update(created_at=timezone.now() - dt.timedelta(days=3))
    assert "Nothing moves" in text_of(ada.get(url(example, "project")))


def test_annotators_see_progress_and_nothing_to_run_the_project_with(client, example):
    client.force_login(example.annotator)
    page = text_of(client.get(url(example, "project")))
    assert "Batch 1: 0 of 3 rankings" in page
    assert url(example, "batch_close", 1) not in page


def test_tasks_that_wait_for_an_adjudicator_are_counted_by_batch(ada, example):
    Adjudication.objects.create(task=example.tasks[0], agreement=0.1)
    assert "1 waits for an adjudicator" in text_of(ada.get(url(example, "project")))


def test_a_batch_is_closed_with_a_reason_and_opened_again(ada, example):
    batch = example.tasks[0].batch
    assert "The reason is empty." in text_of(ada.post(url(example, "batch_close", 1), follow=True))
    page = text_of(ada.post(url(example, "batch_close", 1), {"reason": "enough"}, follow=True))
    batch.refresh_from_db()
    assert (batch.state, "Batch 1 is closed." in page) == (BatchState.CLOSED, True)
    reopen = reverse("alignment:batch_reopen", args=[example.project.pk, 1])
    assert reopen in page
    page = text_of(ada.post(reopen, {"reason": "not enough"}, follow=True))
    batch.refresh_from_db()
    assert (batch.state, "Batch 1 is open again." in page) == (BatchState.OPEN, True)
    assert "Batch 1 is open again." in text_of(ada.post(reopen, {"reason": "twice"}, follow=True))
    assert ada.post(url(example, "batch_close", 7), {"reason": "x"}).status_code == 404


def test_a_batch_whose_answers_are_being_sampled_is_not_closed_from_here(ada, example):
    batch = BatchFactory(project=example.project, state=BatchState.SAMPLING)
    assert ada.post(url(example, "batch_close", batch.number), {"reason": "x"}).status_code == 404
    batch.refresh_from_db()
    assert batch.state == BatchState.SAMPLING


def test_a_batch_is_not_opened_while_a_round_works_on_its_rankings(ada, example):
    example_rounds(example)  # waits at the gate
    batch = Batch.objects.get(project=example.project, number=1)
    Batch.objects.filter(pk=batch.pk).update(state=BatchState.CLOSED)
    reopen = reverse("alignment:batch_reopen", args=[example.project.pk, 1])
    page = text_of(ada.post(reopen, {"reason": "more"}, follow=True))
    batch.refresh_from_db()
    assert (batch.state, "Round 1 works on this batch" in page) == (BatchState.CLOSED, True)


def test_leases_that_ran_out_are_taken_back_at_once(ada, example):
    task = example.tasks[0]
    Task.objects.filter(pk=task.pk).update(open_slots=0)
    AssignmentFactory(task=task, lease_expires_at=timezone.now() - dt.timedelta(minutes=1))
    assert "1 lease ran out" in text_of(ada.get(url(example, "project")))
    assert "1 lease was ended." in text_of(ada.post(url(example, "leases_expire"), follow=True))
    task.refresh_from_db()
    assert (task.open_slots, Assignment.objects.get(task=task).state) == (1, AssignmentState.EXPIRED)


# ---- Prompts --------------------------------------------------------------------------------------------------------


def test_prompts_are_searched_on_their_page_and_lead_to_their_tasks(ada, example):
    prompt = example.tasks[2].prompt
    page = text_of(ada.get(url(example, "prompts"), {"words": "mill stop"}))
    assert QUESTIONS[2] in page
    assert QUESTIONS[0] not in page
    assert f"{url(example, 'tasks')}?prompt={prompt.pk}" in page
    assert "No prompt is like that." in text_of(ada.get(url(example, "prompts"), {"tag": "none"}))
