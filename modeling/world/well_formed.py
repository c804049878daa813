"""Whether a text is well formed: whole sentences of known words, none of them twice.

Truth and taste play no part.
"""

from modeling.world.vocabulary import known_words, sentences_of, words_of


def well_formed(answer: str) -> bool:
    """Return whether the answer has sentence case, final punctuation, known words only and no repeated sentence."""
    sentences = sentences_of(answer)
    return (
        bool(sentences)
        and all(sentence[0].isupper() and sentence[-1] in ".!?" for sentence in sentences)
        and not answer.rstrip().endswith("..")
        and len(set(sentences)) == len(sentences)
        and all(word in known_words() for word in words_of(answer))
    )
