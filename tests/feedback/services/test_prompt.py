import io
import json
import time
from pathlib import Path

import pytest

from feedback.domain.errors import UploadRefused
from feedback.domain.split import split_of
from feedback.domain.states import Split
from feedback.models import Prompt
from feedback.services.prompt import prompts_import
from tests.feedback.factories import ProjectFactory

pytestmark = pytest.mark.django_db

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture
def project():
    return ProjectFactory()


def load(project, *rows):
    file = io.BytesIO("\n".join(json.dumps(row) for row in rows).encode())
    return prompts_import(project=project, file=file, filename="rows.jsonl")


def test_new_prompts_are_added_and_known_ones_counted(project):
    first = load(project, {"prompt": "a"}, {"prompt": "b"}, {"messages": [{"role": "user", "content": "a"}]})
    second = load(project, {"prompt": "b"}, {"prompt": "c"})

    assert (first.n_added, first.n_known) == (2, 1)
    assert (second.n_added, second.n_known) == (1, 1)
    assert load(ProjectFactory(), {"prompt": "a"}).n_added == 1


def test_a_prompt_keeps_what_its_row_says(project):
    load(project, {"prompt": "a", "id": "x1", "group": "g", "split": "heldout", "tags": ["t"]})

    prompt = Prompt.objects.get()
    assert (prompt.external_id, prompt.group, prompt.split, prompt.tags) == ("x1", "g", Split.HELDOUT, ["t"])
    assert prompt.messages == [{"role": "user", "content": "a"}]


def test_a_group_shares_the_split_of_its_name(project):
    load(project, *({"prompt": f"{group} {n}", "group": group} for n in range(3) for group in "abcdefgh"))

    for group in "abcdefgh":
        splits = set(Prompt.objects.filter(group=group).values_list("split", flat=True))
        assert splits == {split_of(group)}


def test_a_prompt_alone_is_its_own_group(project):
    load(project, {"prompt": "a"})

    prompt = Prompt.objects.get()
    assert prompt.group == prompt.content_sha256
    assert prompt.split == split_of(prompt.content_sha256)


def test_a_row_without_a_split_follows_its_group(project):
    [other] = [split for split in ("pool",) if split_of("g") != split] or ["heldout"]
    load(project, {"prompt": "a", "group": "g"}, {"prompt": "b", "group": "g", "split": other})
    load(project, {"prompt": "c", "group": "g"})

    assert set(Prompt.objects.values_list("split", flat=True)) == {other}


@pytest.mark.parametrize("in_one_file", [True, False])
def test_a_group_on_two_sides_of_the_split_is_refused(project, in_one_file):
    rows = [{"prompt": "a", "group": "g", "split": "ranked"}, {"prompt": "b", "group": "g", "split": "heldout"}]
    if not in_one_file:
        load(project, rows.pop(0))
    before = Prompt.objects.count()

    with pytest.raises(UploadRefused, match="a group shares a split") as refused:
        load(project, *rows)

    assert refused.value.line == len(rows)
    assert Prompt.objects.count() == before


def test_a_file_that_breaks_in_line_7_leaves_nothing_behind(project):
    rows = [{"prompt": f"Question {n}"} for n in range(6)]

    with pytest.raises(UploadRefused, match="Line 7"):
        load(project, *rows, {"answer": "no question"})

    assert not Prompt.objects.exists()


def test_twenty_thousand_prompts_take_a_few_seconds_and_few_queries(project, django_assert_max_num_queries):
    rows = [
        {"id": n, "prompt": f"Which river runs through town {n}?", "group": f"river:{n // 4}", "tags": ["river"]}
        for n in range(20_000)
    ]

    began = time.process_time()
    with django_assert_max_num_queries(400):
        assert load(project, *rows).n_added == 20_000

    assert time.process_time() - began < 5  # of this process alone: others may keep the machine busy


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared data")
@pytest.mark.parametrize(
    ("filename", "n_added", "n_known"), [("alpaca_en_demo.json", 985, 14), ("gsm8k.test.jsonl", 1_319, 0)]
)
def test_published_files_are_taken_as_they_are(project, filename, n_added, n_known):
    with (SHARED / filename).open("rb") as file:
        imported = prompts_import(project=project, file=file, filename=filename)

    assert (imported.n_added, imported.n_known) == (n_added, n_known)
