"""The specification of stage `corpus`."""

import dataclasses

from modeling.spec.base import Spec, require


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
