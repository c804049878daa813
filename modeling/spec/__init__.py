"""What a modeling stage is asked for and what it answers: the whole contract between orchestration and training.

This package is standard library alone, so that a web process may import it. It knows the shape of a run directory
and of every stage's specification; it does not know how any stage works.
"""

from modeling.spec.base import FileRef, Spec, SpecError
from modeling.spec.result import ExitCode, RunResult
from modeling.spec.stages import (
    STAGES,
    CorpusSpec,
    DPOSpec,
    EvaluateSpec,
    LoraSpec,
    PPOSpec,
    PretrainSpec,
    RewardSpec,
    RLOOSpec,
    SFTSpec,
    TokenizerSpec,
    spec_from_json,
)

__all__ = [
    "STAGES",
    "CorpusSpec",
    "DPOSpec",
    "EvaluateSpec",
    "ExitCode",
    "FileRef",
    "LoraSpec",
    "PPOSpec",
    "PretrainSpec",
    "RLOOSpec",
    "RewardSpec",
    "RunResult",
    "SFTSpec",
    "Spec",
    "SpecError",
    "TokenizerSpec",
    "spec_from_json",
]
