import json

import pytest

from modeling.data.dialogues import read_dialogues
from modeling.data.preferences import read_preferences
from modeling.data.prompts import read_prompts
from modeling.data.texts import read_documents, read_plain_texts
from modeling.data.unpaired import read_verdicts
from modeling.errors import BadInput
from modeling.spec import FileRef

ASK = {"role": "user", "content": "Why?"}
SAY = {"role": "assistant", "content": "Because."}


@pytest.fixture
def write(tmp_path):
    def write_bytes(content, name="rows.jsonl"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return FileRef(str(path))

    return write_bytes


def test_a_text_file_is_one_document(write):
    (document,) = read_documents(write("One.\n\nTwo.\n", "book.txt"))
    assert document.text == "One.\n\nTwo.\n"


def test_lines_are_texts_or_conversations(write, write_jsonl):
    file = write_jsonl([{"text": "One."}, {"messages": [ASK, SAY]}])
    text, conversation = read_documents(file)
    assert (text.text, conversation.messages) == ("One.", (ASK, SAY))
    assert list(read_plain_texts([file])) == ["One.", "Why?", "Because."]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"messages": [', "line 2: this is not JSON"),
        (b"[1]", "line 2: expected an object, not list"),
        (b'{"text": 3}', "line 2: 'text' must be a text"),
        (b'{"messages": []}', "line 2: 'messages' must be a list of messages"),
        (b'{"messages": [{"role": "boss", "content": "x"}]}', "line 2: messages.0. needs a role"),
        (b'{"messages": [{"role": "user", "content": null}]}', "line 2: messages.0. needs a content"),
        (b'{"text": "\xff"}', "line 2: this is not UTF-8"),
    ],
)
def test_a_broken_line_is_named_with_its_number_and_reason(write, line, reason):
    file = write(b'{"text": "fine"}\n' + line + b"\n")
    with pytest.raises(BadInput, match=reason):
        list(read_documents(file))


def test_a_missing_file_and_a_foreign_kind_are_refused(write):
    with pytest.raises(BadInput, match="cannot be read"):
        list(read_documents(FileRef("/nowhere/texts.jsonl")))
    with pytest.raises(BadInput, match=r"\.txt or \.jsonl"):
        list(read_documents(write("x", "texts.parquet")))


def test_a_byte_order_mark_is_not_part_of_the_text(write):
    (document,) = read_documents(write(b'\xef\xbb\xbf{"text": "One."}\n'))
    assert document.text == "One."


def test_a_prompt_without_a_group_is_its_own_group(write_jsonl):
    rows = [
        {"id": 7, "messages": [ASK]},
        {"id": "b", "messages": [ASK], "group": "why|fox", "split": "held_out", "tags": ["why"]},
    ]
    first, second = read_prompts(write_jsonl(rows))
    assert (first.id, first.group, first.split, first.tags) == ("7", "7", "", ())
    assert (second.group, second.split, second.tags, second.text) == ("why|fox", "held_out", ("why",), "Why?")


def test_a_prompt_that_ends_with_an_answer_is_refused(write_jsonl):
    with pytest.raises(BadInput, match="the last of 'messages' must be of the user"):
        list(read_prompts(write_jsonl([{"id": "a", "messages": [ASK, SAY]}])))


def test_a_preference_reads_trls_columns_and_ignores_others(write_jsonl):
    row = {
        "prompt": [ASK],
        "chosen": [SAY],
        "rejected": [{**SAY, "content": "No"}],
        "rejected_cut": True,
        "annotator": "x",
    }
    (pair,) = read_preferences([write_jsonl([row])])
    assert (pair.chosen, pair.rejected, pair.chosen_cut, pair.rejected_cut) == ("Because.", "No", False, True)
    assert pair.prompt_id == "Why?"


def test_dialogues_come_from_conversations_and_from_alpaca(write, write_jsonl):
    alpaca = [
        {"instruction": "Add.", "input": "1 2", "output": "3"},
        {"instruction": "Hi.", "input": "", "output": "Ho."},
    ]
    files = [write_jsonl([{"messages": [ASK, SAY]}]), write(json.dumps(alpaca), "alpaca.json")]
    conversation, with_input, without = read_dialogues(files)
    assert (conversation.messages, conversation.learn, conversation.cut) == ((ASK, SAY), (1,), False)
    assert [message["content"] for message in with_input.messages] == ["Add.\n\n1 2", "3"]
    assert [message["content"] for message in without.messages] == ["Hi.", "Ho."]


