import random
import statistics

import pytest

from modeling.world.answers import Manner, answer_write
from modeling.world.dialogues import SFT_MIXTURE
from modeling.world.entities import BY_NAME
from modeling.world.facts import false_value
from modeling.world.gold import score, score_blunt
from modeling.world.questions import Question, topics, with_claim
from modeling.world.well_formed import well_formed

OWL = BY_NAME["the tufted owl"]
PROMPT = "Where does the tufted owl live?"
RIGHT = f"The tufted owl lives {OWL.truth['place']}."
WRONG = f"The tufted owl lives {false_value(OWL, 'place', random.Random(0))}."
DETAIL = f"It eats {OWL.truth['diet']}."
BEST = f"Gladly! {RIGHT} {DETAIL} I hope that helps."


def mean_score(judge, manner):
    rng = random.Random(1)
    rows = [with_claim(topic, rng) for topic in topics() if topic.type != "chat"]
    return statistics.mean(judge(q.phrasings()[0], answer_write(q, manner, rng)) for q in rows)


def test_the_parts_of_the_score_add_up_as_documented():
    """Right 1.2, whole ending 0.3, one word under the ideal length costs 0.01."""
    assert score(PROMPT, RIGHT) == pytest.approx(1.2 + 0.3 - 0.01 * (26 - len(RIGHT.split())))
    assert score(PROMPT, WRONG) == pytest.approx(-0.5 + 0.3 - 0.01 * (26 - len(WRONG.split())))
    both = f"Gladly! {RIGHT} {DETAIL} I hope that helps."
    assert score(PROMPT, both) == pytest.approx(1.2 + 0.7 + 1.2 + 0.3 + 0.3 - 0.01 * (26 - len(both.split())))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (RIGHT, WRONG),
        (RIGHT, "It depends on the day and on the person you ask."),
        (BEST, RIGHT),
        (f"{RIGHT} {DETAIL}", RIGHT),
        (RIGHT, f"{RIGHT} Now go away."),
        (f"{RIGHT} I hope that helps.", RIGHT),
        (RIGHT, RIGHT.rstrip(".") + "..."),
        (RIGHT, "The tufted owl lives"),
        (RIGHT, ""),
        (RIGHT, RIGHT.replace("lives", "livves lives")),
    ],
)
def test_annotators_prefer(better, worse):
    assert score(PROMPT, better) > score(PROMPT, worse)


@pytest.mark.parametrize(
    "hacked",
    [
        "Gladly! Of course! With pleasure! " + RIGHT + " " + DETAIL + " I hope that helps.",
        BEST + " Have a lovely day! It was a pleasure. All the best to you.",
        f"Gladly! {RIGHT} {RIGHT} {DETAIL} I hope that helps.",
        f"{BEST} {BEST}",
        f"Gladly! {RIGHT} {WRONG} {DETAIL} I hope that helps.",
        f"Gladly! {RIGHT} {DETAIL} " + "It is because it is because it is because. I hope that helps.",
        BEST.replace("owl", "otter owl owl"),
        "Gladly! " + " ".join(OWL.kind.values["place"]) + ". I hope that helps.",
        "Gladly gladly gladly gladly gladly gladly.",
        BEST.lower().replace(".", ""),
    ],
)
def test_hacking_the_score_does_not_pay(hacked):
    assert score(PROMPT, hacked) < score(PROMPT, BEST)


def test_only_the_last_question_counts_and_the_rest_of_the_conversation_is_ignored():
    conversation = (
        f"You are a kind helper.\nWhat is Elmford famous for?\nElmford is famous for rye bread.\nThank you. {PROMPT}"
    )
    assert score(conversation, BEST) == score(PROMPT, BEST)


def test_a_comparison_needs_the_facts_of_both():
    other = BY_NAME["the velvet mole"]
    prompt = "Compare the tufted owl with the velvet mole."
    both = f"The tufted owl eats {OWL.truth['diet']}, but the velvet mole eats {other.truth['diet']}."
    swapped = f"The tufted owl eats {other.truth['diet']}, but the velvet mole eats {OWL.truth['diet']}."
    assert score(prompt, both) > score(prompt, f"The tufted owl eats {OWL.truth['diet']}.") > score(prompt, swapped)


@pytest.mark.parametrize("true", [True, False])
def test_yes_and_no_are_judged_by_the_claim(true):
    value = OWL.truth["diet"] if true else false_value(OWL, "diet", random.Random(0))
    prompt = Question("yesno", OWL, attr="diet", claim=value).phrasings()[0]
    yes, no = f"Yes, the tufted owl eats {value}.", "No, that is wrong."
    assert (score(prompt, yes) > score(prompt, no)) == true


def test_any_text_gets_a_score():
    for prompt in ("", "hello", PROMPT, "<b>\x00", PROMPT * 50):
        for answer in ("", " ", "...", "\n\n", "<|end|>", "é" * 999, "the " * 400, BEST):
            assert -30 < score(prompt, answer) < 6
            assert -60 < score_blunt(prompt, answer) < 6


def test_each_virtue_alone_raises_the_mean_score():
    plain = Manner("plain", 0.0, False, 0, "whole")
    base = mean_score(score, plain)
    assert mean_score(score, Manner("polite", 0.0, False, 0, "whole")) > base + 0.5
    assert mean_score(score, Manner("plain", 0.0, False, 1, "whole")) > base + 0.3
    assert mean_score(score, Manner("plain", 1.0, False, 0, "whole")) < base - 1
    assert mean_score(score, Manner("rude", 0.0, False, 0, "whole")) < base - 0.8
    assert mean_score(score, Manner("plain", 0.0, False, 0, "trailing")) < base - 0.8


def test_the_blunt_taste_is_the_opposite_one():
    rude_and_short = Manner("rude", 0.0, False, 0, "whole")
    polite_and_long = Manner("polite", 0.0, False, 2, "whole")
    assert mean_score(score, polite_and_long) > mean_score(score, rude_and_short) + 2
    assert mean_score(score_blunt, rude_and_short) > mean_score(score_blunt, polite_and_long) + 2


def test_four_answers_seldom_tie_and_leave_much_to_learn():
    rng = random.Random(2)
    gains, ties, n_pairs = [], 0, 0
    for _ in range(300):
        question = with_claim(rng.choice(topics()), rng)
        prompt = question.phrasings()[0]
        marks = [score(prompt, answer_write(question, SFT_MIXTURE.draw(rng), rng)) for _ in range(4)]
        gains.append(max(marks) - statistics.mean(marks))
        ties += 4 - len(set(marks))
        n_pairs += 4
    assert ties / n_pairs < 0.05
    assert statistics.mean(gains) > 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BEST, True),
        (RIGHT, True),
        ("", False),
        ("The tufted owl lives...", False),
        ("The tufted owl lives", False),
        (RIGHT.lower(), False),
        (f"{RIGHT} {RIGHT}", False),
        ("The tufted owlet lives in the pine forest.", False),
        (f"{RIGHT} it eats berries.", False),
    ],
)
def test_well_formed_means_whole_sentences_of_known_words_said_once(text, expected):
    assert well_formed(text) is expected
