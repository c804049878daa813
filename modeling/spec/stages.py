"""The specification of every stage, with defaults that suit the demo base (1M parameters, two cores, minutes).

Figures behind the defaults are in `docs/experiments.md`. Paths to models are folders in the Hugging Face layout
(`config.json`, `model.safetensors`, `tokenizer.json`); adapters are folders in peft's layout.
"""

import dataclasses
from typing import Any, Literal

from modeling.spec.base import FileRef, Spec, SpecError, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoraSpec:
    """A LoRA adapter (Hu et al., 2021, https://arxiv.org/abs/2106.09685)."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: Literal["all-linear", "attention"] = "all-linear"

    def validate(self) -> None:
        """Raises: SpecError."""
        require(1 <= self.rank <= 512, f"lora.rank must be between 1 and 512, not {self.rank}.")
        require(self.alpha > 0, f"lora.alpha must be positive, not {self.alpha}.")
        require(0 <= self.dropout < 1, f"lora.dropout must be in [0, 1), not {self.dropout}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CorpusSpec(Spec):
    """Make the demo world's texts, dialogues and prompts."""

    stage = "corpus"

    n_documents: int = 30_000
    n_dialogues: int = 3_000
    n_prompts: int = 24_000

    def validate(self) -> None:
        require(self.n_documents >= 100, "n_documents must be at least 100.")
        require(self.n_dialogues >= 10, "n_dialogues must be at least 10.")
        require(self.n_prompts >= 100, "n_prompts must be at least 100.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenizerSpec(Spec):
    """Train a byte-level BPE tokenizer with a chat template."""

    stage = "tokenizer"

    texts: tuple[FileRef, ...]
    vocab_size: int = 1_536

    def validate(self) -> None:
        require(bool(self.texts), "texts: name at least one file.")
        require(300 <= self.vocab_size <= 200_000, "vocab_size must be between 300 and 200000.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainSpec(Spec):
    """Train a Llama-architecture base from scratch on plain text and chat documents."""

    stage = "pretrain"

    texts: tuple[FileRef, ...]
    tokenizer: str
    hidden_size: int = 128
    n_layers: int = 4
    n_heads: int = 4
    context_length: int = 256
    n_tokens: int = 1_600_000
    batch_size: int = 8
    matrix_learning_rate: float = 0.02
    """Of Muon, which trains the matrices inside the layers."""
    learning_rate: float = 3e-3
    """Of AdamW, which trains embeddings and gains."""
    weight_decay: float = 0.0
    """Of the matrices; with about one pass over the text there is nothing to hold back."""
    warmup_share: float = 0.05
    checkpoint_every_s: float = 30.0

    def validate(self) -> None:
        require(bool(self.texts), "texts: name at least one file.")
        require(self.hidden_size % self.n_heads == 0, "hidden_size must be a multiple of n_heads.")
        require(self.context_length >= 32, "context_length must be at least 32.")
        require(self.n_tokens >= self.context_length, "n_tokens must be at least context_length.")
        require(self.batch_size >= 1, "batch_size must be at least 1.")
        require(0 <= self.warmup_share <= 1, "warmup_share must be in [0, 1].")
        require(self.weight_decay >= 0, "weight_decay must not be negative.")
        _learning_rate(self.learning_rate)
        _learning_rate(self.matrix_learning_rate)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SFTSpec(Spec):
    """Supervised fine-tuning on dialogues; the result is a new frozen base."""

    stage = "sft"

    base: str
    dialogues: tuple[FileRef, ...]
    method: Literal["full", "lora"] = "full"
    lora: LoraSpec = LoraSpec()
    epochs: float = 2.0
    batch_size: int = 16
    learning_rate: float = 1e-3
    max_length: int = 256
    checkpoint_every_s: float = 30.0

    def validate(self) -> None:
        require(bool(self.dialogues), "dialogues: name at least one file.")
        require(self.epochs > 0, "epochs must be positive.")
        require(self.batch_size >= 1, "batch_size must be at least 1.")
        _learning_rate(self.learning_rate)
        self.lora.validate()


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardSpec(Spec):
    """A Bradley-Terry reward model: a LoRA adapter and a scalar head on the frozen base."""

    stage = "reward"

    base: str
    preferences: tuple[FileRef, ...]
    lora: LoraSpec = LoraSpec(dropout=0.3)
    """With a few hundred rankings dropout is what keeps the adapter from learning them by heart."""
    epochs: float = 2.0
    batch_pairs: int = 32
    learning_rate: float = 3e-3
    max_length: int = 256
    folds: int = 5
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require(bool(self.preferences), "preferences: name at least one file.")
        require(self.epochs > 0, "epochs must be positive.")
        require(2 <= self.folds <= 20, "folds must be between 2 and 20.")
        require(self.batch_pairs >= 1, "batch_pairs must be at least 1.")
        _learning_rate(self.learning_rate)
        self.lora.validate()


@dataclasses.dataclass(frozen=True, kw_only=True)
class DPOSpec(Spec):
    """Direct preference optimisation (Rafailov et al., 2023, https://arxiv.org/abs/2305.18290)."""

    stage = "dpo"

    base: str
    preferences: tuple[FileRef, ...]
    adapter: str = ""
    """Adapter to continue; empty starts a fresh one."""
    reference: Literal["base", "adapter"] = "base"
    """What the KL is taken to: the SFT base, or the adapter that training starts from."""
    lora: LoraSpec = LoraSpec()
    beta: float = 0.3
    epochs: float = 2.0
    batch_pairs: int = 32
    learning_rate: float = 1e-3
    max_length: int = 256
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require(bool(self.preferences), "preferences: name at least one file.")
        require(0 < self.beta <= 10, f"beta must be in (0, 10], not {self.beta}.")
        require(0 < self.epochs <= 100, "epochs must be in (0, 100].")
        require(self.batch_pairs >= 1, "batch_pairs must be at least 1.")
        require(self.reference == "base" or bool(self.adapter), "reference 'adapter' needs an adapter to start from.")
        _learning_rate(self.learning_rate)
        self.lora.validate()


@dataclasses.dataclass(frozen=True, kw_only=True)
class RLOOSpec(Spec):
    """Online RL with a leave-one-out baseline (Ahmadian et al., 2024, https://arxiv.org/abs/2402.14740)."""

    stage = "rloo"

    base: str
    reward: str
    prompts: FileRef
    adapter: str = ""
    """Adapter to continue; empty starts a fresh one."""
    reference: Literal["base", "adapter"] = "base"
    lora: LoraSpec = LoraSpec()
    n_steps: int = 40
    prompts_per_step: int = 32
    samples_per_prompt: int = 4
    max_new_tokens: int = 64
    kl_coef: float = 0.05
    learning_rate: float = 3e-3
    cut_penalty: float = 3.0
    """Subtracted from the reward of an answer that was cut at the length limit."""
    inner_epochs: int = 1
    """Optimizer steps on each batch of answers; from the second on the ratio to the sampling policy is clipped."""
    clip: float = 0.2
    max_kl_nats: float = 30.0
    """Training ends as diverged when a batch is further than this from the reference: useful policies stay below 10."""
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require(1 <= self.n_steps <= 100_000, "n_steps must be between 1 and 100000.")
        require(self.prompts_per_step >= 1, "prompts_per_step must be at least 1.")
        require(self.samples_per_prompt >= 2, "samples_per_prompt must be at least 2: the others are the baseline.")
        require(self.max_new_tokens >= 1, "max_new_tokens must be at least 1.")
        require(0 <= self.kl_coef <= 10, f"kl_coef must be in [0, 10], not {self.kl_coef}.")
        require(0 <= self.cut_penalty <= 100, f"cut_penalty must be in [0, 100], not {self.cut_penalty}.")
        require(1 <= self.inner_epochs <= 16, f"inner_epochs must be between 1 and 16, not {self.inner_epochs}.")
        require(0 < self.clip < 1, f"clip must be in (0, 1), not {self.clip}.")
        require(self.max_kl_nats > 0, f"max_kl_nats must be positive, not {self.max_kl_nats}.")
        require(self.reference == "base" or bool(self.adapter), "reference 'adapter' needs an adapter to start from.")
        _learning_rate(self.learning_rate)
        self.lora.validate()


@dataclasses.dataclass(frozen=True, kw_only=True)
class PPOSpec(Spec):
    """Online RL with a value function (PPO; Ouyang et al., 2022, https://arxiv.org/abs/2203.02155)."""

    stage = "ppo"
    bf16_on_cpu = False
    """The ratio of new to old probability is near one, and in bfloat16 its rounding would be part of the signal."""

    base: str
    reward: str
    prompts: FileRef
    adapter: str = ""
    """Adapter to continue; empty starts a fresh one."""
    reference: Literal["base", "adapter"] = "base"
    lora: LoraSpec = LoraSpec()
    """Of the policy and of the value function, each of which has its own."""
    n_steps: int = 40
    prompts_per_step: int = 32
    samples_per_prompt: int = 4
    max_new_tokens: int = 64
    kl_coef: float = 0.05
    kl_target_nats: float = 0.0
    """Above 0 the coefficient is adapted towards this KL of whole answers; at 0 it stays as it is."""
    learning_rate: float = 1e-3
    value_learning_rate: float = 3e-3
    value_warmup_steps: int = 2
    """Steps at the beginning in which only the value function learns."""
    ppo_epochs: int = 2
    minibatches: int = 2
    """Optimizer steps in one epoch over a step's answers."""
    tokens_per_pass: int = 0
    """Tokens in one forward pass, whose gradients are accumulated to a minibatch's; 0 takes what suits the device."""
    clip: float = 0.2
    value_clip: float = 0.2
    gamma: float = 1.0
    gae_lambda: float = 0.95
    stop_kl_nats: float = 0.05
    """Approximate KL to the old policy, per token, from which a step's update leaves the policy alone."""
    normalise_rewards: bool = True
    """Divide scores by the running standard deviation of all scores so far."""
    cut_penalty: float = 3.0
    """Subtracted from the reward of an answer that was cut at the length limit."""
    mix: tuple[FileRef, ...] = ()
    """Texts whose likelihood the policy keeps, so that it forgets less."""
    mix_coef: float = 0.0
    """Weight of their loss (nats per token) beside the policy's."""
    mix_batch_size: int = 4
    """Windows of text in one optimizer step."""
    recompute_activations: bool = False
    """Compute layers a second time on the way back instead of keeping what they held: less memory, more time."""
    max_kl_nats: float = 30.0
    """Training ends as diverged when a batch is further than this from the reference: useful policies stay below 10."""
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require(1 <= self.n_steps <= 100_000, "n_steps must be between 1 and 100000.")
        require(self.prompts_per_step >= 1, "prompts_per_step must be at least 1.")
        require(self.samples_per_prompt >= 1, "samples_per_prompt must be at least 1.")
        require(self.max_new_tokens >= 1, "max_new_tokens must be at least 1.")
        require(0 <= self.kl_coef <= 100, f"kl_coef must be in [0, 100], not {self.kl_coef}.")
        require(self.kl_target_nats >= 0, f"kl_target_nats must not be negative, not {self.kl_target_nats}.")
        require(self.kl_target_nats == 0 or self.kl_coef > 0, "kl_target_nats needs a kl_coef above 0 to start from.")
        require(0 <= self.value_warmup_steps < self.n_steps, "value_warmup_steps must be less than n_steps.")
        require(1 <= self.ppo_epochs <= 16, f"ppo_epochs must be between 1 and 16, not {self.ppo_epochs}.")
        require(
            1 <= self.minibatches <= self.prompts_per_step * self.samples_per_prompt,
            "minibatches must be between 1 and the number of answers in a step.",
        )
        require(self.tokens_per_pass >= 0, "tokens_per_pass must not be negative.")
        require(0 < self.clip < 1, f"clip must be in (0, 1), not {self.clip}.")
        require(self.value_clip > 0, f"value_clip must be positive, not {self.value_clip}.")
        require(0 <= self.gamma <= 1, f"gamma must be in [0, 1], not {self.gamma}.")
        require(0 <= self.gae_lambda <= 1, f"gae_lambda must be in [0, 1], not {self.gae_lambda}.")
        require(self.stop_kl_nats > 0, f"stop_kl_nats must be positive, not {self.stop_kl_nats}.")
        require(0 <= self.cut_penalty <= 100, f"cut_penalty must be in [0, 100], not {self.cut_penalty}.")
        require(0 <= self.mix_coef <= 1_000, f"mix_coef must be in [0, 1000], not {self.mix_coef}.")
        require(bool(self.mix) == (self.mix_coef > 0), "mix and mix_coef belong together: give both or neither.")
        require(self.mix_batch_size >= 1, "mix_batch_size must be at least 1.")
        require(self.max_kl_nats > 0, f"max_kl_nats must be positive, not {self.max_kl_nats}.")
        require(self.reference == "base" or bool(self.adapter), "reference 'adapter' needs an adapter to start from.")
        require(self.lora.dropout == 0, "lora.dropout must be 0: the ratio of new to old policy would be its noise.")
        _learning_rate(self.learning_rate)
        _learning_rate(self.value_learning_rate)
        self.lora.validate()


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateSpec(Spec):
    """Compare a policy with the SFT base and the last deployed policy, at equal decoding, by a named judge."""

    stage = "evaluate"

    base: str
    policy: str
    """The policy's adapter."""
    previous: str = ""
    """The last deployed policy's adapter; empty when that is the SFT base itself."""
    reward: str = ""
    """The reward model that was optimised against, for best-of-4."""
    gold: str = ""
    """The judge as `module:function` of (prompt text, answer text); wins over `judge`."""
    judge: str = ""
    """The judge as a reward adapter trained on other prompts than `reward`."""
    prompts: FileRef
    n_prompts: int = 1_000
    samples_per_prompt: int = 4
    max_new_tokens: int = 64
    n_bootstrap: int = 2_000
    oracle_n: int = 16
    """With a gold judge, `oracle_share` compares with the best of this many SFT answers by gold."""
    n_oracle_prompts: int = 250
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require(bool(self.gold) or bool(self.judge), "name a judge: a gold function or a held-out reward model.")
        require(self.judge == "" or self.judge != self.reward, "the judge must not be the optimised reward model.")
        require(self.n_prompts >= 1, "n_prompts must be at least 1.")
        require(self.samples_per_prompt >= 1, "samples_per_prompt must be at least 1.")
        require(self.gold == "" or self.gold.count(":") == 1, "gold must be written as module:function.")
        require(self.n_bootstrap >= 100, "n_bootstrap must be at least 100.")
        require(self.oracle_n > self.samples_per_prompt, "oracle_n must be more than samples_per_prompt.")
        require(self.n_oracle_prompts >= 0, "n_oracle_prompts must not be negative.")


STAGES: dict[str, type[Spec]] = {
    spec.stage: spec
    for spec in (
        CorpusSpec, TokenizerSpec, PretrainSpec, SFTSpec, RewardSpec, DPOSpec, RLOOSpec, PPOSpec, EvaluateSpec,
    )
}  # fmt: skip


def spec_from_json(data: dict[str, Any]) -> Spec:
    """Build the specification that `data["stage"]` names. Raises: SpecError."""
    stage = data.get("stage")
    if stage not in STAGES:
        raise SpecError(f"stage: must be one of {', '.join(STAGES)}, not {stage!r}.")
    return STAGES[stage].from_json(data)


def _learning_rate(value: float) -> None:
    require(0 < value <= 1, f"learning_rate must be in (0, 1], not {value}.")
