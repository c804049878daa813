"""Documents in a row: token arrays to pretrain on, and which windows of them a step sees.

The order is a function of (seed, step), so a resumed run needs to remember its step alone. Windows cross documents, as
in nanoGPT: at this size the few tokens that attend to a foreign document cost less than padding.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from modeling.data.chat import encode_dialogues
from modeling.data.texts import Document, read_documents
from modeling.spec import FileRef

Tokens = NDArray[np.unsignedinteger[Any]]

HELD_OUT_SHARE = 0.02
_TEXTS_AT_ONCE = 1_000  # enough for the tokenizer's threads, little enough to hold


@dataclasses.dataclass(frozen=True)
class Packed:
    """All tokens, the last share of every file held out."""

    train: Tokens
    held_out: Tokens


def pack_files(files: Sequence[FileRef], tokenizer: PreTrainedTokenizerFast) -> Packed:
    """Encode every file; plain documents begin with the bos token, conversations with what their template says."""
    train, held_out = [], []
    for file in files:
        tokens = _encode_file(file, tokenizer)
        n_train = len(tokens) - int(len(tokens) * HELD_OUT_SHARE)
        train.append(tokens[:n_train])
        held_out.append(tokens[n_train:])
    return Packed(np.concatenate(train), np.concatenate(held_out))


class Windows:
    """Windows of `length + 1` tokens in a random order: inputs, and targets that are moved by one.

    Every pass over the tokens cuts them at another offset and shuffles the windows anew.
    """

    def __init__(self, tokens: Tokens, *, length: int, seed: int) -> None:
        self.tokens = tokens
        self.length = length
        self.seed = seed
        self.per_pass = (len(tokens) - 1) // length - 1  # one less, so that every offset below `length` fits
        self._pass, self._starts = -1, np.empty(0, dtype=np.int64)

    def batch(self, step: int, batch_size: int) -> NDArray[np.int64]:
        """Return the windows of a step, (batch_size, length + 1)."""
        indexes = range(step * batch_size, (step + 1) * batch_size)
        return np.stack([self._window(index) for index in indexes]).astype(np.int64)

    def _window(self, index: int) -> Tokens:
        number, position = divmod(index, self.per_pass)
        if number != self._pass:
            generator = np.random.default_rng((self.seed, number))
            offset = generator.integers(0, self.length)
            self._pass, self._starts = number, offset + self.length * generator.permutation(self.per_pass)
        start = self._starts[position]
        return self.tokens[start : start + self.length + 1]


def _encode_file(file: FileRef, tokenizer: PreTrainedTokenizerFast) -> Tokens:
    dtype: type[np.unsignedinteger[Any]] = np.uint16 if len(tokenizer) <= np.iinfo(np.uint16).max else np.uint32
    pieces = [np.asarray(ids, dtype=dtype) for ids in _encode_documents(read_documents(file), tokenizer)]
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=dtype)


def _encode_documents(documents: Iterator[Document], tokenizer: PreTrainedTokenizerFast) -> Iterator[list[int]]:
    while chunk := list(itertools.islice(documents, _TEXTS_AT_ONCE)):
        texts = [document.text for document in chunk if not document.messages]
        plain = iter(
            tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"] if texts else ()
        )
        chats = iter(encode_dialogues(tokenizer, [document.messages for document in chunk if document.messages]))
        for document in chunk:
            yield next(chats) if document.messages else [tokenizer.bos_token_id, *next(plain)]
