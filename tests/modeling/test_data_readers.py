import json

import pytest

from modeling.data.dialogues import read_dialogues
from modeling.data.preferences import read_preferences
from modeling.data.prompts import read_prompts
from modeling.data.texts import read_documents, read_plain_texts
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
    assert (conversation.prompt, conversation.answer, conversation.cut) == ((ASK,), "Because.", False)
    assert with_input.prompt[0]["content"] == "Add.\n\n1 2"
    assert (without.prompt[0]["content"], without.answer) == ("Hi.", "Ho.")


def test_a_dialogue_without_an_answer_or_a_question_is_refused(write_jsonl):
    with pytest.raises(BadInput, match="must be of the assistant"):
        list(read_dialogues([write_jsonl([{"messages": [ASK]}])]))
    with pytest.raises(BadInput, match="needs a question"):
        list(read_dialogues([write_jsonl([{"messages": [SAY]}])]))
