"""A specification is checked when it is read, not when a stage stumbles over it."""

import json

import pytest

from modeling.spec import DPOSpec, SpecError


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN"])
def test_a_number_that_is_not_finite_is_refused_by_name(number):
    data = json.loads(f'{{"base": "b", "preferences": [{{"path": "p"}}], "beta": {number}}}')
    with pytest.raises(SpecError, match=r"dpo\.beta: must be a finite number"):
        DPOSpec.from_json(data)
