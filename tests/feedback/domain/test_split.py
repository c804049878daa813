from collections import Counter

from feedback.domain.split import half_of, split_of
from feedback.domain.states import Split


def test_the_shares_are_45_35_and_20_percent():
    shares = Counter(split_of(f"group {n}") for n in range(20_000))

    assert abs(shares[Split.RANKED] / 20_000 - 0.45) < 0.02
    assert abs(shares[Split.POOL] / 20_000 - 0.35) < 0.02
    assert abs(shares[Split.HELDOUT] / 20_000 - 0.20) < 0.02


def test_a_group_keeps_its_split_forever():
    # Pinned: a change would move prompts between what is trained on and what is evaluated.
    assert [split_of(group).value for group in ("a", "b", "c", "d")] == ["pool", "ranked", "ranked", "ranked"]


def test_the_halves_of_the_ranked_prompts_are_even():
    ranked = [f"group {n}" for n in range(20_000) if split_of(f"group {n}") == Split.RANKED]

    share = sum(half_of(group) == "a" for group in ranked) / len(ranked)

    assert abs(share - 0.5) < 0.02
