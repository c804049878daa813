"""Whether a text looks finished and unbroken, whatever it says and whatever world it comes from.

Knows nothing of a grammar or a task: it catches what an over-optimised policy does to text, which is to stop in the
middle, to leave brackets and quotes open, and to repeat itself (Holtzman et al., 2020, https://arxiv.org/abs/1904.09751).
"""

import re
from collections import Counter

ENDINGS = (".", "!", "?", "…", "```", "\u3002", "\uff01", "\uff1f")
CLOSERS = "\"'\u201d\u2019)]}*_"
SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")
WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")
LOOP_WORDS = 4
"""A phrase of this many words that comes back `LOOP_TIMES` times is a loop; refrains of two occur in honest prose."""
LOOP_TIMES = 3
STUTTER = 3
"""The same word this often in a row is a stutter; English has 'had had' but no triple."""


def well_formed(text: str, *, cut: bool) -> bool:
    """Return whether the text is not cut, ends a sentence, closes what it opens and does not repeat itself."""
    stripped = text.strip()
    return bool(stripped) and not cut and _ends(stripped) and _closes(stripped) and not _repeats(stripped)


def _ends(text: str) -> bool:
    return text.endswith(ENDINGS) or text.rstrip(CLOSERS).endswith(ENDINGS)


def _closes(text: str) -> bool:
    pairs = (("(", ")"), ("[", "]"), ("“", "”"))
    # Numbered lists are written 1) 2): more closers than openers is honest, more openers is broken.
    brackets = all(text.count(opener) <= text.count(closer) for opener, closer in pairs)
    return brackets and text.count('"') % 2 == 0 and text.count("```") % 2 == 0


def _repeats(text: str) -> bool:
    sentences = [" ".join(WORD.findall(part.lower())) for part in SENTENCE_END.split(text)]
    long_ones = [sentence for sentence in sentences if len(sentence.split()) >= LOOP_WORDS]
    if len(set(long_ones)) < len(long_ones):
        return True
    words = [word for word in WORD.findall(text.lower()) if word[0].isalnum()]
    runs = zip(*(words[i:] for i in range(STUTTER)), strict=False)
    if any(len(set(run)) == 1 and not run[0].isdigit() for run in runs):
        return True
    phrases = Counter(zip(*(words[i:] for i in range(LOOP_WORDS)), strict=False))
    return any(count >= LOOP_TIMES for count in phrases.values())
