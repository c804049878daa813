"""Which prompts are ranked, which feed online training and which are held out: one pure function of the group.

A group is a question type and an entity, so a held-out question is unseen in every phrasing.
"""

import hashlib
from typing import Literal

Split = Literal["ranked", "pool", "heldout"]

RANKED_SHARE = 0.45
POOL_SHARE = 0.35


def split_of(group: str) -> Split:
    """Return the group's split, by the hash of its name."""
    share = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    if share < RANKED_SHARE:
        return "ranked"
    return "pool" if share < RANKED_SHARE + POOL_SHARE else "heldout"
