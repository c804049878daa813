import dataclasses
import json

import numpy as np
import pytest

from bench.crowds import crowd_make
from feedback.domain.quality import NOTHING, QualityFigures
from feedback.quality import report
from feedback.quality.report import quality_compute
from tests.feedback.quality.crowds import tasks_of, votes_of


def compute(votes, *, decided=None, flags=None, **known):
    return quality_compute(
        votes=votes, tasks=tasks_of(votes, **known), decided=decided or {}, flags=flags or {}, seed=0
    )


def figures_of(votes, **known):
    return compute(votes, **known)[0]


@pytest.fixture(scope="module")
def crowd():
    return crowd_make(seed=0, overlap=3, n_items=4)


def test_the_same_judgments_and_seed_give_the_same_figures(crowd):
    def run():
        return quality_compute(votes=crowd.votes, tasks=crowd.tasks, decided={}, flags={}, seed=3)

    assert run() == run()


def test_figures_survive_json(crowd):
    figures, _ = quality_compute(votes=crowd.votes, tasks=crowd.tasks, decided={}, flags={"other": 2}, seed=0)
    assert QualityFigures.from_json(json.loads(json.dumps(figures.to_json(), allow_nan=False))) == figures


def test_a_project_without_judgments_has_empty_figures():
    votes = votes_of([])
    figures, agreed = compute(votes)
    assert (figures.n_judgments, figures.pairwise_agreement.value, figures.plan, agreed) == (0, None, (), [])


def test_where_nobody_is_measured_one_persons_word_is_no_consensus():
    figures, agreed = compute(votes_of([(7, 3, (2, 1, None))]))
    assert (figures.n_judgments, figures.n_tasks, figures.n_annotators, figures.n_pairs) == (1, 1, 1, 1)
    assert (agreed, figures.annotators[0].reliability, figures.mean_confidence.value) == ([], NOTHING, None)


def test_of_a_person_who_is_measured_elsewhere_a_single_judgment_is_a_consensus_of_one():
    _, (agreed, _) = compute(votes_of([(7, 3, (2, 1, None)), (8, 3, (1, 2, 3)), (8, 4, (1, 2, 3))]))
    assert (agreed.task, agreed.ranks, agreed.n_judgments) == (7, (2, 1, 3), 1)
    assert 0.5 < agreed.confidence < 1


def test_an_adjudicators_decision_stands_with_full_confidence():
    votes = votes_of([(7, 1, (1, 2)), (7, 2, (1, 2))])
    _, (agreed,) = compute(votes, decided={7: (2, 1)})
    assert (agreed.ranks, agreed.confidence, agreed.n_judgments) == ((2, 1), 1.0, 2)


def test_what_is_held_back_says_nothing_about_answers():
    rows = [(task, person, (1, 2) if person < 3 else (2, 1)) for task in range(40) for person in range(6)]
    shown = [(0, 1) if row % 7 % 2 else (1, 0) for row in range(len(rows))]
    votes = votes_of(rows, counted=[person < 3 for _, person, _ in rows], shown_JK=shown)
    figures, agreed = compute(votes)
    assert figures.n_judgments == 120
    assert figures.pairwise_agreement.value == 1
    assert {one.ranks for one in agreed} == {(1, 2)}
    assert {one.annotator: one.agreement.value for one in figures.annotators}[5] == 0


def test_repeats_gold_and_training_are_no_data():
    rows = [(1, 1, (1, 2)), (1, 2, (1, 2)), (2, 1, (1, 2)), (1, 1, (2, 1)), (3, 1, (2, 1))]
    votes = votes_of(rows, purpose=["label", "label", "gold", "repeat", "training"])
    votes = dataclasses.replace(votes, purpose=np.array(["label", "label", "gold", "repeat", "training"]))
    gold = [[np.nan, np.nan], [1, 2], [1, 2]]
    figures, agreed = compute(votes, gold=gold)
    assert (figures.n_judgments, figures.n_tasks, figures.pairwise_agreement.value) == (2, 1, 1)
    assert [one.task for one in agreed] == [1]
    assert (figures.gold_accuracy.value, figures.gold_accuracy.n) == (1, 1)
    assert (figures.self_consistency.value, figures.self_consistency.n) == (0, 1)
    by_person = {one.annotator: one for one in figures.annotators}
    assert by_person[1].n_judgments == 2
    assert by_person[2].gold_accuracy.value is None


def test_spammers_are_named_and_weigh_nothing(crowd):
    figures, _ = quality_compute(votes=crowd.votes, tasks=crowd.tasks, decided={}, flags={}, seed=0)
    for kind, one in zip(crowd.kind, figures.annotators, strict=True):
        assert (kind == "honest") == (not one.suspicions)
        assert (kind == "honest") == (one.weight > 0)
        assert (kind == "copying") == (one.copies is not None)


def test_seconds_are_medians_of_what_is_known():
    votes = votes_of([(1, 1, (1, 2)), (2, 1, (1, 2)), (3, 1, (1, 2))], seconds=[10.0, 30.0, np.nan])
    figures = figures_of(votes)
    assert (figures.seconds.value, figures.seconds.n) == (20, 2)
    assert sum(figures.seconds_histogram.counts) == 2
    assert len(figures.seconds_histogram.edges) == len(figures.seconds_histogram.counts) + 1


def test_full_agreement_is_in_the_last_bin():
    figures = figures_of(votes_of([(1, 1, (1, 2)), (1, 2, (1, 2))]))
    assert figures.agreement_histogram.counts[-1] == 1


def test_the_consensus_is_of_all_tasks_when_figures_look_at_a_part(crowd, monkeypatch):
    monkeypatch.setattr(report, "MOST_PAIRS", 5000)
    monkeypatch.setattr(report, "CHUNK", 100)
    figures, agreed = quality_compute(votes=crowd.votes, tasks=crowd.tasks, decided={}, flags={}, seed=0)
    assert 4900 < figures.n_pairs <= 5000
    assert len(agreed) > 500
    assert len({one.task for one in agreed}) == len(agreed)


def test_people_whose_tasks_were_not_drawn_are_listed_without_figures(monkeypatch):
    monkeypatch.setattr(report, "MOST_PAIRS", 0)
    figures, agreed = compute(votes_of([(1, 1, (1, 2))]))
    assert (figures.annotators[0].reliability.value, agreed) == (None, [])


def test_tasks_of_several_sizes_have_ranks_for_their_own_answers():
    _, agreed = compute(
        votes_of([(1, 1, (1, 2)), (1, 2, (1, 2)), (2, 1, (1, 2, 3))]),
        sources=((("a",), ("b",)), (("a",), ("b",), ("c",))),
    )
    assert [one.ranks for one in agreed] == [(1, 2), (1, 2, 3)]
