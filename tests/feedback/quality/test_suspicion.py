import numpy as np
import pytest

from feedback.quality.copying import copied_share
from feedback.quality.couples import couples_of
from feedback.quality.suspicion import suspicions_find
from tests.feedback.quality.crowds import coin_crowd, rows_of, votes_of

N_TASKS = 120


def crowd(seed=0, people=8, overlap=4):
    """Make rows of an honest crowd, right in 85% of the pairs; everybody judges 60 tasks."""
    votes, _ = coin_crowd(np.random.default_rng(seed), right_A=np.full(people, 0.85), n_tasks=N_TASKS, overlap=overlap)
    return [
        (task, person, tuple(ranks))
        for task, person, ranks in zip(votes.task, votes.annotator, votes.ranks_JK, strict=True)
    ]


def suspicions(rows, **columns):
    votes = votes_of(rows, **columns)
    pairs, task_J, annotator_J = rows_of(votes)
    couples = couples_of(task_J, votes.ranks_JK, np.ones(len(rows), bool))
    found, model = suspicions_find(pairs, couples, annotator_J, votes.counted, votes.seconds)
    return found, model, [found.names(one) for one in range(pairs.n_annotators)]


def test_honest_people_are_not_suspected():
    _, model, names = suspicions(crowd())
    assert names == [()] * 8
    assert model.trusted.all()


def test_who_guesses_is_random_and_has_no_vote():
    guess = np.random.default_rng(1).random(60) < 0.5
    rows = crowd() + [(task, 8, (1, 2) if guess[task] else (2, 1)) for task in range(60)]
    _, model, names = suspicions(rows)
    assert names[8] == ("random",)
    assert not model.trusted[8]
    assert names[:8] == [()] * 8


@pytest.mark.parametrize("ranks", [(1, 2), (2, 1)])
def test_who_always_takes_the_first_or_the_last_ranks_by_position(ranks):
    generator = np.random.default_rng(2)
    rows = crowd()
    shown = [tuple(generator.permutation(2)) for _ in rows]
    for task in range(60):
        shown.append(tuple(generator.permutation(2)))
        rows.append((task, 8, tuple(ranks[place] for place in shown[-1])))
    _, model, names = suspicions(rows, shown_JK=np.array(shown))
    assert names == [()] * 8 + [("position",)]
    assert not model.trusted[8]


def test_who_copies_whoever_came_before_is_found_and_those_copied_are_not():
    generator = np.random.default_rng(3)
    rows = crowd(seed=1)
    for task in range(N_TASKS):
        earlier = [ranks for other, _, ranks in rows[: 4 * N_TASKS] if other == task]
        rows.append((task, 8, earlier[generator.integers(len(earlier))]))
    found, model, names = suspicions(rows)
    assert names == [()] * 8 + [("copying",)]
    assert found.copies[8] in range(8)
    assert not model.trusted[8]


def test_who_copies_one_friend_is_found_with_the_friend_named():
    rows = crowd()
    rows += [(task, 8, ranks) for task, person, ranks in rows if person == 5]
    found, _, names = suspicions(rows)
    assert names[8] == ("copying",)
    assert names[5] == ()
    assert found.copies == {8: 5}


def test_an_able_person_is_no_copyist():
    votes, swap = coin_crowd(np.random.default_rng(0), right_A=np.full(8, 0.85), n_tasks=N_TASKS, overlap=4)
    rows = [
        (task, person, tuple(ranks))
        for task, person, ranks in zip(votes.task, votes.annotator, votes.ranks_JK, strict=True)
    ]
    rows += [(task, 8, (2, 1) if swap[task] else (1, 2)) for task in range(60)]
    assert suspicions(rows)[2][8] == ()


def test_with_few_tasks_nobody_is_accused():
    rows = crowd() + [(task, 8, (1, 2)) for task in range(20)]
    assert suspicions(rows)[2][8] == ()


def test_haste_is_told_but_leaves_the_vote():
    rows = crowd()
    seconds = [3.0 if person == 2 else 30.0 for _, person, _ in rows]
    _, model, names = suspicions(rows, seconds=seconds)
    assert names[2] == ("speed",)
    assert model.trusted[2]


def test_people_who_were_held_back_are_looked_at_too():
    guess = np.random.default_rng(1).random(60) < 0.5
    rows = crowd() + [(task, 8, (1, 2) if guess[task] else (2, 1)) for task in range(60)]
    counted = [person != 8 for _, person, _ in rows]
    assert suspicions(rows, counted=counted)[2][8] == ("random",)


def test_the_copied_share_is_that_of_the_mixture():
    generator = np.random.default_rng(4)
    copied = generator.random(20_000) < 0.7
    equal = copied | (generator.random(20_000) < 0.2)
    share, gain = copied_share(equal.astype(float), np.where(equal, 0.2, 0.05), np.zeros(20_000, np.int64), 1)
    # Where nothing equals, only own work explains; where all equals, 0.2 of the own work does.
    assert share[0] == pytest.approx(0.7, abs=0.02)
    assert gain[0] > 1000
