"""Names by which an answer would give itself away, shown as a block."""

import re
from collections.abc import Sequence

MASK = "▇▇▇"
"""Of one length for all names, since a length tells two names apart."""

_IN_WORD = "[^\\W_\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
"""What a name may not touch: letters and digits, but none of the scripts that write words without spaces between."""


def names_masked(text: str, names: Sequence[str]) -> str:
    """Return the text with every whole word that is one of the names, in any case, replaced by a block."""
    # The longest first: of "Plumb" and "Plumb Line" both stand in "Plumb Line", which must leave no "Line".
    words = [name.split() for name in sorted(names, key=len, reverse=True)]
    alternatives = "|".join(r"\s+".join(map(re.escape, name)) for name in words if name)
    if not alternatives:
        return text
    return re.sub(f"(?<!{_IN_WORD})(?:{alternatives})(?!{_IN_WORD})", MASK, text, flags=re.IGNORECASE)
