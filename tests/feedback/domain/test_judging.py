import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.domain.errors import Invalid, RankError
from feedback.domain.judging import verdict_as_shown, verdict_by_item, verdict_check
from feedback.domain.protocol import (
    DEFAULT_DIMENSIONS,
    Dimension,
    Editing,
    Flag,
    ProtocolKind,
    ProtocolOptions,
    answers_of_task,
    kinds_for,
)
from feedback.domain.ranking import pairs_from_ranks
from feedback.domain.verdict import Verdict

RANK, PAIRWISE, RATE, WRITE, LIVE = ProtocolKind
PLAIN = ProtocolOptions()
SCALES = ProtocolOptions(dimensions=(Dimension("helpful", "Helpful"), Dimension("safe", "Safe", points=3)))


def check(verdict, kind=RANK, options=PLAIN, n_answers=3):
    return verdict_check(verdict, kind=kind, options=options, n_answers=n_answers)


# ---- Rankings -------------------------------------------------------------------------------------------------------


def test_a_ranking_with_ties_is_kept_in_normal_form():
    assert check(Verdict(ranks=(2, 1, 1))).ranks == (3, 1, 1)


def test_an_answer_that_cannot_be_judged_needs_no_rank_and_may_have_none():
    assert check(Verdict(ranks=(2, None, 1), cannot_judge=(1,))).ranks == (2, None, 1)
    with pytest.raises(RankError, match="B cannot be judged and have a rank"):
        check(Verdict(ranks=(2, 3, 1), cannot_judge=(1,)))


def test_somebody_who_can_judge_nothing_is_asked_to_skip():
    with pytest.raises(Invalid, match="Skip the task"):
        check(Verdict(cannot_judge=(0, 1, 2)))


@pytest.mark.parametrize("ranks", [(), (1, None, 2), (None, None, None)])
def test_every_answer_needs_a_rank_when_all_are_asked_for(ranks):
    with pytest.raises(RankError, match=r"Still without one: .*B"):
        check(Verdict(ranks=ranks))


def test_a_partial_ranking_needs_the_best_few_and_takes_more():
    best_two = ProtocolOptions(top_k=2)

    assert check(Verdict(ranks=(None, 1, 2, None)), options=best_two, n_answers=4).ranks == (None, 1, 2, None)
    assert check(Verdict(ranks=(3, 1, 2, None)), options=best_two, n_answers=4).ranks == (3, 1, 2, None)
    assert check(Verdict(ranks=(None, 1, 1, 1)), options=best_two, n_answers=4).ranks == (None, 1, 1, 1)
    assert check(Verdict(ranks=(None, 1), cannot_judge=(0,)), options=best_two, n_answers=2).ranks == (None, 1)
    with pytest.raises(RankError, match="at least the best 2"):
        check(Verdict(ranks=(None, 1, None, None)), options=best_two, n_answers=4)


def test_all_bad_goes_with_an_order_and_without_one_but_not_with_half_of_one():
    assert check(Verdict(all_bad=True)).ranks == (None, None, None)
    assert check(Verdict(ranks=(1, 2, 3), all_bad=True)).ranks == (1, 2, 3)
    with pytest.raises(RankError):
        check(Verdict(ranks=(1, None, None), all_bad=True))


def test_all_bad_without_an_order_says_nothing_about_any_pair():
    pairs = pairs_from_ranks(check(Verdict(all_bad=True)).ranks)

    assert (pairs.won, pairs.tied) == ((), ())


# ---- Comparisons ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PAIRWISE, LIVE])
@pytest.mark.parametrize(("ranks", "strength"), [((1, 2), 3), ((2, 1), 1), ((1, 1), 0)])
def test_a_comparison_names_the_better_answer_and_by_how_much(kind, ranks, strength):
    checked = check(Verdict(ranks=ranks, strength=strength), kind, n_answers=2)

    assert (checked.ranks, checked.strength) == (ranks, strength)


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        (Verdict(ranks=(1, 2), strength=0), "contradict"),
        (Verdict(ranks=(1, 1), strength=2), "contradict"),
        (Verdict(strength=2, all_bad=True), "contradict"),
        (Verdict(ranks=(1, 2)), "how much better"),
        (Verdict(ranks=(1, 2), strength=4), "how much better"),
        (Verdict(ranks=(1, 2), strength=True), "how much better"),
        (Verdict(ranks=(1, 2), strength=-1), "how much better"),
        (Verdict(), "Still without one: A, B"),
        (Verdict(ranks=(1, None), strength=1), "Still without one: B"),
    ],
)
def test_a_comparison_that_contradicts_itself_is_refused(verdict, says):
    with pytest.raises(Invalid, match=says):
        check(verdict, PAIRWISE, n_answers=2)


