import pytest

from modeling.data.preferences import Preference
from modeling.errors import BadInput
from modeling.training import comparisons as module
from modeling.training.comparisons import batches_draw, comparisons_build, comparisons_split, plan_draw


def preference(chosen, rejected, prompt_id="p", **more):
    question = ({"role": "user", "content": "What does the fox eat?"},)
    return Preference(prompt=question, chosen=chosen, rejected=rejected, prompt_id=prompt_id, **more)


def won(comparison):
    return [(pair.winner, pair.loser) for pair in comparison.pairs]


def test_each_distinct_answer_of_a_prompt_is_encoded_once(tokenizer):
    rows = [preference("a", "b"), preference("b", "c"), preference("a", "c"), preference("a", "b", prompt_id="q")]
    comparisons, n_skipped = comparisons_build(rows, tokenizer, max_length=64)
    assert [len(comparison.examples) for comparison in comparisons] == [3, 2]
    assert won(comparisons[0]) == [(0, 1), (1, 2), (0, 2)]
    assert n_skipped == 0


def test_disagreeing_judgments_are_both_kept(tokenizer):
    comparisons, _ = comparisons_build([preference("a", "b"), preference("b", "a")], tokenizer, max_length=64)
    assert won(comparisons[0]) == [(0, 1), (1, 0)]


def test_a_cut_answer_gets_no_end_token_and_is_not_the_same_as_a_finished_one(tokenizer):
    rows = [preference("a", "b", chosen_cut=True), preference("a", "b")]
    comparisons, _ = comparisons_build(rows, tokenizer, max_length=64)
    cut, other, finished = comparisons[0].examples
    assert finished.answer == (*cut.answer, tokenizer.eos_token_id)
    assert other.answer[-1] == tokenizer.eos_token_id
    assert won(comparisons[0]) == [(0, 1), (2, 1)]


def test_what_is_too_long_is_counted_not_cut(tokenizer):
    rows = [preference("a", "b"), preference("a", "the fox " * 40)]
    comparisons, n_skipped = comparisons_build(rows, tokenizer, max_length=48)
    assert (len(comparisons[0].pairs), n_skipped) == (1, 1)
    with pytest.raises(BadInput, match="raise max_length"):
        comparisons_build(rows, tokenizer, max_length=3)


def test_an_answer_that_was_cut_before_its_first_token_is_counted_as_skipped(tokenizer):
    rows = [preference("a", "", rejected_cut=True), preference("a", "")]
    comparisons, n_skipped = comparisons_build(rows, tokenizer, max_length=48)
    assert (len(comparisons[0].pairs), n_skipped) == (1, 1)
    with pytest.raises(BadInput, match="cut before its first token"):
        comparisons_build(rows[:1], tokenizer, max_length=48)


def test_a_batch_holds_whole_prompts(tokenizer):
    rows = [preference("a", answer, prompt_id=f"p{i}") for i in range(7) for answer in ("b", "c", "d")]
    comparisons, _ = comparisons_build(rows, tokenizer, max_length=64)
    batches = batches_draw(comparisons, batch_pairs=8, seed="s")
    assert [len(batch) for batch in batches] == [2, 2, 2, 1]
    assert sorted(item.key for batch in batches for item in batch) == [f"p{i}" for i in range(7)]
    assert batches_draw(comparisons, batch_pairs=1, seed="s")  # one prompt is the least


def test_a_plan_of_half_an_epoch_has_half_the_batches(tokenizer):
    rows = [preference("a", "b", prompt_id=f"p{i}") for i in range(8)]
    comparisons, _ = comparisons_build(rows, tokenizer, max_length=64)
    assert len(plan_draw(comparisons, epochs=1.5, batch_pairs=2, seed="s")) == 6
    whole = plan_draw(comparisons, epochs=2, batch_pairs=2, seed="s")
    assert len(whole) == 8
    assert [item.key for batch in whole[:4] for item in batch] != [item.key for batch in whole[4:] for item in batch]


def test_a_batch_is_cut_by_tokens_with_prompts_kept_whole(tokenizer):
    rows = [preference("a " * (i + 1), answer, prompt_id=f"p{i}") for i in range(4) for answer in ("b", "c")]
    comparisons, _ = comparisons_build(rows, tokenizer, max_length=64)
    longest = max(len(example) for comparison in comparisons for example in comparison.examples)
    groups = comparisons_split(comparisons[::-1], max_tokens=6 * longest)
    assert [[comparison.key for comparison in group] for group in groups] == [["p0", "p1"], ["p2", "p3"]]
    assert len(comparisons_split(comparisons, max_tokens=1)) == 4


def test_a_prompt_too_long_for_one_pass_is_gone_through_pair_by_pair(tokenizer, monkeypatch):
    rows = [preference("a", "b"), preference("c", "a"), preference("a", "b")]
    comparisons, _ = comparisons_build(rows, tokenizer, max_length=64)
    whole = comparisons[0]
    monkeypatch.setattr(module, "MAX_TOKENS_OF_PROMPT", 1)
    pieces = [piece for group in comparisons_split(comparisons, max_tokens=1_000) for piece in group]
    assert [won(piece) for piece in pieces] == [[(0, 1)]] * 3
    expected = [[whole.examples[pair.winner], whole.examples[pair.loser]] for pair in whole.pairs]
    assert sorted(map(str, (piece.examples for piece in pieces))) == sorted(map(str, expected))
