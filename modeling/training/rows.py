"""Dialogues as token rows, with the places that carry the loss: the answers and their end tokens alone."""

from collections.abc import Iterable
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from modeling.data.chat import encode_answer, encode_prompt
from modeling.data.dialogues import Dialogue


@dataclass(frozen=True)
class Row:
    """Tokens that go through the model together, which of them are learnt, and how much each of these counts."""

    tokens: tuple[int, ...]
    learnt: tuple[int, ...]
    weight: float = 1.0

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class Encoded:
    """The rows of many dialogues, and what was left out of them."""

    rows: list[Row]
    n_dialogues: int
    """Dialogues of which something is learnt."""
    n_answers: int
    n_too_long: int
    """Answers that end beyond the limit."""
    n_empty: int
    """Answers without a word: to learn them would be to learn to say nothing."""
    n_weightless: int
    """Dialogues of weight 0, or with no turn to learn."""


def dialogues_encode(tokenizer: PreTrainedTokenizerFast, dialogues: Iterable[Dialogue], *, max_length: int) -> Encoded:
    """Encode what is to be learnt; an answer is left out whole or not at all."""
    rows: list[Row] = []
    n_dialogues = n_answers = n_too_long = n_empty = n_weightless = 0
    for dialogue in dialogues:
        if dialogue.weight == 0 or not dialogue.learn:
            n_weightless += 1
            continue
        spoken = [turn for turn in dialogue.learn if str(dialogue.messages[turn]["content"]).strip()]
        found, n_long = _rows_of(tokenizer, dialogue, spoken, max_length)
        rows += found
        n_dialogues += bool(found)
        n_answers += len(spoken) - n_long
        n_too_long += n_long
        n_empty += len(dialogue.learn) - len(spoken)
    return Encoded(rows, n_dialogues, n_answers, n_too_long, n_empty, n_weightless)


def _rows_of(
    tokenizer: PreTrainedTokenizerFast, dialogue: Dialogue, turns: list[int], max_length: int
) -> tuple[list[Row], int]:
    """Return the rows of a dialogue and how many of its answers were too long.

    Turns share a row as long as the template writes what came before a turn as it wrote it then. Where it does not
    (some drop earlier thoughts), each turn is learnt after exactly what stands before it when it is sampled.
    """
    rows: list[Row] = []
    n_too_long = 0
    for turn in turns:
        prompt = encode_prompt(tokenizer, dialogue.messages[:turn])
        cut = dialogue.cut and turn == len(dialogue.messages) - 1
        answer = encode_answer(tokenizer, str(dialogue.messages[turn]["content"]), cut=cut)
        tokens = (*prompt, *answer)
        if len(tokens) > max_length:
            n_too_long += 1
            continue
        learnt = tuple(range(len(prompt), len(tokens)))
        if rows and tokens[: len(rows[-1])] == rows[-1].tokens:
            learnt = rows.pop().learnt + learnt
        rows.append(Row(tokens, learnt, dialogue.weight))
    return rows, n_too_long