def test_both_bad_and_cannot_judge_need_no_winner():
    assert check(Verdict(all_bad=True), PAIRWISE, n_answers=2).ranks == (None, None)
    assert check(Verdict(cannot_judge=(1,)), PAIRWISE, n_answers=2).strength is None


def test_a_comparison_is_of_two_answers_and_a_ranking_has_no_strength():
    with pytest.raises(Invalid, match="of two answers"):
        check(Verdict(ranks=(1, 2, 3), strength=1), PAIRWISE)
    with pytest.raises(Invalid, match="Only a comparison"):
        check(Verdict(ranks=(1, 2, 3), strength=1), RANK)


# ---- Ratings --------------------------------------------------------------------------------------------------------


def ratings(helpful=(5, 1, 3), safe=(3, 3, 1)):
    return {"helpful": helpful, "safe": safe}


def test_ratings_stand_alone_or_beside_a_ranking():
    assert check(Verdict(ratings=ratings()), RATE, SCALES).ranks == (None, None, None)
    assert check(Verdict(ranks=(1, 2, 3), ratings=ratings()), RANK, SCALES).ratings == ratings()
    with pytest.raises(RankError, match="not for an order"):
        check(Verdict(ranks=(1, 2, 3), ratings=ratings()), RATE, SCALES)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"helpful": (5, 1, 3)}, "“Safe”. Still without a rating: A, B, C"),
        (ratings(helpful=(5, None, 3)), "Still without a rating: B"),
        (ratings(helpful=(5, 1)), "Rate all 3"),
        (ratings(safe=(3, 4, 1)), "1 to 3"),
        (ratings(safe=(3, 0, 1)), "1 to 3"),
        (ratings(safe=(3, True, 1)), "1 to 3"),
        (ratings(safe=(3, 1.0, 1)), "1 to 3"),
        (ratings() | {"kind": (1, 1, 1)}, "no scale kind"),
    ],
)
def test_every_scale_is_asked_of_every_answer(given, says):
    with pytest.raises(Invalid, match=says):
        check(Verdict(ratings=given), RATE, SCALES)


def test_an_answer_that_cannot_be_judged_has_no_rating():
    left_out = ratings(helpful=(5, None, 3), safe=(3, None, 1))

    assert check(Verdict(ratings=left_out, cannot_judge=(1,)), RATE, SCALES).ratings == left_out
    with pytest.raises(Invalid, match="B cannot be judged and have a rating"):
        check(Verdict(ratings=ratings(), cannot_judge=(1,)), RATE, SCALES)


# ---- Writing and editing --------------------------------------------------------------------------------------------


def test_writing_takes_a_text_and_nothing_else():
    assert check(Verdict(edited_answer=" So. "), WRITE, n_answers=0) == Verdict(edited_answer=" So. ")
    for empty in ("", " \n"):
        with pytest.raises(Invalid, match="Write the answer"):
            check(Verdict(edited_answer=empty), WRITE, n_answers=0)
    for more in ({"ranks": (1,)}, {"all_bad": True}, {"flags": ((0, "unsafe"),)}, {"edited_position": 0}):
        with pytest.raises(Invalid, match="No answers were shown"):
            check(Verdict(edited_answer="So.", **more), WRITE, n_answers=0)


def test_an_improved_answer_is_taken_where_the_protocol_asks_for_one():
    edited = Verdict(ranks=(1, 2, 3), edited_answer="Better.", edited_position=1)
    plain = Verdict(ranks=(1, 2, 3))

    for editing in (Editing.MAY, Editing.MUST):
        checked = check(edited, options=ProtocolOptions(editing=editing))
        assert (checked.edited_answer, checked.edited_position) == ("Better.", 1)
    assert check(plain, options=ProtocolOptions(editing=Editing.MAY)).edited_answer == ""
    with pytest.raises(Invalid, match="Improve the best answer"):
        check(plain, options=ProtocolOptions(editing=Editing.MUST))
    with pytest.raises(Invalid, match="asks for no improved answer"):
        check(edited)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"edited_position": 3}, "has 3 answers"),
        ({"edited_answer": " "}, "is empty"),
        ({"cannot_judge": (1,), "ranks": (1, None, 2)}, "cannot be improved"),
        ({"edited_answer": "a\x00"}, r"U\+0000"),
        ({"edited_answer": "a" * 100_001}, "100,000"),
    ],
)
def test_an_improvement_of_nothing_is_refused(changes, says):
    edited = Verdict(ranks=(1, 2, 3), edited_answer="Better.", edited_position=1)

    with pytest.raises(Invalid, match=says):
        check(dataclasses.replace(edited, **changes), options=ProtocolOptions(editing=Editing.MAY))


