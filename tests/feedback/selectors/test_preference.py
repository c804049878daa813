import json

import pytest

from feedback.domain.states import FinishReason
from feedback.formats.writing import jsonl_lines
from feedback.selectors import judgment as judgment_selectors
from feedback.selectors.demonstration import demonstration_rows
from feedback.selectors.judgment import judgment_rows, project_counts
from feedback.selectors.preference import COLUMNS, preference_rows
from tests.feedback.factories import (
    ConsensusFactory,
    JudgmentFactory,
    MembershipFactory,
    ProjectFactory,
    PromptFactory,
    QualityReportFactory,
    ResponseFactory,
    SourceFactory,
    TaskFactory,
    TaskItemFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def ann(project):
    return MembershipFactory(project=project, pseudonym="p-ann").user


@pytest.fixture
def bob(project):
    return MembershipFactory(project=project, pseudonym="p-bob").user


def judge(task, annotator, ranks, **more):
    return JudgmentFactory(assignment__task=task, assignment__annotator=annotator, ranks=ranks, **more)


def pairs(project):
    return [
        (row["annotator"], row["chosen"][0]["content"], row["rejected"][0]["content"])
        for row in preference_rows(project=project)
    ]


def test_a_ranking_of_three_with_a_tie_is_two_rows_in_trls_format(project, ann):
    task = TaskFactory(project=project, n_answers=3)
    judge(task, ann, [2, 1, 2])

    rows = list(preference_rows(project=project))

    texts = [item.response.text for item in task.items.all()]
    assert [list(row) for row in rows] == [COLUMNS, COLUMNS]
    assert [row["chosen"] for row in rows] == [[{"role": "assistant", "content": texts[1]}]] * 2
    assert [row["rejected"][0]["content"] for row in rows] == [texts[0], texts[2]]
    assert rows[0]["prompt"] == task.prompt.messages
    assert (rows[0]["task"], rows[0]["annotator"], rows[0]["protocol"]) == (task.pk, "p-ann", 1)


def test_people_who_disagree_both_have_their_row(project, ann, bob):
    task = TaskFactory(project=project)
    judge(task, ann, [1, 2])
    judge(task, bob, [2, 1])

    one, other = pairs(project)

    assert one == ("p-ann", other[2], other[1])


def test_late_and_corrected_judgments_are_not_exported(project, ann, bob):
    task = TaskFactory(project=project)
    first = judge(task, ann, [1, 2])
    judge(task, bob, [1, 2], counted=False)
    JudgmentFactory(assignment=first.assignment, ranks=[2, 1], supersedes=first)

    assert len(pairs(project)) == 1
    assert pairs(project)[0][1] == task.items.get(item=1).response.text
    assert len(list(judgment_rows(project=project))) == 3


def test_an_answer_that_two_sources_gave_names_both_and_is_cut_only_if_all_were(project, ann):
    task = TaskFactory(project=project, n_answers=0)
    old, new = SourceFactory(project=project, key="old"), SourceFactory(project=project, key="new")
    for source, text, item, reason in (
        (old, "same", 0, FinishReason.LENGTH),
        (new, "same", 0, FinishReason.STOP),
        (new, "other", 1, FinishReason.LENGTH),
    ):
        response = ResponseFactory(prompt=task.prompt, source=source, text=text, finish_reason=reason)
        TaskItemFactory(task=task, response=response, item=item)
    judge(task, ann, [1, 2])

    [row] = preference_rows(project=project)

    assert (row["chosen_source"], row["rejected_source"]) == ("new+old", "new")
    assert (row["chosen_cut"], row["rejected_cut"]) == (False, True)


def test_somebody_who_left_keeps_the_pseudonym(project, ann):
    judge(TaskFactory(project=project), ann, [1, 2])
    ann.memberships.update(is_active=False)

    assert pairs(project)[0][0] == "p-ann"


def test_no_row_names_a_person(project, ann):
    judge(TaskFactory(project=project), ann, [1, 2])

    text = json.dumps([list(preference_rows(project=project)), list(judgment_rows(project=project))])

    assert ann.username not in text


def test_the_same_database_gives_the_same_bytes(project, ann):
    for _ in range(5):
        judge(TaskFactory(project=project, n_answers=3), ann, [3, 1, 1])

    first, second = ("".join(jsonl_lines(preference_rows(project=project))) for _ in range(2))

    assert first == second


def test_chunks_neither_lose_nor_repeat(project, ann, monkeypatch):
    monkeypatch.setattr(judgment_selectors, "CHUNK", 3)
    judged = [judge(TaskFactory(project=project), ann, [1, 2]).task_id for _ in range(10)]

    assert [row["task"] for row in preference_rows(project=project)] == judged


def test_queries_grow_with_chunks_not_with_rows(project, ann, django_assert_num_queries):
    for _ in range(30):
        judge(TaskFactory(project=project, n_answers=3), ann, [1, 2, 3])

    QualityReportFactory(project=project)

    with django_assert_num_queries(6):  # last id, pseudonyms, report, judgments, their answers and consensus
        assert len(list(preference_rows(project=project))) == 90


def test_the_export_is_read_as_it_is_written(project, ann, django_assert_num_queries):
    for _ in range(3):
        judge(TaskFactory(project=project), ann, [1, 2])

    with django_assert_num_queries(0):
        rows = preference_rows(project=project)
    next(rows)


def test_raw_judgments_hold_what_was_shown_and_said(project, ann):
    judgment = judge(
        TaskFactory(project=project),
        ann,
        [2, 1],
        rationale="=shorter",
        flags=[{"item": 0, "flag": "unsafe"}],
        active_s=3.5,
    )

    [row] = judgment_rows(project=project)

    assert row["ranks"] == [2, 1]
    assert row["shown_order"] == judgment.assignment.order
    assert (row["rationale"], row["active_s"]) == ("=shorter", 3.5)
    assert row["flags"] == [{"item": 0, "flag": "unsafe"}]
    assert [answer["text"] for answer in row["answers"]] == [item.response.text for item in judgment.task.items.all()]
    assert (row["counted"], row["supersedes"], row["annotator"]) == (True, None, "p-ann")


def test_raw_judgments_hold_every_kind_of_judgment_as_it_was_stored(project, ann):
    judgment = judge(
        TaskFactory(project=project),
        ann,
        [None, None],
        cannot_judge=[1],
        all_bad=True,
        strength=3,
        ratings={"helpful": [4, None]},
        flags=[{"item": 1, "flag": "language"}],
        edited_answer="Better.",
        edited_item=0,
    )

    [row] = judgment_rows(project=project)

    said = ("ranks", "cannot_judge", "all_bad", "strength", "ratings", "flags", "edited_answer", "edited_item")
    assert {name: row[name] for name in said} == {name: getattr(judgment, name) for name in said}
    assert (row["protocol"], row["kind"]) == (1, "rank")


def test_an_answer_without_a_rank_loses_and_one_that_was_not_judged_is_in_no_pair(project, ann):
    task = TaskFactory(project=project, n_answers=4)
    judge(task, ann, [1, None, None, None], cannot_judge=[3])

    texts = [item.response.text for item in task.items.all()]
    assert [(chosen, rejected) for _, chosen, rejected in pairs(project)] == [
        (texts[0], texts[1]), (texts[0], texts[2]),
    ]  # fmt: skip


def test_a_comparison_names_its_strength(project, ann):
    judge(TaskFactory(project=project), ann, [2, 1], strength=3)

    assert [row["strength"] for row in preference_rows(project=project)] == [3]


def test_an_improved_answer_is_chosen_over_what_it_improves_and_named_after_its_author(project, ann):
    task = TaskFactory(project=project)
    judge(task, ann, [1, 1], edited_answer="Better.", edited_item=1)

    [row] = preference_rows(project=project)

    original = task.items.get(item=1).response
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == ("Better.", original.text)
    assert (row["edited"], row["chosen_source"], row["rejected_source"]) == (True, "p-ann", original.source.key)


def test_demonstrations_are_what_people_wrote_and_improved(project, ann, bob):
    prompt = PromptFactory(
        project=project,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": "Who are you?"},
        ],
    )
    judge(TaskFactory(project=project, prompt=prompt, n_answers=0), ann, [], edited_answer="A harbour clerk.")
    improved = judge(TaskFactory(project=project), bob, [2, 1], edited_answer="Better.", edited_item=0)
    judge(TaskFactory(project=project), bob, [2, 1])
    judge(TaskFactory(project=project), bob, [2, 1], edited_answer="Late.", edited_item=0, counted=False)

    QualityReportFactory(project=project, reliable={ann: (0.9, 1.0), bob: (0.5, 0.0)})

    written, better = demonstration_rows(project=project)

    assert written["prompt"] == prompt.messages
    assert written["completion"] == [{"role": "assistant", "content": "A harbour clerk."}]
    assert (written["annotator"], written["improves"]) == ("p-ann", None)
    assert [(row["reliability"], row["weight"]) for row in (written, better)] == [(0.9, 1.0), (0.5, 0.0)]
    assert better["completion"][0]["content"] == "Better."
    assert better["improves"] == improved.task.items.get(item=0).response.source.key
    assert [row["edited"] for row in preference_rows(project=project)] == [False, True, False]


