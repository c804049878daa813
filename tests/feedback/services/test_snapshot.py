import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from feedback.domain.errors import Conflict, Invalid
from feedback.models import Judgment as StoredJudgment
from feedback.selectors.preference import COLUMNS, preference_rows
from feedback.selectors.snapshot import snapshot_people
from feedback.services import snapshot as snapshot_services
from feedback.services.snapshot import snapshot_create
from modeling.data.preferences import Judgment, read_preferences
from modeling.spec import FileRef
from tests.feedback.factories import (
    ConsensusFactory,
    JudgmentFactory,
    MembershipFactory,
    ProjectFactory,
    QualityReportFactory,
    SnapshotFactory,
    TaskFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(settings, tmp_path):
    settings.ARTIFACTS_ROOT = tmp_path
    return ProjectFactory()


@pytest.fixture
def ann(project):
    return MembershipFactory(project=project, pseudonym="p-ann").user


def judge(project, annotator, ranks, **more):
    task = TaskFactory(project=project, n_answers=len(ranks))
    return JudgmentFactory(assignment__task=task, assignment__annotator=annotator, ranks=ranks, **more)


def lines(snapshot, name="preferences.jsonl"):
    return [json.loads(line) for line in Path(snapshot.files[name]["path"]).read_text().splitlines()]


def test_a_snapshot_pins_what_counts_and_writes_its_pairs(project, ann, tmp_path):
    bob = MembershipFactory(project=project, pseudonym="p-bob").user
    first = judge(project, ann, [1, 2, 2])
    second = judge(project, ann, [2, 1])
    third = judge(project, bob, [1, 1])
    judge(project, bob, [1, 2], counted=False)
    JudgmentFactory()

    snapshot = snapshot_create(project=project, by=project.created_by)

    assert snapshot.judgment_ids == [first.pk, second.pk, third.pk]
    assert snapshot.counts == {
        "judgments": 3, "pairs": 3, "ties": 2, "edited": 0, "prompts": 3, "annotators": 2,
    }  # fmt: skip
    file = snapshot.files["preferences.jsonl"]
    assert file["path"] == str(tmp_path / "snapshots" / str(snapshot.pk) / "preferences.jsonl")
    assert file["rows"] == len(lines(snapshot)) == 3
    assert file["sha256"] == hashlib.sha256(Path(file["path"]).read_bytes()).hexdigest()
    assert lines(snapshot) == list(preference_rows(snapshot=snapshot))
    assert snapshot_people(snapshot) == [("p-ann", 2), ("p-bob", 1)]


def test_the_same_judgments_give_the_same_bytes(project, ann):
    judge(project, ann, [1, 2, 3])

    first, second = (snapshot_create(project=project, halves=True) for _ in range(2))

    assert first.pk != second.pk
    assert first.sha256 == second.sha256
    assert [file["sha256"] for file in first.files.values()] == [file["sha256"] for file in second.files.values()]


@pytest.mark.parametrize(
    "change",
    [
        {"ranks": [1, 1]},
        {"ranks": [None, None]},
        {"cannot_judge": [1]},
        {"all_bad": True},
        {"strength": 2},
        {"ratings": {"helpful": [4, 2]}},
        {"flags": [{"item": 0, "flag": "unsafe"}]},
        {"edited_answer": "Better."},
        {"edited_item": 1},
        {"rationale": "It is short."},
    ],
)
def test_all_that_a_judgment_says_is_in_the_hash(project, ann, change):
    judgment = judge(project, ann, [1, 2])
    before = snapshot_create(project=project).sha256

    StoredJudgment.objects.filter(pk=judgment.pk).update(**change)

    assert snapshot_create(project=project).sha256 != before


def test_an_improved_answer_is_a_pair_of_the_dataset(project, ann):
    judge(project, ann, [1, 2], edited_answer="Better than both.", edited_item=0)

    snapshot = snapshot_create(project=project)

    assert [row["edited"] for row in lines(snapshot)] == [False, True]
    assert (snapshot.counts["pairs"], snapshot.counts["edited"]) == (1, 1)
    assert snapshot.files["preferences.jsonl"]["rows"] == 2


def test_a_later_correction_leaves_a_snapshot_as_it_was(project, ann):
    judgment = judge(project, ann, [1, 2])
    snapshot = snapshot_create(project=project)
    before = list(preference_rows(snapshot=snapshot))

    correction = JudgmentFactory(assignment=judgment.assignment, ranks=[2, 1], supersedes=judgment)

    assert list(preference_rows(snapshot=snapshot)) == before
    assert snapshot_create(project=project).judgment_ids == [correction.pk]


def test_only_what_an_earlier_snapshot_lacks_is_new(project, ann):
    early, pinned = judge(project, ann, [1, 2]), judge(project, ann, [1, 2])
    earlier = SnapshotFactory(project=project, judgment_ids=[pinned.pk])
    late = judge(project, ann, [1, 2])

    # `early` has the lower id, and yet was committed only after the earlier snapshot.
    assert snapshot_create(project=project, not_in=[earlier]).judgment_ids == [early.pk, late.pk]
    assert snapshot_create(project=project, after_judgment_id=pinned.pk).judgment_ids == [late.pk]


def test_without_new_judgments_there_is_no_snapshot(project, ann, tmp_path):
    judge(project, ann, [1, 2])
    earlier = snapshot_create(project=project)

    with pytest.raises(Invalid, match="no new judgments"):
        snapshot_create(project=project, not_in=[earlier])
    assert [folder.name for folder in (tmp_path / "snapshots").iterdir()] == [str(earlier.pk)]


def test_halves_share_no_prompt_and_together_are_everything(project, ann):
    for _ in range(30):
        judge(project, ann, [1, 2])

    snapshot = snapshot_create(project=project, halves=True)

    half_a, half_b = ({row["prompt_id"] for row in lines(snapshot, f"half_{half}.jsonl")} for half in "ab")
    assert half_a
    assert half_b
    assert not half_a & half_b
    assert half_a | half_b == {row["prompt_id"] for row in lines(snapshot)}


def test_ties_have_files_of_their_own(project, ann):
    judge(project, ann, [1, 1, 3])
    for _ in range(12):
        judge(project, ann, [1, 1])

    snapshot = snapshot_create(project=project, halves=True)

    ties = lines(snapshot, "ties.jsonl")
    assert len(ties) == snapshot.files["ties.jsonl"]["rows"] == snapshot.counts["ties"] == 13
    assert all(row["tie"] and row.keys() - {"tie"} == set(COLUMNS) for row in ties)
    assert [len(lines(snapshot)), lines(snapshot)[0].get("tie")] == [2, None]
    halves = [lines(snapshot, f"half_{half}_ties.jsonl") for half in "ab"]
    assert all(halves)
    assert sorted(row["task"] for half in halves for row in half) == [row["task"] for row in ties]


def test_ratings_are_pairs_of_a_dimension(project, ann):
    judge(project, ann, [1, 2, 3], ratings={"tone": [2, 5, 2], "facts": [None, 1, 3]})

    rows = lines(snapshot_create(project=project), "ratings.jsonl")

    told = [(row["dimension"], row["chosen"][0]["content"], row["rejected"][0]["content"], row["tie"]) for row in rows]
    a, b, c = rows[1]["rejected"][0]["content"], rows[1]["chosen"][0]["content"], rows[0]["chosen"][0]["content"]
    assert told == [("facts", c, b, False), ("tone", b, a, False), ("tone", a, c, True), ("tone", b, c, False)]


def test_a_row_says_which_answer_the_annotator_saw_first(project, ann):
    judgment = judge(project, ann, [1, 2, 2], assignment__order=[2, 0, 1])

    snapshot = snapshot_create(project=project)

    assert [(row["chosen"], row["chosen_first"]) for row in lines(snapshot)] == [
        (row["chosen"], first) for row, first in zip(preference_rows(snapshot=snapshot), (True, False), strict=True)
    ]  # item 0 is shown before item 1 and after item 2
    assert lines(snapshot, "ties.jsonl")[0]["chosen_first"] is False
    assert judgment.assignment.order == [2, 0, 1]


def test_a_consensus_that_ties_two_answers_says_of_neither_that_it_won(project, ann):
    judgment = judge(project, ann, [1, 2])
    report = QualityReportFactory(project=project, reliable={ann: (0.9, 1.0)})
    ConsensusFactory(task=judgment.task, report=report, ranks=[1, 1], confidence=0.8)

    [row] = lines(snapshot_create(project=project))

    assert (row["consensus"], row["confidence"], row["reliability"]) == (None, None, 0.9)


def test_a_folder_left_by_a_crash_is_replaced(project, ann, tmp_path):
    judge(project, ann, [1, 2])
    first = snapshot_create(project=project)
    first_id = first.pk
    stray = tmp_path / "snapshots" / str(first_id + 1)
    stray.mkdir()
    (stray / "half_a.jsonl").write_text("left")

    second = snapshot_create(project=project)

    assert {file.name for file in Path(second.files["preferences.jsonl"]["path"]).parent.iterdir()} == {
        "datasheet.md", "preferences.jsonl", "ratings.jsonl", "ties.jsonl",
    }  # fmt: skip


def test_a_snapshot_keeps_what_its_report_said_when_it_was_written(project, ann):
    judgment = judge(project, ann, [1, 2])
    report = QualityReportFactory(project=project, reliable={ann: (0.9, 1.0)})
    consensus = ConsensusFactory(task=judgment.task, report=report, confidence=0.8)
    snapshot, twin = snapshot_create(project=project), snapshot_create(project=project)

    assert snapshot.files["preferences.jsonl"]["sha256"] == twin.files["preferences.jsonl"]["sha256"]
    assert snapshot.filter["quality_report"] == report.pk
    assert snapshot.filter["quality_computed_at"] == report.computed_at.isoformat()
    [row] = lines(snapshot)
    assert (row["consensus"], row["confidence"], row["reliability"], row["weight"]) == (True, 0.8, 0.9, 1.0)

    consensus.delete()
    later = QualityReportFactory(project=project, reliable={ann: (0.4, 0.0)})
    ConsensusFactory(task=judgment.task, report=later, ranks=[2, 1], confidence=0.6)

    assert lines(snapshot) == [row]
    [again] = preference_rows(snapshot=snapshot)
    assert (again["reliability"], again["weight"]) == (0.9, 1.0)
    [new] = lines(snapshot_create(project=project))
    assert (new["consensus"], new["confidence"], new["reliability"], new["weight"]) == (False, 0.6, 0.4, 0.0)


def test_the_datasheet_says_what_the_columns_are_and_which_report_they_are_of(project, ann):
    judge(project, ann, [1, 2])

    def sheet():
        return Path(snapshot_create(project=project).files["datasheet.md"]["path"]).read_text()

    assert f"# Preferences of {project}" in sheet()
    assert "1 judgments, 1 pairs" in sheet()
    assert "the last four columns are null" in sheet()
    report = QualityReportFactory(project=project)
    assert f"quality report {report.pk}, computed {report.computed_at.isoformat()}" in sheet()
    assert all(f"`{column}`" in sheet() for column in COLUMNS)


def test_a_snapshot_never_mixes_two_reports(project, ann, monkeypatch, tmp_path):
    judge(project, ann, [1, 2])
    write = snapshot_services._write

    def slow(*arguments, **more):
        QualityReportFactory(project=project)
        return write(*arguments, **more)

    monkeypatch.setattr(snapshot_services, "_write", slow)

    with pytest.raises(Conflict, match="make it again"):
        snapshot_create(project=project)
    assert list((tmp_path / "snapshots").iterdir()) == []


def test_training_reads_a_snapshot_with_all_that_the_report_says(project, ann):
    judgment = judge(project, ann, [1, 2, 2], strength=3)
    report = QualityReportFactory(project=project, reliable={ann: (0.9, 1.5)})
    ConsensusFactory(task=judgment.task, report=report, ranks=[1, 2, 3], confidence=0.8)
    files = snapshot_create(project=project).files

    rows = list(read_preferences([FileRef(files[name]["path"]) for name in ("preferences.jsonl", "ties.jsonl")]))

    known = {"ranking": f"{judgment.task_id} p-ann", "reliability": 0.9, "weight": 1.5}
    won = Judgment(strength=3, consensus=True, confidence=0.8, **known)
    assert [dataclasses.replace(row.judgment, chosen_first=None) for row in rows] == [
        won, won, Judgment(tie=True, **known),
    ]  # fmt: skip
    assert all(row.judgment.chosen_first is not None for row in rows)