def test_flags_are_known_belong_to_an_answer_and_count_once():
    flags = ((2, "unsafe"), (0, "untrue"), (2, "unsafe"), (0, "broken"))

    assert check(Verdict(ranks=(1, 2, 3), flags=flags)).flags == ((0, "broken"), (0, "untrue"), (2, "unsafe"))
    for flag in ((3, "unsafe"), (-1, "unsafe"), (0, "rude")):
        with pytest.raises(Invalid):
            check(Verdict(ranks=(1, 2, 3), flags=(flag,)))


def test_kinds_show_as_many_answers_as_they_can_judge():
    assert [answers_of_task(kind, 4) for kind in (RANK, PAIRWISE, RATE, WRITE, LIVE)] == [4, 2, 4, 0, 2]
    assert kinds_for(0) == [WRITE]
    assert kinds_for(2) == [RANK, PAIRWISE, RATE, LIVE]
    assert kinds_for(5) == [RANK, RATE]


# ---- What was shown is what is stored, in whatever order it was shown ----------------------------------------------

_FULL = ProtocolOptions(dimensions=DEFAULT_DIMENSIONS, top_k=1, editing=Editing.MAY)


@st.composite
def judged(draw):
    """Return what somebody thinks of each item, by item number, and an order in which the items are shown."""
    n = draw(st.integers(2, 9))
    opinions = draw(st.lists(st.none() | st.integers(1, n), min_size=n, max_size=n).filter(any))
    unknown = draw(st.sets(st.integers(0, n - 1), max_size=n - 1))
    opinions = [None if item in unknown else opinion for item, opinion in enumerate(opinions)]
    places = sorted({opinion for opinion in opinions if opinion is not None})
    ranks = [None if opinion is None else places.index(opinion) + 1 for opinion in opinions]
    scores = st.integers(1, 5)
    rated = {
        scale.key: [None if item in unknown else draw(scores) for item in range(n)] for scale in DEFAULT_DIMENSIONS
    }
    flags = draw(st.sets(st.tuples(st.integers(0, n - 1), st.sampled_from(Flag.values))))
    edited = draw(st.none() | st.sampled_from(sorted(set(range(n)) - unknown)))
    return ranks, sorted(unknown), rated, flags, edited, draw(st.permutations(range(n)))


@given(judged())
def test_the_order_in_which_answers_were_shown_changes_nothing_that_is_stored(what):
    ranks, unknown, rated, flags, edited, order = what
    all_bad = not any(ranks)
    shown = Verdict(
        ranks=tuple(ranks[item] for item in order),
        cannot_judge=tuple(order.index(item) for item in unknown),
        all_bad=all_bad,
        ratings={key: tuple(scores[item] for item in order) for key, scores in rated.items()},
        flags=tuple((order.index(item), name) for item, name in flags),
        edited_position=None if edited is None else order.index(edited),
        edited_answer="" if edited is None else "Better.",
    )

    checked = check(shown, options=_FULL, n_answers=len(order))
    stored = verdict_by_item(checked, order)

    given_ranks = [rank for rank in ranks if rank is not None]
    assert stored.ranks == [None if rank is None else 1 + sum(other < rank for other in given_ranks) for rank in ranks]
    assert stored.cannot_judge == unknown
    assert stored.ratings == rated
    assert [(flag["item"], flag["flag"]) for flag in stored.flags] == sorted(flags)
    assert stored.edited_item == edited
    assert verdict_as_shown(stored, order) == checked


@given(judged())
def test_the_same_opinion_makes_the_same_pairs_under_every_shuffle(what):
    ranks, unknown, _rated, _flags, _edited, order = what
    if not any(ranks):
        return
    stored = verdict_by_item(
        check(
            Verdict(ranks=tuple(ranks[item] for item in order), cannot_judge=tuple(map(order.index, unknown))),
            options=ProtocolOptions(top_k=1),
            n_answers=len(order),
        ),
        order,
    )

    assert pairs_from_ranks(stored.ranks, stored.cannot_judge) == pairs_from_ranks(ranks, unknown)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_comparison_stores_who_won_not_where_it_stood(order):
    shown = Verdict(ranks=tuple((2, 1)[item] for item in order), strength=2)

    stored = verdict_by_item(check(shown, PAIRWISE, n_answers=2), order)

    assert (stored.ranks, stored.strength) == ([2, 1], 2)
