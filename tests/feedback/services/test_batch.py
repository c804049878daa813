import pytest

from feedback.domain.errors import Invalid
from feedback.domain.protocol import ProtocolKind
from feedback.domain.states import BatchState, IllegalTransition, Split
from feedback.models import Response, Task, TaskItem, Transition
from feedback.services.batch import batch_close, batch_create, batch_fail, batch_open, batch_reopen
from feedback.services.response import responses_add
from feedback.services.source import source_get_or_create
from tests.feedback.factories import BatchFactory, ProjectFactory, PromptFactory, SourceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory(overlap=2)


@pytest.fixture
def source(project):
    return SourceFactory(project=project)


def texts(batch):
    return sorted(prompt.messages[0]["content"] for prompt in batch.prompts.all())


def answer(batch, source, prompt, *answers):
    rows = [(prompt.pk, source.pk, sample, text, "stop", {"temperature": 1.0}) for sample, text in enumerate(answers)]
    responses_add(batch=batch, rows=rows)


def items(task):
    return [item.item for item in task.items.order_by("response_id")]


def test_a_batch_takes_ranked_prompts_that_were_in_no_batch_yet(project, source):
    PromptFactory.create_batch(6, project=project)
    PromptFactory(project=project, split=Split.POOL)
    PromptFactory(project=project, split=Split.HELDOUT)
    PromptFactory()

    first = batch_create(project=project, plan=[(source.pk, 4)], n_prompts=4, seed=1)
    second = batch_create(project=project, plan=[(source.pk, 4)], n_prompts=4, seed=1)

    assert (first.number, second.number, first.overlap) == (1, 2, 2)
    assert first.plan == [{"source": source.pk, "n": 4}]
    assert len(set(texts(first)) & set(texts(second))) == 2
    assert first.prompts.filter(split=Split.RANKED).count() == 4


def test_the_choice_follows_from_contents_and_seed_alone(source):
    chosen = []
    for order in (range(20), reversed(range(20))):
        project = ProjectFactory()
        for n in order:
            PromptFactory(project=project, text=f"Prompt {n}")
        chosen.append(
            [texts(batch_create(project=project, plan=[(source.pk, 2)], n_prompts=5, seed=seed)) for seed in (1, 1, 2)]
        )

    assert chosen[0] == chosen[1]
    assert chosen[0][0] != chosen[0][2]


@pytest.mark.parametrize(("plan", "n_prompts"), [([], 3), ([(1, 0)], 3), ([(1, 2)], 0)])
def test_an_empty_plan_is_refused(project, plan, n_prompts):
    PromptFactory(project=project)

    with pytest.raises(Invalid, match="at least one"):
        batch_create(project=project, plan=plan, n_prompts=n_prompts, seed=1)


def test_a_project_without_prompts_is_told_to_add_some(project, source):
    with pytest.raises(Invalid, match="add some first"):
        batch_create(project=project, plan=[(source.pk, 4)], n_prompts=3, seed=1)


def test_opening_makes_a_task_of_each_prompt_with_two_different_answers(project, source):
    prompts = PromptFactory.create_batch(3, project=project)
    batch = batch_create(project=project, plan=[(source.pk, 4)], n_prompts=3, seed=1)
    answer(batch, source, prompts[0], "a", "b", "a", "c")
    answer(batch, source, prompts[1], "same", "same", "same", "same")
    answer(batch, source, prompts[2], "x", "y", "z", "w")

    batch_open(batch=batch)

    tasks = {task.prompt: task for task in Task.objects.all()}
    assert set(tasks) == {prompts[0], prompts[2]}
    merged = items(tasks[prompts[0]])
    assert merged[0] == merged[2]
    assert sorted(set(merged)) == [0, 1, 2]
    assert sorted(items(tasks[prompts[2]])) == [0, 1, 2, 3]
    assert {(task.overlap, task.open_slots) for task in tasks.values()} == {(2, 2)}
    batch.refresh_from_db()
    assert batch.state == BatchState.OPEN
    assert batch.opened_at is not None


