import pytest

from alignment.services.datasets import RANKINGS, RANKINGS_OF_JUDGE, snapshot_files
from tests.alignment.factories import RoundFactory
from tests.feedback.factories import SnapshotFactory

pytestmark = pytest.mark.django_db


def round_with(**rows):
    files = {f"{name}.jsonl": {"path": f"/{name}.jsonl", "sha256": name, "rows": n} for name, n in rows.items()}
    return RoundFactory(snapshot=SnapshotFactory(files=files))


def names(files):
    return [file["sha256"] for file in files]


def test_a_reward_model_gets_ties_and_ratings_beside_the_rankings():
    round_ = round_with(preferences=9, ties=2, ratings=3, half_b=5, half_b_ties=1, half_b_ratings=0)

    assert names(snapshot_files(round_, RANKINGS)) == ["preferences", "ties", "ratings"]
    assert names(snapshot_files(round_, RANKINGS_OF_JUDGE)) == ["half_b", "half_b_ties"]


def test_a_snapshot_of_an_earlier_version_has_rankings_alone():
    assert names(snapshot_files(round_with(preferences=9), RANKINGS)) == ["preferences"]
