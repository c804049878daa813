import pytest

from alignment.domain.errors import RecipeError
from alignment.domain.recipe import METHODS, BuildRecipe, Gate, Recipe, is_online


def test_a_recipe_survives_json():
    recipe = Recipe(method="dpo", policy={"beta": 0.2, "lora": {"rank": 8}}, gate=Gate(max_kl_nats=4), seed=3)
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_a_build_recipe_survives_json():
    recipe = BuildRecipe(kind="texts", texts=("a.txt",), dialogues=("b.json",), pretrain={"context_length": 2048})
    assert BuildRecipe.from_json(recipe.to_json()) == recipe


def test_an_empty_recipe_has_good_defaults():
    assert Recipe.from_json({}) == Recipe(method="ppo", start="fresh", reference="sft")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"method": "sft"}, "recipe.method: must be one of ppo, rloo, grpo, rft, dpo"),
        ({"method": "ppo", "policy": {"clip": 1.5}}, "policy: clip must be in"),
        ({"policy": {"mix": [{"path": "/etc/passwd"}]}}, "policy.mix is filled in by the round"),
        ({"policy": {"rewards": [{"function": "os:system"}]}}, "policy.rewards is filled in by the round"),
        ({"wheels": 4}, "recipe.wheels: there is no such field"),
        ({"policy": {"learning_rate": 2}}, "policy: learning_rate must be in"),
        ({"policy": {"beta": 0.1}}, "beta: there is no such field"),
        ({"method": "dpo", "policy": {"beta": 0}}, "policy: beta must be in"),
        ({"reward": {"folds": 1}}, "reward: folds must be between 2 and 20"),
        ({"reward": {"preferences": []}}, "reward.preferences is filled in by the round"),
        ({"evaluation": {"gold": "os:system"}}, "evaluation.gold is filled in by the round"),
        ({"policy": []}, "recipe.policy: expected dict"),
        ({"gate": {"max_kl_nats": -1}}, "gate.max_kl_nats must be positive"),
        ({"reference": "previous"}, "needs start 'continue'"),
        ({"seed": -1}, "seed must be between"),
        ({"seed": True}, "recipe.seed: expected int"),
        ([], "recipe: expected an object"),
    ],
)
def test_what_cannot_be_run_is_refused_with_field_and_reason(data, says):
    with pytest.raises(RecipeError, match=says.replace("(", r"\(").replace("[", r"\[")):
        Recipe.from_json(data)


def test_every_method_has_a_stage_that_its_defaults_can_run():
    for method in METHODS:
        assert Recipe.from_json({"method": method}).policy_spec.stage == method
    assert [name for name, spec in METHODS.items() if not is_online(spec)] == ["dpo"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"kind": "texts"}, "texts: name at least one file"),
        ({"kind": "texts", "texts": ["a"]}, "dialogues: name at least one file"),
        ({"kind": "import"}, "base: name a folder or a hub id"),
        ({"gold": "os.system"}, "module:function"),
        ({"pretrain": {"hidden_size": 10, "n_heads": 4}}, "pretrain: hidden_size must be a multiple"),
        ({"max_new_tokens": 0}, "max_new_tokens must be between"),
    ],
)
def test_a_build_that_cannot_work_is_refused(data, says):
    with pytest.raises(RecipeError, match=says):
        BuildRecipe.from_json(data)
