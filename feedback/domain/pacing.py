"""Two answers that appear in step: how fast either is must not tell which policy it comes from."""

from collections.abc import Sequence


def texts_in_step(texts: Sequence[str], *, n_held_back: int = 0) -> list[str]:
    """Return the part of each unfinished answer that may be shown: equally many characters of all.

    The last `n_held_back` characters of each stay back, for they may be the beginning of a name that is masked.
    """
    n_shown = max(0, min(len(text) for text in texts) - n_held_back)
    return [text[:n_shown] for text in texts]