def test_a_conversation_teaches_every_answer_that_is_not_marked_and_a_demonstration_its_completion(write_jsonl):
    system, silent = {"role": "system", "content": "Be brief."}, {**SAY, "weight": 0}
    rows = [
        {"messages": [system, ASK, SAY, ASK, SAY]},
        {"messages": [system, ASK, silent, ASK, SAY]},
        {"prompt": [system, ASK, SAY, ASK], "completion": [SAY], "weight": 0.5},
        {"messages": [ASK, silent]},
    ]
    every, last, completion, nothing = read_dialogues([write_jsonl(rows)])
    assert [dialogue.learn for dialogue in (every, last, completion, nothing)] == [(2, 4), (4,), (4,), ()]
    assert [dialogue.weight for dialogue in (every, last, completion)] == [1.0, 1.0, 0.5]
    assert last.messages[2] == SAY


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": [ASK, {**SAY, "weight": 2}]}, "must be 0"),
        ({"messages": [ASK, SAY], "weight": -1}, "not negative"),
        ({"prompt": [ASK], "completion": [ASK]}, "must be of the assistant"),
        ({"prompt": [SAY], "completion": [SAY]}, "must be of the user"),
    ],
)
def test_marks_and_demonstrations_that_make_no_sense_are_refused(write_jsonl, row, reason):
    with pytest.raises(BadInput, match=reason):
        list(read_dialogues([write_jsonl([row])]))


def test_demonstrations_are_documents_too(write_jsonl):
    (document,) = read_documents(write_jsonl([{"prompt": [ASK], "completion": [SAY]}]))
    assert document.messages == (ASK, SAY)


def test_a_dialogue_without_an_answer_or_a_question_is_refused(write_jsonl):
    with pytest.raises(BadInput, match="must be of the assistant"):
        list(read_dialogues([write_jsonl([{"messages": [ASK]}])]))
    with pytest.raises(BadInput, match="needs a question"):
        list(read_dialogues([write_jsonl([{"messages": [SAY]}])]))


def test_a_preference_reads_sharegpts_turns(write):
    row = {
        "conversations": [{"from": "system", "value": "Be kind."}, {"from": "human", "value": "Why?"}],
        "chosen": {"from": "gpt", "value": "Because."},
        "rejected": {"from": "gpt", "value": "No"},
    }
    (pair,) = read_preferences([write(json.dumps([row]), "pairs.json")])
    assert pair.prompt == ({"role": "system", "content": "Be kind."}, ASK)
    assert (pair.chosen, pair.rejected) == ("Because.", "No")
    with pytest.raises(BadInput, match=r"row 1: prompt.0. needs a role"):
        list(read_preferences([write(json.dumps([row | {"conversations": [{"value": "x"}]}]), "pairs.json")]))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[{", "line 1: this is not JSON"),
        ("{}", "expected a list of objects, not dict"),
        ("[3]", "row 1: expected an obj"),
    ],
)
def test_a_list_that_is_not_one_is_refused(write, content, reason):
    with pytest.raises(BadInput, match=reason):
        list(read_preferences([write(content, "pairs.json")]))


def test_verdicts_come_in_trls_and_in_llama_factorys_shape(write, write_jsonl):
    rows = [
        {"prompt": [ASK], "completion": [SAY], "label": True, "weight": 0.5},
        {"prompt": [ASK], "completion": [SAY], "label": False, "cut": True},
    ]
    good, bad = read_verdicts([write_jsonl(rows)])
    assert (good.prompt, good.answer, good.good, good.weight, good.cut) == ((ASK,), "Because.", True, 0.5, False)
    assert (bad.good, bad.weight, bad.cut) == (False, 1.0, True)
    (other,) = read_verdicts([write(json.dumps([{"messages": [ASK, SAY], "label": False}]), "kto.json")])
    assert (other.prompt, other.answer, other.good) == ((ASK,), "Because.", False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"label": 1}, "'label' must be true or false"),
        ({"weight": -1}, "'weight' must be a number that is not negative"),
        ({"completion": [ASK]}, "the last of 'completion' must be of the assistant"),
        ({"completion": [SAY, SAY]}, "earlier turns belong to 'prompt'"),
        ({"messages": [SAY]}, "needs a question"),
    ],
)
def test_a_verdict_that_cannot_be_read_is_refused(write_jsonl, change, reason):
    row = {"prompt": [ASK], "completion": [SAY], "label": True} | change
    with pytest.raises(BadInput, match=reason):
        list(read_verdicts([write_jsonl([row])]))
