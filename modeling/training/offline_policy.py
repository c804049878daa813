"""The policy of an offline training beside its reference, and how far it got from it.

The reference is not in memory while training: its log-probabilities of every answer are computed before, once, under
the adapter that the specification names.
"""

import random
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from modeling.data.fitting import context_length
from modeling.device import Device
from modeling.errors import Refused
from modeling.model.adapter_switching import adapter_active
from modeling.model.adapters import load_adapter, new_adapter
from modeling.model.batching import Example
from modeling.model.logprobs import answer_sums, sequence_logprobs
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.sampler import Sampler
from modeling.spec import OfflineSpec

POLICY, REFERENCE = "default", "reference"
KL_PROMPTS, KL_TOKENS = 128, 64
"""Answers behind the final KL: its standard error is then a tenth of an answer's spread."""


class OfflinePolicy:
    """The adapter that is trained, and what its reference thinks of every answer."""

    def __init__(self, spec: OfflineSpec, base: PreTrainedModel, device: Device, *, base_sha256: str) -> None:
        self.spec, self.device, self.base_sha256 = spec, device, base_sha256
        if spec.adapter:
            self.model = load_adapter(base, spec.adapter, name=POLICY, trainable=True, base_sha256=base_sha256)
        else:
            self.model = new_adapter(base, spec.lora, name=POLICY, seed=spec.seed)
        self.model.eval()
        self.reference: dict[Example, float] = {}

    def reference_compute(self, examples: Iterable[Example]) -> None:
        """Ask the reference for its log-probabilities of all answers of the training, before it begins.

        A resumed run starts from the same adapter too, before its checkpoint is put in place, and finds the same.
        """
        distinct = list(dict.fromkeys(examples))
        with adapter_active(self.model, POLICY if self.spec.reference == "adapter" else None):
            logprobs_N = sequence_logprobs(self.model, distinct, self.device)
        self.model.set_adapter(POLICY)
        self.reference = dict(zip(distinct, logprobs_N.tolist(), strict=True))

    def logprobs(self, examples: Sequence[Example]) -> Tensor:
        """Return the log-probability of each answer, (B,), in float64 with gradients, from one forward pass."""
        return answer_sums(self.model, examples, self.device)

    def reference_logprobs(self, examples: Sequence[Example]) -> Tensor:
        """Return what the reference gives to answers that were known before training, (B,), in float64."""
        assert self.reference, "reference_compute comes first"
        known = [self.reference[example] for example in examples]
        return torch.tensor(known, dtype=torch.float64, device=self.device.torch_device)

    def kl_measure(self, prompts: Iterable[tuple[int, ...]], tokenizer: PreTrainedTokenizerFast) -> float:
        """Return the KL to the reference in nats over at most 64 tokens of answers that the policy samples.

        Raises: Refused when it is above the specification's limit.
        """
        stream = random.Random(f"kl-{self.spec.seed}")  # noqa: S311 - reproducible draws, not secrets
        distinct = sorted(set(prompts))
        drawn = stream.sample(distinct, min(KL_PROMPTS, len(distinct)))
        room = context_length(self.model.get_base_model()) - max(map(len, drawn))
        settings = DecodingSettings(max_new_tokens=min(KL_TOKENS, room))
        with adapter_active(self.model, POLICY):
            self.model.eval()
            sampler = Sampler(self.model, tokenizer, self.device)
            completions = sampler.sample(drawn, settings, [stream.getrandbits(48) for _ in drawn])
            examples = [
                Example(prompt, tuple(completion.token_ids))
                for prompt, completion in zip(drawn, completions, strict=True)
            ]
            policy_N = sequence_logprobs(self.model, examples, self.device)
        kl_nats = float((policy_N - self._logprobs_of_reference(examples)).mean())
        if not kl_nats <= self.spec.max_kl_nats:
            raise Refused(
                f"The policy ended {kl_nats:.1f} nats from its reference, the limit is {self.spec.max_kl_nats:g}: its "
                "text is likely broken. Raise beta or lower learning_rate."
            )
        return kl_nats

    def _logprobs_of_reference(self, examples: Sequence[Example]) -> Tensor:
        name = REFERENCE if self.spec.reference == "adapter" else None
        if name and name not in self.model.peft_config:
            load_adapter(self.model, self.spec.adapter, name=name, base_sha256=self.base_sha256)
        with adapter_active(self.model, name):
            return sequence_logprobs(self.model, examples, self.device)
