"""The form that launches a round: a recipe as fields, defaults and limits taken from the specification itself."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _

from alignment.domain.errors import RecipeError
from alignment.domain.recipe import Gate, MethodName, Recipe, check_fields
from modeling.spec import DPOSpec, EvaluateSpec, GRPOSpec, PPOSpec, RewardSpec, RFTSpec, RLOOSpec, Spec

Text = Any
"""A lazy text, translated when it is shown; its type exists in the stubs alone."""


@dataclasses.dataclass(frozen=True)
class Part:
    """One group of fields: where they go in the recipe, and what they mean."""

    prefix: str
    where: str
    spec: type[Spec]
    title: Text
    fields: dict[str, tuple[Text, Text]]
    """{name: (label, hint)}; a hint may name the default as %(default)s."""

    def default(self, name: str) -> Any:
        return next(field.default for field in dataclasses.fields(self.spec) if field.name == name)


_RATE = (_("Learning rate"), _("Small LoRA adapters want about %(default)s; too high, and the text breaks."))
_STEPS = (_("Steps"), _("Updates of the policy. Each samples fresh answers."))
_PROMPTS = (_("Prompts a step"), _("More make each update steadier and slower."))
_KL = (_("KL weight"), _("Holds the policy near its reference. Higher is safer, lower learns more."))
_CUT = (_("Penalty for a cut answer"), _("Taken off the reward of an answer at the length limit."))
_AGAINST_SIBLINGS = {
    "n_steps": _STEPS,
    "prompts_per_step": _PROMPTS,
    "samples_per_prompt": (_("Answers a prompt"), _("Each is compared with the others to the same prompt.")),
    "kl_coef": _KL,
    "cut_penalty": _CUT,
    "learning_rate": _RATE,
}
PARTS = (
    Part("rloo", "policy", RLOOSpec, _("Policy by RLOO"), _AGAINST_SIBLINGS),
    Part("grpo", "policy", GRPOSpec, _("Policy by GRPO"), _AGAINST_SIBLINGS),
    Part("ppo", "policy", PPOSpec, _("Policy by PPO"), {
        "n_steps": _STEPS,
        "prompts_per_step": _PROMPTS,
        "samples_per_prompt": (_("Answers a prompt"), _("One is enough: a value function says what was expected.")),
        "ppo_epochs": (_("Epochs a step"), _("Times that the answers of one step are learnt from.")),
        "minibatches": (_("Updates an epoch"), _("Parts that the answers of a step are cut into.")),
        "kl_coef": _KL,
        "kl_target_nats": (_("KL to aim at, nats"), _("Above 0 the KL weight is adapted until the KL is about this.")),
        "cut_penalty": _CUT,
        "learning_rate": _RATE,
        "value_learning_rate": (_("Learning rate of the value function"), _("It is small and may learn faster.")),
    }),
    Part("rft", "policy", RFTSpec, _("Policy by rejection sampling"), {
        "samples_per_prompt": (_("Answers a prompt"), _("The best of them by the reward model is learnt.")),
        "margin": (_("Margin"), _("How far above its siblings' mean the best must be, in spreads of the reward.")),
        "epochs": (_("Epochs"), _("Passes over the best answers.")),
        "learning_rate": _RATE,
    }),
    Part("dpo", "policy", DPOSpec, _("Policy by DPO"), {
        "beta": (_("Beta"), _("How strongly it is held to its reference: 0.1 drifted far, %(default)s did not.")),
        "epochs": (_("Epochs"), _("Passes over all pairs.")),
        "n_prompts": (
            _("Prompts with sampled pairs"),
            _("Of the pool: the reward model orders answers to them. 0 learns from people's pairs alone."),
        ),
        "batch_pairs": (_("Pairs a step"), _("More make each update steadier.")),
        "learning_rate": _RATE,
    }),
    Part("reward", "reward", RewardSpec, _("Reward model"), {
        "epochs": (_("Epochs"), _("Passes over all pairs; too many learn them by heart.")),
        "batch_pairs": (_("Pairs a step"), _("All pairs of a prompt stay together.")),
        "learning_rate": _RATE,
        "folds": (_("Folds"), _("Parts in turn held out, by prompt, to measure the accuracy.")),
    }),
    Part("evaluation", "evaluation", EvaluateSpec, _("Evaluation"), {
        "n_prompts": (_("Held-out prompts"), _("A thousand give an interval of about 0.03 to each side.")),
        "n_bootstrap": (_("Resamples"), _("For the interval of the win rate.")),
    }),
)  # fmt: skip
METHOD_TEXTS: dict[MethodName, Text] = {
    "ppo": _("PPO: online, each word against what was expected"),
    "rloo": _("RLOO: online, each answer against the others to its prompt"),
    "grpo": _("GRPO: as RLOO, in units of their spread"),
    "rft": _("Rejection sampling: learn the best of several answers"),
    "dpo": _("DPO: from people's pairs, and from sampled ones"),
}
GATE_FIELDS: dict[str, tuple[Text, Text]] = {
    "min_win_rate_low": (_("Win rate, lower end above"), _("At 0.5 the gain over SFT is more than chance.")),
    "max_kl_nats": (_("KL at most, nats"), _("Farther from SFT than %(default)s, policies broke their text.")),
    "max_drop": (_("Worse than SFT by at most"), _("For the shares of distinct, well-formed and cut answers.")),
}


class LaunchForm(forms.Form):
    method = forms.ChoiceField(
        label=_("Method"),
        choices=list(METHOD_TEXTS.items()),
        widget=forms.RadioSelect,
        initial=Recipe.method,
        help_text=_(
            "All sample answers to prompts of the pool and let the reward model judge them: DPO and rejection sampling "
            "once before they train, the others as they go. DPO learns from people's pairs too, and needs no pool."
        ),
    )
    start = forms.ChoiceField(
        label=_("Start from"),
        choices=[
            ("fresh", _("A fresh adapter")),
            ("continue", _("The last policy")),
        ],
        widget=forms.RadioSelect,
        initial="fresh",
        help_text=_(
            "Fresh forgets the last round's mistakes. A policy that goes on with DPO learns from the rankings since "
            "then alone; otherwise all rankings so far are learnt from."
        ),
    )
    reference = forms.ChoiceField(
        label=_("Stay close to"),
        choices=[("sft", _("The SFT policy")), ("previous", _("The last deployed policy"))],
        widget=forms.RadioSelect,
        initial="sft",
        help_text=_("What the KL of the training is taken to. The last policy needs a start from it."),
    )
    seed = forms.IntegerField(
        label=_("Seed"), initial=0, min_value=0, max_value=2**31 - 1, help_text=_("The same seed, the same result.")
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        for part in PARTS:
            for name, (label, hint) in part.fields.items():
                self.fields[f"{part.prefix}_{name}"] = _number_field(part.default(name), label, hint)
        for name, (label, hint) in GATE_FIELDS.items():
            self.fields[f"gate_{name}"] = _number_field(getattr(Gate(), name), label, hint)

    def parts(self) -> Iterator[tuple[Part, list[BoundField]]]:
        """Yield each group with its fields, for the page."""
        for part in PARTS:
            yield part, [self[f"{part.prefix}_{name}"] for name in part.fields]

    def gate_fields(self) -> list[BoundField]:
        return [self[f"gate_{name}"] for name in GATE_FIELDS]

    def clean(self) -> dict[str, Any]:
        """Check each value against the specification, so that a refusal stands beside its field."""
        cleaned = self.cleaned_data
        for part in self._chosen_parts():
            for name in part.fields:
                value = cleaned.get(f"{part.prefix}_{name}")
                if value is not None:
                    self._check(f"{part.prefix}_{name}", part, {name: value})
        if not self.errors:
            self._check_whole()
        return cleaned

    def recipe(self) -> Recipe:
        """Return the recipe of a valid form: what differs from the defaults, and nothing else."""
        cleaned = self.cleaned_data
        by_place: dict[str, dict[str, Any]] = {"reward": {}, "policy": {}, "evaluation": {}}
        for part in self._chosen_parts():
            for name in part.fields:
                value = cleaned[f"{part.prefix}_{name}"]
                if value != part.default(name):
                    by_place[part.where][name] = value
        return Recipe(
            method=cleaned["method"],
            start=cleaned["start"],
            reference=cleaned["reference"],
            seed=cleaned["seed"],
            gate=Gate(**{name: cleaned[f"gate_{name}"] for name in GATE_FIELDS}),
            **by_place,
        )

    def _chosen_parts(self) -> list[Part]:
        chosen = self.cleaned_data.get("method")
        return [part for part in PARTS if part.where != "policy" or part.prefix == chosen]

    def _check(self, field: str, part: Part, values: dict[str, Any]) -> None:
        try:
            check_fields(part.spec, values, part.where)
        except RecipeError as error:
            self.add_error(field, str(error).removeprefix(f"{part.where}: "))

    def _check_whole(self) -> None:
        try:
            self.recipe().validate()
        except RecipeError as error:
            named = next((name for name in GATE_FIELDS if f"gate.{name}" in str(error)), None)
            field = f"gate_{named}" if named else "reference" if "reference" in str(error) else None
            self.add_error(field, str(error))


def _number_field(default: Any, label: Text, hint: Text) -> forms.Field:
    kind = forms.IntegerField if isinstance(default, int) else forms.FloatField
    widget = forms.NumberInput(attrs={"inputmode": "decimal"} | ({} if isinstance(default, int) else {"step": "any"}))
    return kind(label=label, help_text=hint % {"default": f"{default:g}"}, initial=default, widget=widget)
