"""What the API tells of rounds and runs, and what it takes; the recipe's fields are described in the schema."""

import dataclasses
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from alignment.domain.recipe import METHODS
from alignment.domain.states import RoundState, RunState
from alignment.models import Round
from alignment.selectors.round import RoundDetail


class GateSerializer(serializers.Serializer):
    min_win_rate_low = serializers.FloatField(required=False, help_text="Lower end of the win rate's interval.")
    max_kl_nats = serializers.FloatField(required=False, help_text="Distance from the SFT policy.")
    max_drop = serializers.FloatField(required=False, help_text="Of the shares of distinct, well-formed, cut answers.")


@extend_schema_serializer(component_name="Recipe")
class RecipeSerializer(serializers.Serializer):
    """Described for the schema; `alignment.domain.recipe` checks it."""

    method = serializers.ChoiceField(choices=list(METHODS), required=False)
    start = serializers.ChoiceField(
        choices=["fresh", "continue"], required=False,
        help_text="A new adapter, or the deployed one, which with `dpo` learns from the rankings since then alone.",
    )  # fmt: skip
    reference = serializers.ChoiceField(choices=["sft", "previous"], required=False)
    reward = serializers.DictField(required=False, help_text="Fields of the reward stage that differ from defaults.")
    policy = serializers.DictField(required=False, help_text="Fields of the method's stage that differ from defaults.")
    evaluation = serializers.DictField(required=False, help_text="Fields of the evaluate stage.")
    gate = GateSerializer(required=False)
    seed = serializers.IntegerField(required=False, min_value=0)


class ReasonSerializer(serializers.Serializer):
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=2_000)


@extend_schema_serializer(component_name="RoundSummary")
class RoundSerializer(serializers.Serializer):
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=RoundState.choices)
    is_build = serializers.BooleanField(help_text="It builds or imports the base; its recipe is of another shape.")
    error = serializers.CharField(allow_blank=True, help_text="Why it failed or was cancelled.")
    waiting_for = serializers.CharField(allow_blank=True, help_text="What keeps a live round where it is.")
    created_at = serializers.DateTimeField()
    launched_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(component_name="Run")
class RunSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    purpose = serializers.CharField()
    stage = serializers.CharField()
    state = serializers.ChoiceField(choices=RunState.choices)
    attempt = serializers.IntegerField()
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    unit = serializers.CharField(allow_blank=True)
    eta_s = serializers.FloatField(allow_null=True)
    error = serializers.CharField(allow_blank=True)
    metrics = serializers.DictField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(component_name="Evaluation")
class EvaluationSerializer(serializers.Serializer):
    judge = serializers.CharField()
    passed = serializers.BooleanField()
    reasons = serializers.ListField(child=serializers.CharField())
    metrics = serializers.DictField()


@extend_schema_serializer(component_name="Deployment")
class DeploymentSerializer(serializers.Serializer):
    state = serializers.CharField()
    error = serializers.CharField(allow_blank=True)
    against_gate = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)


@extend_schema_serializer(component_name="SamplingProgress")
class SamplingSerializer(serializers.Serializer):
    done = serializers.IntegerField()
    total = serializers.IntegerField()


@extend_schema_serializer(component_name="Round")
class RoundDetailSerializer(RoundSerializer):
    is_stuck = serializers.BooleanField(help_text="It goes on only when a person does what `waiting_for` says.")
    recipe = serializers.DictField()
    n_heldout_left_out = serializers.IntegerField(help_text="Held-out prompts that the base was tuned on: not used.")
    policy = serializers.CharField(allow_null=True, help_text="Name of the model version that the round made.")
    runs = RunSerializer(many=True)
    evaluation = EvaluationSerializer(allow_null=True)
    deployment = DeploymentSerializer(allow_null=True)
    sampling = SamplingSerializer(allow_null=True)


def round_json(detail: RoundDetail) -> dict[str, Any]:
    """Return a round as the API shows it."""
    round_: Round = detail.round
    # A build's recipe holds paths of the server's disk, and names of code.
    recipe = {} if round_.is_build else round_.recipe
    return dict(
        RoundDetailSerializer(
            {
                **RoundSerializer(round_).data,
                "is_stuck": detail.is_stuck,
                "recipe": recipe,
                "n_heldout_left_out": round_.n_heldout_left_out,
                "policy": round_.policy.name if round_.policy else None,
                "runs": [dataclasses.asdict(run) for run in detail.runs],
                "evaluation": detail.evaluation,
                "deployment": detail.deployment,
                "sampling": detail.sampling,
            }
        ).data
    )
