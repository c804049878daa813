"""Answers that can be checked: an answer is right when its last number equals the last number of the expected one.

That is how GSM8K is scored (Cobbe et al., 2021, https://arxiv.org/abs/2110.14168), whose expected answers end in
"#### 18". Numbers are compared as numbers: 1,000 is 1000.0. Units, fractions and words are not understood.
"""

import re
from decimal import Decimal

_NUMBER = re.compile(r"(?:(?<![\w)])-)?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?")
"""A minus belongs to a number unless something stands before it: 5-3 ends in 3, "it is -3" in -3."""


def last_number(text: str) -> Decimal | None:
    """Return the last number of a text, None where there is none."""
    found = _NUMBER.findall(text)
    return Decimal(found[-1].replace(",", "")) if found else None


def is_right(answer: str, expected: str) -> bool:
    """Return whether the answer ends in the expected number; one without any number is wrong."""
    number = last_number(answer)
    return number is not None and number == last_number(expected)
