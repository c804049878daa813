import io
import json

import pytest

from feedback.domain.errors import UploadRefused
from feedback.formats.gold import read_golds

ROW = {"prompt": "What is 2 + 2?", "answers": ["5", "4"], "ranks": [2, 1]}


def read(*rows, name="known.jsonl"):
    return list(read_golds(io.BytesIO("\n".join(json.dumps(row) for row in rows).encode()), name))


def test_the_shortest_row_is_hidden_and_tolerates_nothing():
    [row] = read(ROW)
    assert row.messages == [{"role": "user", "content": "What is 2 + 2?"}]
    assert (row.answers, row.ranks) == (["5", "4"], [2, 1])
    assert (row.tolerance, row.explanation, row.purpose) == (0.0, "", "gold")


def test_a_row_says_all_that_there_is_to_say():
    conversation = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    [row] = read(
        {
            "prompt": conversation, "answers": ["a", "b", "c"], "ranks": [1, 1, 2], "tolerance": 0.5,
            "explanation": "**Why**", "purpose": "training",
        }
    )  # fmt: skip
    assert row.messages == conversation
    assert row.ranks == [1, 1, 3]
    assert (row.tolerance, row.explanation, row.purpose) == (0.5, "**Why**", "training")


def test_answers_below_the_best_may_have_no_rank():
    assert read({**ROW, "ranks": [None, 1]})[0].ranks == [None, 1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": [{"role": "assistant", "content": "x"}]}, "user"),
        ({"answers": ["4"]}, "2 to 9"),
        ({"answers": "4"}, "2 to 9"),
        ({"answers": ["4", 5]}, "must be a text"),
        ({"answers": ["4", "4"]}, "same text"),
        ({"ranks": [1]}, "all 2 answers"),
        ({"ranks": [1, 1]}, "at least one"),
        ({"ranks": [1, 3]}, "start at 1"),
        ({"ranks": {"a": 1}}, "a list"),
        ({"tolerance": 2}, "0 to 1"),
        ({"tolerance": "0"}, "0 to 1"),
        ({"explanation": None}, "must be a text"),
        ({"explanation": "x" * 10_001}, "10,000"),
        ({"purpose": "label"}, "gold, training, qualification"),
        ({"purpose": ["gold"]}, "gold, training, qualification"),
        ({"explanaton": "typed in haste"}, "no field explanaton"),
    ],
)
def test_a_mistake_is_named_with_its_line(changes, reason):
    with pytest.raises(UploadRefused, match=reason) as refused:
        read(ROW, {**ROW, **changes})
    assert refused.value.line == 2


@pytest.mark.parametrize("row", ["4", [], {"prompt": "x"}])
def test_what_is_no_known_answer_is_refused(row):
    with pytest.raises(UploadRefused, match="Line 1: expected an object with prompt, answers and ranks"):
        read(row)


def test_there_is_a_limit(monkeypatch):
    monkeypatch.setattr("feedback.formats.gold.MAX_KNOWN", 1)
    with pytest.raises(UploadRefused, match="Line 2: There are more than 1 known"):
        read(ROW, ROW)
