import torch

from modeling.data.chat import encode_answer, encode_prompt
from modeling.data.dialogues import Dialogue
from modeling.training.rows import dialogues_encode

SYSTEM = {"role": "system", "content": "Be brief."}
ASK = {"role": "user", "content": "Where does the fox live?"}
SAY = {"role": "assistant", "content": "In the forest."}


def encoded(tokenizer, *dialogues, max_length=128):
    return dialogues_encode(tokenizer, dialogues, max_length=max_length)


def learnt_text(tokenizer, row):
    return tokenizer.decode([row.tokens[place] for place in row.learnt])


def test_the_loss_is_on_the_answer_and_its_end_token_alone(tokenizer):
    (row,) = encoded(tokenizer, Dialogue((ASK, SAY), (1,))).rows
    prompt, answer = encode_prompt(tokenizer, [ASK]), encode_answer(tokenizer, SAY["content"], cut=False)
    assert list(row.tokens) == prompt + answer
    assert list(row.learnt) == list(range(len(prompt), len(prompt) + len(answer)))
    assert row.tokens[-1] == tokenizer.eos_token_id


def test_a_cut_answer_teaches_no_end_but_those_before_it_do(tokenizer):
    (row,) = encoded(tokenizer, Dialogue((ASK, SAY, ASK, SAY), (1, 3), cut=True)).rows
    assert learnt_text(tokenizer, row).count(tokenizer.eos_token) == 1
    assert row.tokens[-1] != tokenizer.eos_token_id


def test_turns_share_a_row_in_which_each_stands_after_what_it_is_sampled_after(tokenizer):
    messages = (SYSTEM, ASK, SAY, ASK, {**SAY, "content": "In the old forest near Alder."})
    (row,) = encoded(tokenizer, Dialogue(messages, (2, 4))).rows
    assert list(row.tokens[: row.learnt[0]]) == encode_prompt(tokenizer, messages[:2])
    assert list(row.tokens[: len(row) - len(encode_answer(tokenizer, messages[4]["content"], cut=False))]) == (
        encode_prompt(tokenizer, messages[:4])
    )
    end = tokenizer.eos_token
    assert learnt_text(tokenizer, row) == f"In the forest.{end}In the old forest near Alder.{end}"


def test_a_turn_that_is_not_learnt_is_read_all_the_same(tokenizer):
    (row,) = encoded(tokenizer, Dialogue((ASK, SAY, ASK, SAY), (3,))).rows
    assert learnt_text(tokenizer, row) == f"In the forest.{tokenizer.eos_token}"
    assert tokenizer.decode(row.tokens).count("In the forest.") == 2


def test_a_template_that_rewrites_the_past_gets_a_row_for_each_turn(tokenizer, monkeypatch):
    """Some templates drop the thoughts of earlier turns."""
    monkeypatch.setattr(
        tokenizer, "chat_template",
        "{% for m in messages %}{% if m.role == 'user' or loop.last %}{{ m.role[0] }}: {{ m.content }}\n{% endif %}"
        "{% endfor %}a: ",
    )  # fmt: skip
    rows = encoded(tokenizer, Dialogue((ASK, SAY, ASK, SAY), (1, 3))).rows
    assert [learnt_text(tokenizer, row) for row in rows] == [f"In the forest.{tokenizer.eos_token}"] * 2


def test_what_is_too_long_empty_or_weightless_is_left_out_whole_and_counted(tokenizer):
    long, empty = {**SAY, "content": "In the forest. " * 40}, {**SAY, "content": " "}
    found = encoded(
        tokenizer,
        Dialogue((ASK, SAY, ASK, long), (1, 3)),
        Dialogue((ASK, long), (1,)),
        Dialogue((ASK, empty), (1,)),
        Dialogue((ASK, SAY), (1,), weight=0.0),
        Dialogue((ASK, SAY), ()),
    )
    assert [learnt_text(tokenizer, row) for row in found.rows] == [f"In the forest.{tokenizer.eos_token}"]
    assert (found.n_dialogues, found.n_answers, found.n_too_long, found.n_empty, found.n_weightless) == (1, 1, 2, 1, 2)


def test_a_control_token_that_a_person_spells_is_text(tokenizer):
    (row,) = encoded(tokenizer, Dialogue((ASK, {**SAY, "content": f"a {tokenizer.eos_token} b"}), (1,))).rows
    assert torch.tensor(row.tokens)[list(row.learnt)].eq(tokenizer.eos_token_id).sum() == 1
