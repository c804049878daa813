import pytest

from modeling.errors import BadInput
from modeling.training.folds import fold_assign, prompts_hold_out


def test_folds_are_even_and_every_prompt_is_in_one():
    folds = fold_assign([f"p{i}" for i in range(12)], n_folds=5, seed=3)
    sizes = [list(folds.values()).count(fold) for fold in range(5)]
    assert sorted(sizes) == [2, 2, 2, 3, 3]


def test_the_fold_of_a_prompt_depends_on_the_set_of_prompts_and_the_seed_alone():
    keys = [f"p{i}" for i in range(20)]
    assert fold_assign(keys, n_folds=4, seed=1) == fold_assign([*reversed(keys), "p3"], n_folds=4, seed=1)
    assert fold_assign(keys, n_folds=4, seed=1) != fold_assign(keys, n_folds=4, seed=2)


def test_fewer_prompts_than_folds_are_refused():
    with pytest.raises(ValueError, match="2 prompts cannot fill 5 folds"):
        fold_assign(["a", "b", "a"], n_folds=5, seed=0)


def test_a_share_of_prompts_is_held_out_whatever_their_order():
    keys = [f"p{i}" for i in range(20)]
    held_out = prompts_hold_out(keys, share=0.25, seed=1)
    assert len(held_out) == 5
    assert held_out == prompts_hold_out([*reversed(keys), "p3"], share=0.25, seed=1)
    assert held_out != prompts_hold_out(keys, share=0.25, seed=2)
    assert len(prompts_hold_out(keys, share=0.001, seed=1)) == 1
    assert not prompts_hold_out(keys, share=0.0, seed=1)


def test_a_share_that_leaves_nothing_to_train_on_is_bad_input():
    with pytest.raises(BadInput, match=r"1 of 1 prompts leaves none.*lower heldout_share"):
        prompts_hold_out(["a", "a"], share=0.1, seed=0)
