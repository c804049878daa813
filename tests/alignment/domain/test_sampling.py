from collections import Counter

from alignment.domain.sampling import Wanted, answers_wanted, n_answers_wanted, plan_even, seed_of


def test_an_even_number_of_answers_is_halved():
    assert plan_even([7, 8], 4) == [(7, 2), (8, 2)]


def test_an_odd_number_changes_sides_from_prompt_to_prompt():
    wanted = list(answers_wanted(plan_even([7, 8], 3), [1, 2, 3, 4]))
    by_prompt = Counter((item.prompt_id, item.source_id) for item in wanted)
    assert [by_prompt[prompt, 7] for prompt in (1, 2, 3, 4)] == [2, 1, 2, 1]
    assert Counter(item.source_id for item in wanted) == {7: 6, 8: 6}
    assert len(wanted) == n_answers_wanted([(7, 2), (8, 1)], 4) == 12


def test_one_source_gives_all_answers():
    assert list(answers_wanted(plan_even([7], 2), [5])) == [Wanted(5, 7, 0), Wanted(5, 7, 1)]


def test_tasks_without_answers_ask_nobody():
    assert plan_even([7, 8], 0) == []
    assert list(answers_wanted([], [1, 2])) == []


def test_with_fewer_answers_than_sources_they_take_turns_and_give_equally_many():
    wanted = list(answers_wanted(plan_even([7, 8, 9], 2), range(6)))
    pairs = [{item.source_id for item in wanted if item.prompt_id == prompt} for prompt in range(6)]
    assert pairs == [{7, 8}, {8, 9}, {9, 7}] * 2
    assert Counter(item.source_id for item in wanted) == {7: 4, 8: 4, 9: 4}
    assert len(wanted) == n_answers_wanted(plan_even([7, 8, 9], 2), 6)


def test_every_answer_has_its_own_seed_and_always_the_same():
    wanted = list(answers_wanted([(7, 2), (8, 2)], range(100)))
    seeds = [seed_of(1, item) for item in wanted]
    assert len(set(seeds)) == len(seeds)
    assert seeds == [seed_of(1, item) for item in wanted]
    assert seeds != [seed_of(2, item) for item in wanted]
    assert all(0 <= seed < 2**31 for seed in seeds)
