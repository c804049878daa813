import io
import json

import pytest

from feedback.domain.errors import UploadRefused
from feedback.domain.states import Split
from feedback.formats.prompts import read_prompts


def prompts(*rows, filename="a.jsonl"):
    return list(read_prompts(io.BytesIO("\n".join(json.dumps(row) for row in rows).encode()), filename))


def user(text):
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"messages": user("Why?")}, user("Why?")),
        ({"prompt": "Why?"}, user("Why?")),
        ({"prompt": user("Why?")}, user("Why?")),
        ({"instruction": "Translate.", "input": "Warum?", "output": "Why?"}, user("Translate.\n\nWarum?")),
        ({"instruction": "Sing.", "input": "", "output": "La"}, user("Sing.")),
        ({"question": "2 + 2?", "answer": "4"}, user("2 + 2?")),
        ("Why?", user("Why?")),
    ],
)
def test_each_shape_is_a_conversation(row, messages):
    [prompt] = prompts(row)

    assert prompt.messages == messages


def test_id_group_split_and_tags_are_kept():
    [prompt] = prompts({"prompt": "Why?", "id": 7, "group": "reason:life", "split": "heldout", "tags": ["short"]})

    assert (prompt.external_id, prompt.group, prompt.split, prompt.tags) == (
        "7",
        "reason:life",
        Split.HELDOUT,
        ["short"],
    )


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"text": "Why?"}, "there is no prompt"),
        ([1], "expected an object"),
        (7, "expected an object"),
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": 3}, "prompt must be a text"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "last message"),
        ({"prompt": "x", "split": "train"}, "split must be one of ranked, pool, heldout"),
        ({"prompt": "x", "split": ["ranked"]}, "split must be one of"),
        ({"prompt": "x", "tags": ["a"] * 60}, "at most 50"),
        ({"prompt": "x", "tags": [1]}, "a tag must be a text"),
        ({"prompt": "x", "id": ["a"]}, "id must be a text"),
        ({"prompt": "x", "group": "g" * 201}, "201 characters"),
        ({"prompt": "a\x00b"}, r"U\+0000"),
    ],
)
def test_a_row_of_another_shape_is_refused_with_its_line(row, says):
    with pytest.raises(UploadRefused, match=says) as refused:
        prompts({"prompt": "fine"}, row)
    assert refused.value.line == 2
    assert refused.value.message.startswith("Line 2: ")
