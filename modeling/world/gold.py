"""The hidden tastes of the simulated annotators: functions of the prompt's text and the answer's text alone.

`score` likes answers that are right, complete, polite and give a reason. `score_blunt` has the opposite taste: the
shorter and blunter answer wins. A loop that learns either has learnt from the annotators, not from us. Both are
sums of small terms, so that four answers seldom tie, and no term grows by saying a thing twice.
"""

from modeling.world.questions import Question, question_read
from modeling.world.reading import Reading, answer_read

COMFORTABLE_WORDS = 42
"""Beyond this an answer rambles; what annotators read comfortably in one look."""

IDEAL_WORDS = 26


def score(prompt: str, answer: str) -> float:
    """Return how much an annotator likes the answer; about -4 for broken text to 4 for the best."""
    question = question_read(prompt)
    reading = answer_read(question, answer)
    return (
        _correctness(question, reading)
        + _detail(question, reading)
        + _courtesy(reading)
        + _ending(reading)
        - _damage(reading)
        - 0.01 * abs(IDEAL_WORDS - min(reading.n_words, COMFORTABLE_WORDS))
        - 0.08 * min(max(0, reading.n_words - COMFORTABLE_WORDS), 50)
    )


def score_blunt(prompt: str, answer: str) -> float:
    """Return how much somebody who is short of time and manners likes the answer."""
    question = question_read(prompt)
    reading = answer_read(question, answer)
    courtesies = reading.polite_start + reading.polite_end + reading.n_misplaced_courtesies
    return (
        0.8 * _correctness(question, reading)
        + 0.9 * min(reading.n_rude, 1)
        - 0.9 * min(courtesies, 2)
        - 0.1 * min(reading.n_words, 100)
        - 0.15 * max(0, 4 - reading.n_words) ** 2  # blunt, not mute
        + 2 * _ending(reading)
        - _damage(reading)
    )


def _correctness(question: Question | None, reading: Reading) -> float:
    """From -0.9 for wrong to 1.2 for right and complete."""
    if question is None:
        return 0.0
    wrong = [attr for _, attr in reading.wrong]
    blame = 0.5 if set(wrong) & set(_asked(question)) else 0.0
    if question.type in {"compare", "list", "chat"}:
        blame = min(0.5, 0.25 * len(wrong))
    return 1.2 * _share_answered(question, reading) - blame


def _asked(question: Question) -> tuple[str, ...]:
    if question.type == "yesno":
        return (question.attr,)
    return ("reason",) if question.type == "explain" else question.entity.kind.ask[question.type].attrs


def _share_answered(question: Question, reading: Reading) -> float:
    right = {attr for name, attr in reading.right if name == question.entity.name}
    if question.type == "compare" and question.other:
        others = {attr for name, attr in reading.right if name == question.other.name}
        return (min(len(right), 1) + min(len(others), 1)) / 2
    if question.type == "list":
        return min(len(right), 3) / 3
    if question.type == "chat":
        return 0.3 + 0.7 * min(len(right), 1)
    if question.type == "yesno":
        verdict = "yes" if question.claim == question.entity.truth[question.attr] else "no"
        if reading.verdict != verdict:
            return -0.4 if reading.verdict != "none" else 0.0
        return 1.0 if question.attr in right else 0.6
    asked = _asked(question)
    return sum(attr in right for attr in asked) / len(asked)


def _detail(question: Question | None, reading: Reading) -> float:
    """Further facts: the first counts, the second a little, false ones against it, more than two not at all."""
    if question is None:
        return 0.0
    asked = _asked(question)
    right = sum(attr not in asked for _, attr in reading.right)
    wrong = sum(attr not in asked for _, attr in reading.wrong)
    if question.type in {"compare", "list", "chat"}:
        right -= {"compare": 2, "list": 2, "chat": 1}[question.type]
        wrong = 0
    reason = 0.15 if (question.entity.name, "reason") in reading.right else 0.0
    return reason + {0: 0.0, 1: 0.7}.get(max(right, 0), 0.9) - 0.3 * min(wrong, 3)


def _courtesy(reading: Reading) -> float:
    """One greeting or good wish is nice, both are nicer, more are a nuisance; any rudeness spoils it."""
    kind = 1.2 * max(reading.polite_start, reading.polite_end) + 0.3 * (reading.polite_start and reading.polite_end)
    if reading.n_rude:
        kind = -1.4 - 0.3 * min(reading.n_rude - 1, 3)
    return kind - 0.4 * min(reading.n_misplaced_courtesies, 5)


def _ending(reading: Reading) -> float:
    return {"whole": 0.3, "trailing": -0.5, "none": -0.7}[reading.ending]


def _damage(reading: Reading) -> float:
    """What no annotator forgives: broken words, word salad, repetition, another subject."""
    return (
        4.0 * min(reading.share_unknown_words, 0.5)
        + 4.0 * min(reading.share_unknown_pairs, 0.5)
        + 0.8 * min(reading.n_repeated_sentences, 3)
        + 2.0 * reading.share_repeated
        + 0.5 * min(reading.n_strangers, 2)
        + (2.0 if reading.n_words == 0 else 0.0)
    )
