from types import SimpleNamespace

from feedback.domain.quality import Estimate
from feedback.domain.quality_tables import SORTS, TABLES, annotators_sorted
from tests.feedback.factories import annotator_figures
from tests.quality_example import example_figures

ANN, BOB, CEM = (SimpleNamespace(pk=pk) for pk in (1, 2, 3))
NAMES = {1: "p-ann", 2: "p-bob", 3: "p-cem"}


def rows(table):
    return list(TABLES[table].rows(example_figures(ANN, BOB), NAMES))


def test_every_row_has_the_columns_of_its_table():
    for name, table in TABLES.items():
        found = rows(name)
        assert found, name
        assert {key for row in found for key in row} <= set(table.columns), name


def test_a_figure_comes_with_its_interval_rows_and_method():
    by_name = {row["figure"]: row for row in rows("figures")}
    assert by_name["n_tasks"]["value"] == 400
    assert by_name["gold_accuracy"] == {
        "figure": "gold_accuracy", "value": 0.9, "low": 0.82, "high": 0.98, "n": 40, "method": "share of pairs, Wilson",
    }  # fmt: skip


def test_people_appear_under_their_pseudonyms_alone():
    ann, bob = rows("annotators")
    assert (ann["annotator"], ann["copies"], ann["suspicions"]) == ("p-ann", None, "")
    assert (bob["annotator"], bob["copies"], bob["suspicions"]) == ("p-bob", "p-ann", "position copying")
    assert (bob["weight"], bob["reliability"], bob["reliability_high"]) == (0.0, 0.5, 0.58)


def test_a_histogram_is_a_row_a_bin():
    assert rows("agreement")[-1] == {"from": 0.75, "to": 1, "n": 300}


def test_annotators_are_sorted_by_any_column_and_those_without_a_figure_come_last():
    people = [
        annotator_figures(CEM, n_judgments=5),
        annotator_figures(ANN, n_judgments=7, reliability=Estimate(0.9)),
        annotator_figures(BOB, n_judgments=5, reliability=Estimate(0.4)),
    ]

    def order(by, *, is_descending=False):
        found = annotators_sorted(people, by=by, names=NAMES, is_descending=is_descending)
        return [one.annotator for one in found]

    assert order("reliability") == [2, 1, 3]
    assert order("reliability", is_descending=True) == [1, 2, 3]
    assert order("n_judgments") == [2, 3, 1]  # equal ones by name
    assert order("annotator", is_descending=True) == [3, 2, 1]
    assert all(len(order(by)) == 3 for by in SORTS)
