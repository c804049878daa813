import io
import json
from pathlib import Path

import pytest

from feedback.domain.errors import UploadRefused
from feedback.domain.states import BatchState, Split, UserKind
from feedback.models import Batch, Judgment, Prompt, Response, Task
from feedback.selectors.preference import preference_rows
from feedback.services.preference import preferences_import
from tests.feedback.factories import ProjectFactory, PromptFactory

pytestmark = pytest.mark.django_db

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture
def project():
    return ProjectFactory()


def pair(prompt, chosen, rejected):
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def load(project, *rows, **more):
    file = io.BytesIO("\n".join(json.dumps(row) for row in rows).encode())
    return preferences_import(project=project, file=file, filename="rows.jsonl", by=project.created_by, **more)


def test_pairs_become_judged_tasks_of_a_closed_batch(project):
    imported = load(project, pair("a", "good", "bad"), pair("b", "yes", "no"))

    assert (imported.n_added, imported.batch.state) == (2, BatchState.CLOSED)
    assert Task.objects.filter(batch=imported.batch, open_slots=0).count() == 2
    judgment = Judgment.objects.first()
    assert (judgment.annotator.username, judgment.annotator.kind, judgment.annotator.is_active) == (
        "imported", UserKind.JUDGE, False,
    )  # fmt: skip
    assert set(Prompt.objects.values_list("split", flat=True)) == {Split.RANKED}


def test_what_was_imported_is_exported_again(project):
    rows = [pair(f"Question {n}", f"good {n}", f"bad {n}") for n in range(20)]
    load(project, *rows)

    exported = [
        pair(row["prompt"][0]["content"], row["chosen"][0]["content"], row["rejected"][0]["content"])
        for row in preference_rows(project=project)
    ]

    assert exported == rows
    first = next(preference_rows(project=project))
    assert (first["chosen_source"], first["rejected_source"]) == ("imported-chosen", "imported-rejected")
    assert first["annotator"] == "imported"


def test_importing_again_adds_nothing(project):
    rows = [pair("a", "good", "bad"), pair("a", "better", "bad"), pair("a", "good", "bad")]
    first = load(project, *rows)
    second = load(project, *rows)
    third = load(project, pair("a", "bad", "good"))

    assert (first.n_added, first.n_known) == (2, 1)
    assert (second.n_added, second.n_known, second.batch) == (0, 3, None)
    assert third.n_added == 1
    assert Batch.objects.count() == 2
    assert Prompt.objects.count() == 1


def test_long_pairs_are_skipped_and_counted(project):
    imported = load(
        project,
        pair("a", "good", "bad"),
        pair("b", "good" * 10, "bad"),
        pair("c", "good", "bad" * 10),
        measure=lambda messages: sum(len(message["content"]) for message in messages),
        max_length=20,
    )

    assert (imported.n_added, imported.n_skipped_too_long) == (1, 2)
    assert Response.objects.count() == 2


def test_pairs_of_equal_answers_are_skipped_and_counted(project):
    imported = load(project, pair("a", "same", "same"), pair("b", "good", "bad"))

    assert (imported.n_added, imported.n_skipped_equal) == (1, 1)


def test_prompts_that_are_held_out_stay_unranked(project):
    PromptFactory(project=project, text="a", split=Split.HELDOUT)
    PromptFactory(project=project, text="b", split=Split.POOL)
    PromptFactory(project=project, text="c", split=Split.RANKED)

    imported = load(project, *(pair(text, "good", "bad") for text in "abcd"))

    assert (imported.n_added, imported.n_skipped_split) == (2, 2)
    assert set(Judgment.objects.values_list("task__prompt__split", flat=True)) == {"ranked"}
    assert Prompt.objects.count() == 4


def test_a_bad_row_leaves_nothing_behind(project):
    with pytest.raises(UploadRefused, match="Line 7"):
        load(project, *(pair(f"Question {n}", "good", "bad") for n in range(6)), {"prompt": "a", "chosen": "b"})

    assert not Prompt.objects.exists()
    assert not Batch.objects.exists()


def test_many_pairs_need_few_queries(project, django_assert_max_num_queries):
    with django_assert_max_num_queries(90):
        load(project, *(pair(f"Question {n}", f"good {n}", f"bad {n}") for n in range(600)))


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared data")
def test_a_published_file_of_300_pairs_is_taken_as_it_is(project):
    with (SHARED / "dpo_en_demo.json").open("rb") as file:
        imported = preferences_import(project=project, file=file, filename=file.name)

    rows = list(preference_rows(project=project))
    assert (imported.n_added, imported.n_known, len(rows)) == (295, 5, 295)  # five of its pairs stand there twice
    assert all(row["prompt"][-1]["role"] == "user" for row in rows)
