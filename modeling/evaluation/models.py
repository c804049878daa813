"""Every model of one evaluation as adapters on one base: the policy, the last deployed one, reward model and judge."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from modeling.data.fitting import context_length
from modeling.device import Device
from modeling.evaluation.judges import GoldJudge, Judge, RewardJudge, gold_function
from modeling.evaluation.parts import POLICY, PREVIOUS
from modeling.evaluation.sides import Answers
from modeling.model.adapter_switching import adapter_active
from modeling.model.adapters import load_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.batching import Example
from modeling.model.logprobs import causal_lm, sequence_logprobs
from modeling.model.reward import RewardModel, reward_model_load
from modeling.sampling.sampler import Sampler
from modeling.spec import EvaluateSpec

REWARD, JUDGE = "reward", "judge"


class Models:
    """The models by what is asked of them: answers, scores, log-probabilities."""

    def __init__(self, spec: EvaluateSpec, device: Device) -> None:
        self.device = device
        self.tokenizer = load_tokenizer(spec.base)
        base, self.base_sha256 = load_base(spec.base, device), base_sha256(spec.base)
        self.model = load_adapter(base, spec.policy, name=POLICY, base_sha256=self.base_sha256)
        if spec.previous:
            load_adapter(self.model, spec.previous, name=PREVIOUS, base_sha256=self.base_sha256)
        self.reward: RewardModel | None = None
        if spec.reward:
            self.reward = self._reward_model(spec.reward, REWARD)
        self.judge: Judge
        if spec.gold:
            self.judge = GoldJudge(gold_function(spec.gold))
        else:
            self.judge = RewardJudge(self._reward_model(spec.judge, JUDGE))
        self.sampler = Sampler(self.model, self.tokenizer, device)
        self.context = context_length(causal_lm(self.model))

    def _reward_model(self, path: str, name: str) -> RewardModel:
        return reward_model_load(self.model, path, self.device, base_sha256=self.base_sha256, name=name)

    @contextlib.contextmanager
    def adapter_loaded(self, folder: Path, name: str) -> Iterator[None]:
        """Have one more adapter loaded within the block."""
        load_adapter(self.model, folder, name=name, base_sha256=self.base_sha256)
        try:
            yield
        finally:
            self.model.set_adapter(POLICY, inference_mode=True)
            self.model.delete_adapter(name)

    def judged(self, answers: Answers, prompts: Sequence[str]) -> list[float]:
        """Return the judge's score of each answer; `prompts` are the texts of all prompts by position."""
        return self.judge.scores([prompts[i] for i in answers.positions], answers.texts, answers.examples)

    def rewards(self, examples: Sequence[Example]) -> list[float]:
        """Return the optimised reward model's standardised scores."""
        assert self.reward is not None, "no reward model was given"
        return [float(score) for score in self.reward.standardised(examples)]

    def logprobs(self, examples: Sequence[Example], adapter: str | None) -> torch.Tensor:
        """Return logprobs_N in nats under an adapter, or under the SFT base for None."""
        with adapter_active(self.model, adapter):
            return sequence_logprobs(self.model, examples, self.device)

    def log_ratios(self, examples: Sequence[Example], adapter: str | None) -> list[float]:
        """Return log policy - log SFT of each of the policy's own answers, end token included."""
        return [float(value) for value in self.logprobs(examples, adapter) - self.logprobs(examples, None)]
