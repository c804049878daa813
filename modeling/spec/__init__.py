"""What a modeling stage is asked for and what it answers: the whole contract between orchestration and training.

This package is standard library alone, so that a web process may import it. It knows the shape of a run directory
and of every stage's specification; it does not know how any stage works.
"""

from modeling.spec.base import FileRef, Spec, SpecError
from modeling.spec.result import ExitCode, RunResult
from modeling.spec.stages import STAGES, spec_from_json
from modeling.spec.stages.corpus import CorpusSpec
from modeling.spec.stages.dpo import DPOSpec
from modeling.spec.stages.evaluate import EvaluateSpec
from modeling.spec.stages.kto import KTOSpec
from modeling.spec.stages.labels import LabelSource, LabelSpec
from modeling.spec.stages.lora import LoraSpec
from modeling.spec.stages.offline import OfflineSpec
from modeling.spec.stages.online import OnlineSpec
from modeling.spec.stages.ppo import PPOSpec
from modeling.spec.stages.pretrain import PretrainSpec
from modeling.spec.stages.reward import RewardSpec
from modeling.spec.stages.rewards import RewardSource
from modeling.spec.stages.rft import RFTSpec
from modeling.spec.stages.rloo import GRPOSpec, RLOOSpec
from modeling.spec.stages.sft import SFTSpec
from modeling.spec.stages.tokenizer import TokenizerSpec

__all__ = [
    "STAGES",
    "CorpusSpec",
    "DPOSpec",
    "EvaluateSpec",
    "ExitCode",
    "FileRef",
    "GRPOSpec",
    "KTOSpec",
    "LabelSource",
    "LabelSpec",
    "LoraSpec",
    "OfflineSpec",
    "OnlineSpec",
    "PPOSpec",
    "PretrainSpec",
    "RFTSpec",
    "RLOOSpec",
    "RewardSource",
    "RewardSpec",
    "RunResult",
    "SFTSpec",
    "Spec",
    "SpecError",
    "TokenizerSpec",
    "spec_from_json",
]
