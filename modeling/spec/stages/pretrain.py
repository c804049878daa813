"""The specification of stage `pretrain`."""

import dataclasses

from modeling.spec.base import FileRef, Spec, require, require_learning_rate


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
        require_learning_rate(self.learning_rate)
        require_learning_rate(self.matrix_learning_rate)
