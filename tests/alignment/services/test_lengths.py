"""The longest conversation that a round trains on, where nobody set one."""

import json

import pytest

from alignment.domain.recipe import BuildRecipe
from alignment.services.specs import _limit


@pytest.fixture
def imported(tmp_path):
    def make(config: object, **fields: object) -> BuildRecipe:
        (tmp_path / "config.json").write_text(json.dumps(config))
        return BuildRecipe(kind="import", base=str(tmp_path), **fields)

    return make


@pytest.mark.parametrize(("context", "length"), [(512, 512), (8_192, 2_048)])
def test_an_imported_model_trains_on_what_it_can_read_up_to_a_bound(imported, context, length):
    assert _limit(imported({"max_position_embeddings": context})) == {"max_length": length}


def test_a_length_that_was_set_wins_over_the_models_own(imported):
    assert _limit(imported({"max_position_embeddings": 512}, sft={"max_length": 4_096})) == {"max_length": 4_096}


def test_a_model_that_does_not_say_how_long_leaves_the_stages_default(imported):
    assert _limit(imported({"n_ctx": 1_024})) == {}
    assert _limit(imported([])) == {}
    assert _limit(BuildRecipe(kind="import", base="hub/base")) == {}
    assert _limit(BuildRecipe(kind="demo")) == {}
