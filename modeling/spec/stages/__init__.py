"""The specification of every stage, with defaults that suit the demo base (1M parameters, two cores, minutes).

Figures behind the defaults are in `docs/experiments.md`. Paths to models are folders in the Hugging Face layout
(`config.json`, `model.safetensors`, `tokenizer.json`); adapters are folders in peft's layout.
"""

from typing import Any

from modeling.spec.base import Spec, SpecError
from modeling.spec.stages.corpus import CorpusSpec
from modeling.spec.stages.dpo import DPOSpec
from modeling.spec.stages.evaluate import EvaluateSpec
from modeling.spec.stages.kto import KTOSpec
from modeling.spec.stages.ppo import PPOSpec
from modeling.spec.stages.pretrain import PretrainSpec
from modeling.spec.stages.reward import RewardSpec
from modeling.spec.stages.rft import RFTSpec
from modeling.spec.stages.rloo import GRPOSpec, RLOOSpec
from modeling.spec.stages.sft import SFTSpec
from modeling.spec.stages.tokenizer import TokenizerSpec

STAGES: dict[str, type[Spec]] = {
    spec.stage: spec
    for spec in (
        CorpusSpec, TokenizerSpec, PretrainSpec, SFTSpec, RewardSpec, RFTSpec, DPOSpec, KTOSpec, RLOOSpec, GRPOSpec,
        PPOSpec, EvaluateSpec,
    )
}  # fmt: skip


def spec_from_json(data: dict[str, Any]) -> Spec:
    """Build the specification that `data["stage"]` names. Raises: SpecError."""
    stage = data.get("stage")
    if stage not in STAGES:
        raise SpecError(f"stage: must be one of {', '.join(STAGES)}, not {stage!r}.")
    return STAGES[stage].from_json(data)
