import math

import pytest

from alignment.domain.gate import gate_judge
from alignment.domain.recipe import Gate

GOOD = {
    "win_rate_low": 0.62, "kl_nats": 4.0, "distinct_share": 0.85, "sft_distinct_share": 0.9, "well_formed_share": 0.9,
    "sft_well_formed_share": 0.9, "cut_share": 0.1, "sft_cut_share": 0.05,
}  # fmt: skip


def test_a_policy_that_wins_within_bounds_passes():
    verdict = gate_judge(GOOD, Gate())
    assert verdict.passed
    assert verdict.reasons == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"win_rate_low": 0.5}, "interval begins at 0.500, not above 0.500"),
        ({"kl_nats": 8.01}, "8.01 nats"),
        ({"distinct_share": 0.79}, "share of distinct answers is worse than the SFT policy's by 0.110"),
        ({"well_formed_share": 0.7}, "well-formed text is worse"),
        ({"cut_share": 0.2}, "cut at the length limit is worse than the SFT policy's by 0.150"),
        ({"kl_nats": math.nan}, "nan nats"),
        ({"win_rate_low": None}, "interval begins at nan"),
    ],
)
def test_each_fault_alone_keeps_the_gate_shut_and_says_so(change, says):
    verdict = gate_judge(GOOD | change, Gate())
    assert not verdict.passed
    assert len(verdict.reasons) == 1
    assert says in verdict.reasons[0]


def test_no_figures_pass_nothing():
    assert len(gate_judge({}, Gate()).reasons) == 5


def test_better_than_sft_is_never_a_drop():
    better = {"distinct_share": 1.0, "sft_distinct_share": 0.2, "cut_share": 0.0, "sft_cut_share": 0.9}
    assert gate_judge(GOOD | better, Gate(max_drop=0)).passed
