import math

from alignment.domain.finite import not_finite


def test_every_number_that_is_none_is_named():
    data = {"win_rate": math.nan, "folds": [{"loss": 0.6}, {"loss": -math.inf}], "n": 3, "judge": "nan", "kl": None}
    assert list(not_finite(data)) == ["win_rate", "folds[1].loss"]


def test_finite_data_names_nothing():
    assert list(not_finite({"win_rate": 0.5, "rows": [1e300, True]})) == []
