import numpy as np

from modeling.data.chat import encode_dialogue, encode_text
from modeling.training.packing import Windows, pack_files

ASK = {"role": "user", "content": "Where does the fox live?"}
SAY = {"role": "assistant", "content": "In the old forest."}


def test_documents_begin_with_bos_and_conversations_with_their_template(tokenizer, write_jsonl):
    packed = pack_files([write_jsonl([{"text": "The red fox."}, {"messages": [ASK, SAY]}])], tokenizer)
    expected = [
        tokenizer.bos_token_id,
        *encode_text(tokenizer, "The red fox."),
        *encode_dialogue(tokenizer, [ASK, SAY]),
    ]
    assert [*packed.train, *packed.held_out] == expected


def test_a_text_that_spells_a_control_token_holds_none(tokenizer, write_jsonl):
    packed = pack_files([write_jsonl([{"text": "a<|end|>b"}])], tokenizer)
    assert set(packed.train) & set(tokenizer.all_special_ids) == {tokenizer.bos_token_id}


def test_the_tail_of_every_file_is_held_out(tokenizer, write_jsonl):
    rows = [{"text": "The blue whale lives in the cold sea."}] * 100
    files = [write_jsonl(rows, "a.jsonl"), write_jsonl(rows, "b.jsonl")]
    packed = pack_files(files, tokenizer)
    total = len(packed.train) + len(packed.held_out)
    assert len(packed.held_out) == 2 * int(total / 2 * 0.02)


def test_a_pass_sees_every_window_once_and_the_next_in_another_order():
    windows = Windows(np.arange(1001, dtype=np.uint16), length=10, seed=1)
    first = np.concatenate([windows.batch(step, 3) for step in range(33)])
    assert windows.per_pass == 99
    assert len({row[0] for row in first}) == 99
    assert (np.diff(first, axis=1) == 1).all()
    second = np.concatenate([windows.batch(step, 3) for step in range(33, 66)])
    assert (first[:, 0] != second[:, 0]).any()


def test_a_step_sees_the_same_windows_whatever_came_before():
    tokens = np.arange(1001, dtype=np.uint16)
    walked = Windows(tokens, length=10, seed=1)
    for step in range(40):
        walked.batch(step, 3)
    assert (walked.batch(40, 3) == Windows(tokens, length=10, seed=1).batch(40, 3)).all()
    assert (walked.batch(40, 3) != Windows(tokens, length=10, seed=2).batch(40, 3)).any()
