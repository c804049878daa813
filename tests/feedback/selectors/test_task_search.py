import pytest
from django.utils import timezone

from feedback.domain.states import AdjudicationState, AssignmentState, BatchState, Split, TaskPurpose
from feedback.domain.task_filter import TaskFilter, TaskState
from feedback.models import Adjudication, Prompt, Task
from feedback.selectors import keyset
from feedback.selectors.prompt_search import PromptFilter, prompt_search
from feedback.selectors.task_search import task_lines, task_search
from tests.feedback.factories import (
    AssignmentFactory,
    BatchFactory,
    JudgmentFactory,
    ProjectFactory,
    PromptFactory,
    TaskFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory(overlap=2)


def found(project, **asked):
    return [task.pk for task in task_search(project=project, asked=TaskFilter(**asked), limit=25).rows]


def test_the_newest_tasks_of_the_project_come_first(project):
    tasks = TaskFactory.create_batch(3, project=project)
    TaskFactory()
    assert found(project) == [task.pk for task in reversed(tasks)]


def test_tasks_are_found_by_number_prompt_batch_and_purpose(project):
    first, second = TaskFactory.create_batch(2, project=project)
    other = TaskFactory(project=project, batch=BatchFactory(project=project))
    gold = TaskFactory(project=project, purpose=TaskPurpose.GOLD, batch=None, overlap=30_000, prompt=first.prompt)
    assert found(project, number=second.pk) == [second.pk]
    assert found(project, prompt=first.prompt_id) == [gold.pk, first.pk]
    assert found(project, batch=2) == [other.pk]
    assert found(project, batch=9) == []
    assert found(project, purpose=TaskPurpose.GOLD) == [gold.pk]
    assert found(ProjectFactory(), number=second.pk) == []


def test_tasks_are_found_by_words_of_any_turn_whatever_their_case(project):
    task = TaskFactory(
        project=project,
        prompt__messages=[
            {"role": "user", "content": "Where is the Café?"},
            {"role": "assistant", "content": "By the harbour."},
            {"role": "user", "content": "And the mill?"},
        ],
    )
    TaskFactory(project=project, prompt__text="Where is the mill?")
    assert found(project, words="harbour MILL") == [task.pk]
    assert found(project, words="Café") == [task.pk]
    assert found(project, words="nowhere") == []
    assert found(project, words="%' OR 1=1 --") == []


def test_tasks_are_found_by_a_whole_tag(project):
    task = TaskFactory(project=project, prompt__tags=['a "b"', "größe", "x_y"])
    TaskFactory(project=project, prompt__tags=["größer", "xzy"])
    for tag in ('a "b"', "größe", "x_y"):
        assert found(project, tag=tag) == [task.pk], tag
    assert found(project, tag="a") == []


def test_tasks_are_found_by_how_far_people_are(project):
    untouched = TaskFactory(project=project)
    held = TaskFactory(project=project, open_slots=1)
    AssignmentFactory(task=held)
    finished = TaskFactory(project=project, open_slots=0)
    JudgmentFactory.create_batch(2, assignment__task=finished)
    asked_more = TaskFactory(project=project, open_slots=1, batch=untouched.batch, overlap=3)
    waiting = TaskFactory(project=project, open_slots=0)
    Adjudication.objects.create(task=waiting, agreement=0.2)
    decided = TaskFactory(project=project, open_slots=0)
    Adjudication.objects.create(task=decided, agreement=0.2, state=AdjudicationState.DECIDED, decided_at=timezone.now())
    TaskFactory(project=project, purpose=TaskPurpose.GOLD, batch=None, overlap=30_000)
    assert found(project, state=TaskState.OPEN) == [asked_more.pk, held.pk, untouched.pk]
    assert found(project, state=TaskState.HELD) == [held.pk]
    assert found(project, state=TaskState.FINISHED) == [decided.pk, waiting.pk, finished.pk]
    assert found(project, state=TaskState.DISAGREEING) == [asked_more.pk]
    assert found(project, state=TaskState.ADJUDICATION) == [waiting.pk]


def test_a_list_says_how_far_each_task_is(project):
    task = TaskFactory(project=project, overlap=4, open_slots=1)
    AssignmentFactory(task=task)
    AssignmentFactory(task=task, state=AssignmentState.EXPIRED)
    JudgmentFactory.create_batch(2, assignment__task=task)
    (line,) = task_lines(tasks=[task])
    assert (line.n_held, line.n_judged, line.state) == (1, 2, TaskState.HELD)
    Adjudication.objects.create(task=task, agreement=0.1)
    assert task_lines(tasks=[task])[0].state == TaskState.ADJUDICATION


def pages(project, asked, **how):
    """Return the ids of each page, by going on until the end."""
    below, all_pages = None, []
    while True:
        page = task_search(project=project, asked=asked, below=below, limit=3, **how)
        all_pages.append([task.pk for task in page.rows])
        below = page.below
        if below is None:
            return all_pages


@pytest.mark.parametrize("is_narrow", [True, False])
@pytest.mark.parametrize("asked", [TaskFilter(), TaskFilter(words="mill"), TaskFilter(state=TaskState.OPEN)])
def test_pages_hold_every_task_once_however_the_list_is_cut(project, monkeypatch, asked, is_narrow):
    monkeypatch.setattr(keyset, "FIRST_PART", 2)
    monkeypatch.setattr(keyset, "LISTED_PART", 2)
    monkeypatch.setattr(keyset, "NARROW", 100 if is_narrow else 0)
    tasks = [
        TaskFactory(project=project, prompt__text=f"{number} {'mill' if number % 3 else 'boat'}", open_slots=number % 2)
        for number in range(14)
    ]
    wanted = [
        task.pk
        for number, task in reversed(list(enumerate(tasks)))
        if (not asked.words or number % 3) and (asked.state is None or number % 2)
    ]
    found = pages(project, asked, look_s=60)
    assert [pk for page in found for pk in page] == wanted
    assert all(len(page) == 3 for page in found[:-1])


def test_a_look_that_takes_too_long_says_how_far_it_came(project, monkeypatch):
    monkeypatch.setattr(keyset, "FIRST_PART", 4)
    monkeypatch.setattr(keyset, "NARROW", 0)
    tasks = TaskFactory.create_batch(10, project=project)
    wanted = TaskFilter(purpose=TaskPurpose.LIVE)
    Task.objects.filter(pk=tasks[0].pk).update(purpose=TaskPurpose.LIVE)
    page = task_search(project=project, asked=wanted, limit=3, look_s=0)
    assert (page.rows, page.below, page.is_complete) == ([], tasks[6].pk, False)
    assert pages(project, wanted, look_s=0) == [[], [], [tasks[0].pk]]


def test_prompts_are_found_by_words_tag_and_split():
    project = ProjectFactory()
    boat = PromptFactory(project=project, text="Whose boat is that?", tags=["town"])
    mill = PromptFactory(project=project, text="Whose mill is that?", tags=["town"], split=Split.POOL)
    PromptFactory(text="Whose boat is that?", tags=["town"])

    def ids(**asked):
        return [prompt.pk for prompt in prompt_search(project=project, asked=PromptFilter(**asked), limit=5).rows]

    assert ids() == [mill.pk, boat.pk]
    assert ids(words="boat whose") == [boat.pk]
    assert ids(tag="town") == [mill.pk, boat.pk]
    assert ids(tag="town", split=Split.POOL) == [mill.pk]
    assert ids(words="boat", split=Split.POOL) == []
    assert Prompt.objects.count() == 3


def test_a_closed_batch_is_searched_like_an_open_one(project):
    task = TaskFactory(project=project, batch=BatchFactory(project=project, state=BatchState.CLOSED))
    assert found(project, batch=1, state=TaskState.OPEN) == [task.pk]
