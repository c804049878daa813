import io
import json

import pytest

from feedback.domain.errors import UploadRefused
from feedback.formats.preferences import read_preferences

USER = {"role": "user", "content": "Why?"}


def answer(text):
    return {"role": "assistant", "content": text}


def pairs(*rows):
    return list(read_preferences(io.BytesIO("\n".join(json.dumps(row) for row in rows).encode()), "a.jsonl"))


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Why?", "chosen": "So.", "rejected": "No."},
        {"prompt": [USER], "chosen": [answer("So.")], "rejected": [answer("No.")]},
        {"chosen": [USER, answer("So.")], "rejected": [USER, answer("No.")]},
        {
            "conversations": [{"from": "human", "value": "Why?"}],
            "chosen": {"from": "gpt", "value": "So."},
            "rejected": {"from": "gpt", "value": "No."},
        },
    ],
    ids=["plain", "conversational", "implicit prompt", "sharegpt"],
)
def test_each_shape_is_a_prompt_and_two_answers(row):
    [pair] = pairs(row)

    assert (pair.messages, pair.chosen, pair.rejected) == ([USER], "So.", "No.")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"prompt": "Why?", "chosen": "So."}, "prompt, chosen and rejected"),
        (["Why?"], "prompt, chosen and rejected"),
        ({"prompt": "Why?", "chosen": "", "rejected": "No."}, "chosen is empty"),
        ({"prompt": "Why?", "chosen": 1, "rejected": "No."}, "chosen must be a text or a list"),
        ({"prompt": "Why?", "chosen": [answer("a"), answer("b")], "rejected": "No."}, "one message of the assistant"),
        ({"prompt": [answer("x")], "chosen": "So.", "rejected": "No."}, "last message must be the user's"),
        ({"chosen": [USER, answer("a")], "rejected": [{**USER, "content": "x"}, answer("b")]}, "same conversation"),
        ({"chosen": "So.", "rejected": "No."}, "prompt must be a list"),
        ({"chosen": [], "rejected": []}, "prompt must be a list"),
        ({"conversations": "x", "chosen": {}, "rejected": {}}, "must hold turns"),
        ({"conversations": [{"from": "tool", "value": "x"}], "chosen": {}, "rejected": {}}, "turn from 'tool'"),
        ({"conversations": [{"from": "human", "value": "x"}], "chosen": "So.", "rejected": "No."}, "must hold turns"),
        (
            {"conversations": [{"from": "human"}]}
            | {side: {"from": "gpt", "value": side} for side in ("chosen", "rejected")},
            "must be a text",
        ),
    ],
)
def test_a_row_of_another_shape_is_refused_with_its_line(row, says):
    with pytest.raises(UploadRefused, match=says) as refused:
        pairs({"prompt": "Why?", "chosen": "So.", "rejected": "No."}, row)
    assert refused.value.line == 2
