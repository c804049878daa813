import json

import pytest

from alignment.selectors.dialogues import questions_in
from modeling.spec import SpecError
from modeling.spec.base import FileRef


def test_every_turn_of_the_user_counts_as_seen(tmp_path):
    chats, alpaca = tmp_path / "chats.jsonl", tmp_path / "alpaca.json"
    turns = [("system", "Be brief."), ("user", "Who? "), ("assistant", "Me."), ("user", "Why?"), ("assistant", "So.")]
    messages = [{"role": role, "content": text} for role, text in turns]
    chats.write_text("\ufeff" + json.dumps({"messages": messages}) + "\n\n", encoding="utf-8")
    rows = [{"instruction": "Add", "input": "1 and 2", "output": "3"}, {"instruction": "Sing", "output": "La."}]
    alpaca.write_text(json.dumps(rows))
    assert questions_in([FileRef.pin(chats), FileRef.pin(alpaca)]) == {"Who?", "Why?", "Add\n\n1 and 2", "Sing"}


def test_a_file_that_has_changed_since_the_tuning_is_not_believed(tmp_path):
    path = tmp_path / "chats.jsonl"
    path.write_text("")
    file = FileRef.pin(path)
    path.write_text("\n")
    with pytest.raises(SpecError, match="has changed"):
        questions_in([file])
