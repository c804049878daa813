import pytest

from modeling.data.preferences import Judgment
from modeling.spec import LabelSpec
from modeling.training.labels import Label, label_of

KNOWN = Judgment(weight=0.5, reliability=0.7, consensus=False, confidence=0.9)


def label(judgment, source):
    return label_of(judgment, LabelSpec(source=source))


@pytest.mark.parametrize("source", ["hard", "weight", "reliability", "consensus"])
def test_a_judgment_of_which_nothing_is_known_counts_as_it_was_said(source):
    assert label(Judgment(), source) == Label(1, 1)


@pytest.mark.parametrize(
    ("source", "weight", "target"),
    [("hard", 1, 1), ("weight", 0.5, 1), ("reliability", 1, 0.7), ("consensus", 1, pytest.approx(0.1))],
)
def test_each_source_reads_its_own_columns(source, weight, target):
    assert label(KNOWN, source) == Label(weight, target)


def test_agreeing_with_the_consensus_is_right_with_its_confidence():
    assert label(Judgment(consensus=True, confidence=0.8, reliability=0.6), "consensus") == Label(1, 0.8)


def test_without_a_consensus_the_annotator_is_believed_as_far_as_reliable():
    assert label(Judgment(reliability=0.8), "consensus") == Label(1, 0.8)


@pytest.mark.parametrize("source", ["weight", "reliability", "consensus"])
def test_who_is_suspected_and_alone_weighs_nothing(source):
    assert label(Judgment(weight=0, reliability=0.9), source).weight == 0


def test_nobody_counts_against_what_they_say():
    assert label(Judgment(reliability=0.2), "reliability").target == 0.5


@pytest.mark.parametrize("source", ["hard", "weight", "reliability", "consensus"])
def test_a_tie_says_one_half(source):
    assert label(Judgment(tie=True, reliability=0.9), source) == Label(1, 0.5)
