import pytest

from modeling.errors import BadInput
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.sampler import Sampler
from modeling.serving.adapters import LoadedAdapters
from modeling.serving.engine import Engine, Row

LONG, SHORT = DecodingSettings(max_new_tokens=60), DecodingSettings(max_new_tokens=4)
PROMPT = (7, 8, 9)


@pytest.fixture
def engine(tiny_llama, tokenizer, cpu, tmp_path):
    tokenizer = type(tokenizer)(tokenizer_object=tokenizer.backend_tokenizer)  # without an end token: lengths are known
    tiny_llama.generation_config.eos_token_id = None
    adapters = LoadedAdapters(tiny_llama, base_name="tiny", base_sha256="0" * 64, root=tmp_path)
    engine = Engine(Sampler(tiny_llama, tokenizer, cpu), adapters)
    yield engine
    engine.close(5)


def run(engine, *later, at_token=3):
    """Submit a long row, and the later ones one by one when it has written a few tokens; return who ended when."""
    ended, seen = [], []

    def submit(name, row):
        row.answer.add_done_callback(lambda _: ended.append(name))
        engine.submit([row])

    def on_token(token):
        seen.append(token)
        if len(seen) == at_token:
            for name, row in later:
                submit(name, row)

    first = Row(PROMPT, 0, LONG, None, on_token)
    submit("first", first)
    for row in (first, *(row for _, row in later)):
        row.answer.result(30)
    return ended


def test_a_row_joins_those_that_run_and_leaves_before_them_with_the_answer_that_it_gets_alone(engine):
    row = Row((10, 11), 5, SHORT, None)
    assert run(engine, ("second", row)) == ["second", "first"]
    assert row.answer.result() == engine.sampler.sample([(10, 11)], SHORT, [5])[0]


def test_no_row_overtakes_an_older_one_of_another_kind(engine):
    other = Row(PROMPT, 1, DecodingSettings(max_new_tokens=4, temperature=0.5), None)
    assert run(engine, ("other", other), ("second", Row(PROMPT, 2, SHORT, None))) == ["first", "other", "second"]


def test_a_row_much_longer_than_those_that_run_waits_for_their_end(engine):
    assert run(engine, ("longer", Row((7,) * 100, 1, SHORT, None))) == ["first", "longer"]


def test_what_waits_for_the_model_itself_is_not_held_up_by_rows_that_join(engine):
    called = []

    def on_token(_):
        if not called:
            called.append(engine.call(lambda: called.append("call")))
            engine.submit([late])

    late, first = Row(PROMPT, 1, SHORT, None), Row(PROMPT, 0, LONG, None, on_token)
    late.answer.add_done_callback(lambda _: called.append("late"))
    engine.submit([first])
    late.answer.result(30)
    assert called[1:] == ["call", "late"]


def test_a_failure_reaches_rows_that_joined_too_and_the_next_are_answered(engine, monkeypatch):
    def on_token(_):
        if late.answer.running():
            raise RuntimeError("broken")
        if not late.answer.done() and not submitted:
            submitted.append(engine.submit([late]))

    submitted, late = [], Row(PROMPT, 1, LONG, None)
    first = Row(PROMPT, 0, LONG, None, on_token)
    engine.submit([first])
    for row in (first, late):
        with pytest.raises(RuntimeError, match="broken"):
            row.answer.result(30)
    fine = Row(PROMPT, 2, SHORT, None)
    engine.submit([fine])
    assert len(fine.answer.result(30).token_ids) == 4


def test_a_prompt_without_room_to_answer_is_refused_at_the_door(engine):
    with pytest.raises(BadInput, match="leaves no room"):
        engine.submit([Row((7,) * 128, 0, SHORT, None)])
