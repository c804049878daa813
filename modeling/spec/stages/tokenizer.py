"""The specification of stage `tokenizer`."""

import dataclasses

from modeling.spec.base import FileRef, Spec, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenizerSpec(Spec):
    """Train a byte-level BPE tokenizer with a chat template."""

    stage = "tokenizer"

    texts: tuple[FileRef, ...]
    vocab_size: int = 1_536

    def validate(self) -> None:
        require(bool(self.texts), "texts: name at least one file.")
        require(300 <= self.vocab_size <= 200_000, "vocab_size must be between 300 and 200000.")
