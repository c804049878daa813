import ast
from pathlib import Path

import pytest
from django.utils import translation

import modeling.spec.base
import modeling.spec.stages
from alignment.domain.errors import RecipeError
from alignment.domain.recipe import _FILLED_IN, Recipe
from alignment.domain.spec_refusals import spec_refusal
from modeling.spec import STAGES

SOURCES = [Path(modeling.spec.base.__file__), *sorted(Path(modeling.spec.stages.__file__).parent.glob("*.py"))]


def refused():
    """Return whatever the specifications that a recipe sets require, with a 7 in the place of each value."""
    others = {spec.__name__ for spec in STAGES.values()} - {spec.__name__ for spec in _FILLED_IN}
    kept = [
        node
        for path in SOURCES
        for node in ast.parse(path.read_text()).body
        if not (isinstance(node, ast.ClassDef) and node.name in others)
    ]
    calls = [call for node in kept for call in ast.walk(node) if isinstance(call, ast.Call)]
    return sorted({_text(call.args[1]) for call in calls if getattr(call.func, "id", "") == "require"})


def _text(message):
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    return "".join(part.value if isinstance(part, ast.Constant) else "7" for part in parts)


def test_there_is_a_form_for_whatever_a_specification_refuses(monkeypatch):
    known = []
    monkeypatch.setattr("alignment.domain.spec_refusals.gettext", lambda form: known.append(form) or form)

    said = [spec_refusal(sentence) for sentence in refused()]

    assert said == refused()
    assert len(known) == len(said)


@pytest.mark.parametrize(
    ("data", "english", "chinese"),
    [
        ({"reward": {"folds": 1}}, "reward: folds must be between 2 and 20.", "reward: folds 必须在 2 到 20 之间"),
        ({"policy": {"n_steps": "many"}}, "ppo.n_steps: expected int, not 'many'.", "应为 int"),
        ({"policy": {"kl_coef": 101.0}}, "must be in [0, 100], not 101.0.", "kl_coef 必须在 [0, 100] 之内"),
        ({"evaluation": {"n_bootstrap": 1}}, "must be at least 100.", "n_bootstrap 至少为 100"),
        ({"method": "sft"}, "recipe.method: must be one of ppo, rloo, grpo, rft, dpo", "之一"),
        ({"speed": 3}, "recipe.speed: there is no such field.", "没有这个字段"),
    ],
)
def test_a_recipe_is_refused_in_the_readers_language(data, english, chinese):
    for language, says in (("en", english), ("zh-hans", chinese)):
        with translation.override(language), pytest.raises(RecipeError) as refusal:
            Recipe.from_json(data)
        assert says in str(refusal.value)