def test_figures_are_counted_without_reading_ranks(project, ann, bob, django_assert_num_queries):
    judge(TaskFactory(project=project, n_answers=3), ann, [1, 1, 3])
    judge(TaskFactory(project=project), bob, [1, 1])
    JudgmentFactory()

    with django_assert_num_queries(1):
        counts = project_counts(project=project)

    assert (counts.n_judgments, counts.n_pairs, counts.n_ties, counts.n_prompts, counts.n_annotators) == (2, 2, 2, 2, 2)


@pytest.fixture
def weighed(project, ann, bob):
    """A task that ann and bob see differently, and a report that trusts ann."""
    task = TaskFactory(project=project, n_answers=3)
    judge(task, ann, [1, 2, 3])
    judge(task, bob, [3, 2, 1], edited_answer="Better.", edited_item=0)
    report = QualityReportFactory(project=project, reliable={ann: (0.9, 1.0), bob: (0.5, 0.0)})
    ConsensusFactory(task=task, report=report, ranks=[1, 2, 2], confidence=0.8)
    return task


def test_a_pair_says_whether_everybody_together_sees_it_so_and_what_its_annotator_is_worth(project, weighed):
    rows = list(preference_rows(project=project))

    said = [(row["annotator"], row["consensus"], row["confidence"]) for row in rows if not row["edited"]]
    assert said == [
        ("p-ann", True, 0.8), ("p-ann", True, 0.8), ("p-ann", None, None),  # the last two are tied in the consensus
        ("p-bob", False, 0.8), ("p-bob", False, 0.8), ("p-bob", None, None),
    ]  # fmt: skip
    assert {(row["annotator"], row["reliability"], row["weight"]) for row in rows} == {
        ("p-ann", 0.9, 1.0), ("p-bob", 0.5, 0.0),
    }  # fmt: skip
    [edited] = [row for row in rows if row["edited"]]
    assert (edited["consensus"], edited["confidence"]) == (None, None)  # nobody else compared it
    assert list(rows[0]) == COLUMNS


def test_raw_judgments_say_what_their_annotator_is_worth(project, weighed, bob):
    judge(TaskFactory(project=project, purpose="repeat", repeat_of=weighed, n_answers=3), bob, [1, 2, 3])

    rows = list(judgment_rows(project=project, known=True))

    assert [(row["reliability"], row["weight"]) for row in rows] == [(0.9, 1.0), (0.5, 0.0), (0.5, 0.0)]
    assert [row["consensus_ranks"] for row in rows] == [(1, 2, 2)] * 3
    assert {row["confidence"] for row in rows} == {0.8}


def test_before_the_first_report_nothing_is_known_of_anybody(project, ann):
    judge(TaskFactory(project=project), ann, [1, 2])
    QualityReportFactory(project=project, state="queued", figures={})

    [row] = preference_rows(project=project)
    [raw] = judgment_rows(project=project)

    worth = ("consensus", "confidence", "reliability", "weight")
    assert {row[name] for name in worth} == {None}
    assert {raw[name] for name in ("consensus_ranks", "confidence", "reliability", "weight")} == {None}
