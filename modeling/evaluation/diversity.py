"""How varied answers are: distinct n-grams among all of a side's answers, and n-grams repeated inside one answer.

A policy that has collapsed says the same words to every prompt (distinct-n falls); one that loops says them twice in
one answer (repetition rises). Both depend on how much text there is, so compare sides of equal prompts and samples.

Sources: distinct-n, Li et al., 2016, https://arxiv.org/abs/1510.03055; seq-rep-n, Welleck et al., 2020,
https://arxiv.org/abs/1908.04319.
"""

import re
from collections.abc import Iterable, Sequence

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+(?:['\u2019][^\W{_CJK}]+)*|[^\w\s]")
"""A word, a sign, or one character of a script that is written without spaces."""
REPEATED_WORDS = 4
"""A phrase of four words that comes back in one answer is seldom honest; shorter ones often are."""


def words_of(text: str) -> list[str]:
    """Return the words and signs of a text in lower case."""
    return _WORD.findall(text.lower())


def distinct_n(texts: Iterable[str], n: int) -> float:
    """Return the share of distinct n-grams among all n-grams of all texts; 0 where no text is long enough."""
    grams = [gram for text in texts for gram in _grams(words_of(text), n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def repeated_share(texts: Iterable[str], n: int = REPEATED_WORDS) -> float:
    """Return the share of n-grams that their own text had already said; 0 where no text is long enough."""
    by_text = [_grams(words_of(text), n) for text in texts]
    total = sum(map(len, by_text))
    return sum(len(grams) - len(set(grams)) for grams in by_text) / total if total else 0.0


def _grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]