def test_prompts_whose_answers_are_written_make_tasks_without_any(source):
    project = ProjectFactory(protocol__kind=ProtocolKind.WRITE)
    prompts = PromptFactory.create_batch(2, project=project)
    batch = batch_create(project=project, plan=[], n_prompts=5, seed=1)

    batch_open(batch=batch)

    assert {task.prompt for task in Task.objects.all()} == set(prompts)
    assert not TaskItem.objects.exists()
    with pytest.raises(Invalid, match="samples none"):
        batch_create(project=project, plan=[(source.pk, 2)], n_prompts=5, seed=1)


def test_item_numbers_do_not_follow_the_sources(project):
    old, new = (SourceFactory(project=project) for _ in range(2))
    PromptFactory.create_batch(40, project=project)
    batch = batch_create(project=project, plan=[(old.pk, 1), (new.pk, 1)], n_prompts=40, seed=1)
    for prompt in batch.prompts.all():
        answer(batch, old, prompt, f"old {prompt.pk}")
        answer(batch, new, prompt, f"new {prompt.pk}")

    batch_open(batch=batch)

    n_first = sum(task.items.get(item=0).response.source == old for task in Task.objects.all())
    assert 8 < n_first < 32


def test_opening_twice_makes_the_tasks_once(project, source):
    prompt = PromptFactory(project=project)
    batch = batch_create(project=project, plan=[(source.pk, 2)], n_prompts=1, seed=1)
    answer(batch, source, prompt, "a", "b")

    batch_open(batch=batch)
    batch_open(batch=batch)

    assert Task.objects.count() == 1
    assert Transition.objects.filter(to_state="open").count() == 1


def test_a_batch_without_a_task_fails_and_says_why(project, source):
    prompt = PromptFactory(project=project)
    batch = batch_create(project=project, plan=[(source.pk, 2)], n_prompts=1, seed=1)
    answer(batch, source, prompt, "a", "a")

    batch_open(batch=batch)

    batch.refresh_from_db()
    assert (batch.state, batch.opened_at) == (BatchState.FAILED, None)
    assert "two different answers" in Transition.objects.get(to_state="failed").reason


def test_a_repeated_sampling_job_adds_nothing(project, source):
    prompt = PromptFactory(project=project)
    batch = batch_create(project=project, plan=[(source.pk, 2)], n_prompts=1, seed=1)
    answer(batch, source, prompt, "a", "b")
    answer(batch, source, prompt, "c", "d")

    assert sorted(Response.objects.values_list("text", flat=True)) == ["a", "b"]


def test_model_output_that_no_database_stores_is_made_storable(project, source):
    prompt = PromptFactory(project=project)
    batch = BatchFactory(project=project)
    answer(batch, source, prompt, "a\x00b")

    assert Response.objects.get().text == "a\ufffdb"


def test_closing_twice_is_one_transition(project):
    batch = BatchFactory(project=project)

    batch_close(batch=batch, by=project.created_by, reason="round 1 launched")
    batch_close(batch=batch)

    move = Transition.objects.get(object_type="feedback.batch")
    assert (move.from_state, move.to_state, move.actor, move.reason) == (
        "open", "closed", project.created_by, "round 1 launched",
    )  # fmt: skip


def test_only_a_closed_batch_opens_again(project):
    batch = batch_close(batch=BatchFactory(project=project))

    batch_reopen(batch=batch)
    assert (batch.state, batch.closed_at) == (BatchState.OPEN, None)
    with pytest.raises(IllegalTransition):
        batch_reopen(batch=batch)


def test_an_open_batch_does_not_fail(project):
    with pytest.raises(IllegalTransition):
        batch_fail(batch=BatchFactory(project=project), reason="x")


def test_a_source_is_made_once(project):
    first = source_get_or_create(project=project, key="policy-1", name="Policy 1")

    assert source_get_or_create(project=project, key="policy-1", name="Other") == first
    assert first.name == "Policy 1"


def test_opening_a_large_batch_needs_few_queries(project, source, django_assert_max_num_queries):
    prompts = PromptFactory.create_batch(300, project=project)
    batch = batch_create(project=project, plan=[(source.pk, 4)], n_prompts=300, seed=1)
    responses_add(
        batch=batch,
        rows=[(prompt.pk, source.pk, n, f"answer {n}", "length", {}) for prompt in prompts for n in range(4)],
    )

    with django_assert_max_num_queries(20):
        batch_open(batch=batch)
