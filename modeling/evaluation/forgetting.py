"""How likely policy and SFT find a text: what a policy has forgotten shows as nats per token that it lost.

The texts are read from the end of each file, which pretraining holds out, in pieces of at most `PIECE_TOKENS`.
"""

from collections import deque
from collections.abc import Iterator, Sequence

from transformers import PreTrainedTokenizerFast

from modeling.data.chat import encode_dialogue, encode_text
from modeling.data.texts import Document, read_documents
from modeling.errors import BadInput
from modeling.evaluation.models import Models
from modeling.evaluation.parts import POLICY, Part, Row, parts_cut
from modeling.model.batching import Example
from modeling.sampling.sampler import OnProgress
from modeling.spec import EvaluateSpec

PIECE_TOKENS = 256
"""Long enough to hold what a small base knows of order; every piece begins without what stood before it."""


class Forgetting:
    """A row for each piece of text; no rows where there are no texts."""

    def __init__(self, spec: EvaluateSpec, models: Models) -> None:
        self.models = models
        length = min(PIECE_TOKENS, models.context)
        self.pieces: list[Example] = []
        for file in spec.texts:
            last = deque(read_documents(file), maxlen=spec.n_texts)  # a corpus may not fit into memory
            pieces = _last_pieces(last, models.tokenizer, length=length, n=spec.n_texts)
            if not pieces:
                raise BadInput(f"{file.path} holds no text of two tokens or more.")
            self.pieces += pieces
        self.rows: list[Row] = [{"kind": "text", "n_tokens": len(piece.answer)} for piece in self.pieces]
        self.parts = [
            part
            for side, adapter in ((POLICY, POLICY), ("sft", None))
            for part in parts_cut(side, adapter, per_prompt=1, n_prompts=len(self.pieces), max_new_tokens=length)
        ]

    def measure(self, part: Part, on_progress: OnProgress) -> None:
        """Measure the part's pieces under one side."""
        pieces = [self.pieces[position] for position in part.prompts]
        logprobs_N = self.models.logprobs(pieces, part.adapter)
        on_progress(len(pieces), len(pieces))
        for position, logprob in zip(part.prompts, logprobs_N, strict=True):
            self.rows[position][f"{part.side}_nats"] = -float(logprob)


def _last_pieces(
    documents: Sequence[Document], tokenizer: PreTrainedTokenizerFast, *, length: int, n: int
) -> list[Example]:
    """Return the last `n` pieces. A piece's first token is given: the begin token, or the template's first."""
    found: list[Example] = []
    for document in reversed(documents):
        found += reversed(list(_pieces(document, tokenizer, length)))
        if len(found) >= n:
            break
    return found[:n]


def _pieces(document: Document, tokenizer: PreTrainedTokenizerFast, length: int) -> Iterator[Example]:
    if document.messages:
        ids = encode_dialogue(tokenizer, document.messages)
    else:
        begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        ids = [*begin, *encode_text(tokenizer, document.text)]
    for start in range(0, len(ids) - 1, length - 1):  # the last token of a piece is the first, given, of the next
        yield Example(tuple(ids[start : start + 1]), tuple(ids[start + 1 : start + length]))
