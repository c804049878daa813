"""What a round is asked to do: how the base is built, and how a policy is trained from rankings.

A recipe is checked against `modeling.spec` when it is made, so that a hyperparameter out of range is refused before
anything starts. Fields that the orchestration fills in (paths, seeds) cannot be set through a recipe.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self, TypeVar

from django.utils.translation import gettext as _

from alignment.domain.errors import RecipeError
from alignment.domain.spec_refusals import spec_refusal
from modeling.spec import (
    CorpusSpec,
    DPOSpec,
    EvaluateSpec,
    GRPOSpec,
    OnlineSpec,
    PPOSpec,
    PretrainSpec,
    RewardSpec,
    RFTSpec,
    RLOOSpec,
    SFTSpec,
    Spec,
    SpecError,
    TokenizerSpec,
)
from modeling.spec.base import build

_FILE = {"path": "pinned later"}
_ONLINE = {"seed": 0, "base": "later", "reward": "later", "rewards": [], "prompts": _FILE, "adapter": ""}
_FILLED_IN: Mapping[type[Spec], Mapping[str, Any]] = {
    CorpusSpec: {"seed": 0},
    TokenizerSpec: {"seed": 0, "texts": [_FILE]},
    PretrainSpec: {"seed": 0, "texts": [_FILE], "tokenizer": "later"},
    SFTSpec: {"seed": 0, "base": "later", "dialogues": [_FILE]},
    RewardSpec: {"seed": 0, "base": "later", "preferences": [_FILE]},
    DPOSpec: {
        "seed": 0, "base": "later", "preferences": [_FILE], "reward": "later", "prompts": _FILE, "adapter": "",
        "reference": "base",
    },
    RLOOSpec: {**_ONLINE, "reference": "base"},
    GRPOSpec: {**_ONLINE, "reference": "base"},
    RFTSpec: {"seed": 0, "base": "later", "reward": "later", "prompts": _FILE, "adapter": ""},
    PPOSpec: {**_ONLINE, "reference": "base", "mix": [], "mix_coef": 0.0},
    EvaluateSpec: {
        "seed": 0, "base": "later", "policy": "later", "previous": "", "reward": "", "gold": "", "judge": "later",
        "prompts": _FILE, "snapshots": "", "texts": [], "questions": [],
    },
}  # fmt: skip
"""Stand-ins for what a stage gets from the orchestration, so that the rest can be checked alone."""


MethodName = Literal["ppo", "rloo", "grpo", "rft", "dpo"]
METHODS: Mapping[MethodName, type[Spec]] = {
    "ppo": PPOSpec, "rloo": RLOOSpec, "grpo": GRPOSpec, "rft": RFTSpec, "dpo": DPOSpec,
}  # fmt: skip
"""Ways to a better policy, each by the stage that trains it."""


def is_online(spec: type[Spec]) -> bool:
    """Return whether a policy learns from nothing but its own answers: to prompts of the pool, by the reward model."""
    return issubclass(spec, OnlineSpec | RFTSpec)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gate:
    """What a policy must show before it may be deployed without a written reason."""

    min_win_rate_low: float = 0.5
    """Lower end of the interval of the win rate against SFT: below it, chance explains the gain."""
    max_kl_nats: float = 8.0
    """Farther from SFT than this, policies of this kind were seen to break their text."""
    max_drop: float = 0.1
    """How much worse than SFT the shares of distinct, well-formed and cut answers may be."""

    def validate(self) -> None:
        """Raises: RecipeError."""
        _require(
            0 <= self.min_win_rate_low <= 1,
            _("%(field)s must be in [0, 1], not %(value)s.")
            % {"field": "gate.min_win_rate_low", "value": self.min_win_rate_low},
        )
        _require(
            self.max_kl_nats > 0,
            _("%(field)s must be positive, not %(value)s.") % {"field": "gate.max_kl_nats", "value": self.max_kl_nats},
        )
        _require(
            0 <= self.max_drop <= 1,
            _("%(field)s must be in [0, 1], not %(value)s.") % {"field": "gate.max_drop", "value": self.max_drop},
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a launched round turns rankings into a policy."""

    method: MethodName = "ppo"
    start: Literal["fresh", "continue"] = "fresh"
    """`fresh`: a new adapter. `continue`: the deployed one."""
    reference: Literal["sft", "previous"] = "sft"
    """Which policy the KL of the training is taken to."""
    reward: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Fields of `RewardSpec` that differ from their defaults; likewise below."""
    policy: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Fields of the method's stage."""
    evaluation: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Fields of `EvaluateSpec`."""
    gate: Gate = Gate()
    seed: int = 0

    def validate(self) -> None:
        """Check every part. Raises: RecipeError."""
        _require(
            self.reference == "sft" or self.start == "continue",
            _("reference 'previous' needs start 'continue': a fresh adapter has no previous policy under it."),
        )
        check_fields(RewardSpec, self.reward, "reward")
        check_fields(self.policy_spec, self.policy, "policy")
        check_fields(EvaluateSpec, self.evaluation, "evaluation")
        self.gate.validate()
        _seed(self.seed)

    @property
    def only_new_rankings(self) -> bool:
        """Whether the rankings that made the deployed policy are left out: an offline policy has learnt them already.

        An online policy learns from the reward model alone, which starts afresh in every round and needs them all.
        """
        return self.start == "continue" and not is_online(self.policy_spec)

    @property
    def policy_spec(self) -> type[Spec]:
        """The specification of the policy's stage."""
        return METHODS[self.method]

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Build and validate. Raises: RecipeError naming the field."""
        return _from_json(cls, data, "recipe")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildRecipe:
    """How a project gets the SFT policy that everything after it sits on."""

    kind: Literal["demo", "texts", "import"] = "demo"
    """`demo`: the small English world, made, pretrained and tuned here. `texts`: own texts and dialogues, pretrained
    and tuned here. `import`: an existing model, tuned on own dialogues when there are any."""
    base: str = ""
    """`import`: a folder in the Hugging Face layout, or a hub id."""
    texts: tuple[str, ...] = ()
    """`texts`: files to pretrain on."""
    dialogues: tuple[str, ...] = ()
    """`texts` and `import`: files to tune on. An import without any is served as it is."""
    gold: str = ""
    """The judge as `module:function`, where there is a true score. Only operators can set it: it names code to run."""
    corpus: dict[str, Any] = dataclasses.field(default_factory=dict)
    tokenizer: dict[str, Any] = dataclasses.field(default_factory=dict)
    pretrain: dict[str, Any] = dataclasses.field(default_factory=dict)
    sft: dict[str, Any] = dataclasses.field(default_factory=dict)
    max_new_tokens: int = 64
    """Length limit of every answer: sampled for annotators, in online training, and in the evaluation."""
    seed: int = 0

    def validate(self) -> None:
        """Check every part, without touching files. Raises: RecipeError."""
        _require(self.kind != "texts" or bool(self.texts), _("texts: name at least one file to pretrain on."))
        _require(self.kind != "texts" or bool(self.dialogues), _("dialogues: name at least one file to tune on."))
        _require(self.kind != "import" or bool(self.base), _("base: name a folder or a hub id to import."))
        _require(self.gold == "" or self.gold.count(":") == 1, _("gold must be written as module:function."))
        _require(1 <= self.max_new_tokens <= 8_192, _("max_new_tokens must be between 1 and 8192."))
        check_fields(CorpusSpec, self.corpus, "corpus")
        check_fields(TokenizerSpec, self.tokenizer, "tokenizer")
        check_fields(PretrainSpec, self.pretrain, "pretrain")
        check_fields(SFTSpec, self.sft, "sft")
        _seed(self.seed)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"texts": list(self.texts), "dialogues": list(self.dialogues)}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Build and validate. Raises: RecipeError naming the field."""
        return _from_json(cls, data, "build recipe")


_R = TypeVar("_R", bound="Recipe | BuildRecipe")


def check_fields(spec: type[Spec], fields: Mapping[str, Any], where: str) -> None:
    """Check the fields that a recipe sets for a stage. Raises: RecipeError."""
    filled_in = _FILLED_IN[spec]
    for name in fields:
        _require(
            name not in filled_in,
            _("%(field)s is filled in by the round and cannot be set.") % {"field": f"{where}.{name}"},
        )
    try:
        spec.from_json({**filled_in, **fields})
    except SpecError as error:
        raise RecipeError(f"{where}: {spec_refusal(str(error))}") from error


def _from_json(cls: type[_R], data: Any, where: str) -> _R:
    try:
        recipe = build(cls, data, where)
    except SpecError as error:
        raise RecipeError(spec_refusal(str(error))) from error
    recipe.validate()
    return recipe


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise RecipeError(message)


def _seed(seed: int) -> None:
    _require(
        0 <= seed < 2**31,
        _("seed must be between 0 and %(max)d, not %(seed)d.") % {"max": 2**31 - 1, "seed": seed},
    )
