"""Stage `tokenizer`: a byte-level BPE with our control tokens and chat template, in the Hugging Face layout.

Template: <|bos|> once, then for every message its role token, its text and <|end|>. Nothing but control tokens stands
between texts, so that no text ever merges with the markup around it.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from modeling.data.texts import read_plain_texts
from modeling.errors import BadInput, Stopped
from modeling.rundir import RunDir
from modeling.spec import TokenizerSpec

PAD, BOS, SYSTEM, USER, ASSISTANT, END = "<|pad|>", "<|bos|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
CONTROL_TOKENS = (PAD, BOS, SYSTEM, USER, ASSISTANT, END)

CHAT_TEMPLATE = (
    "{{ '<|bos|>' }}"
    "{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('Roles are system, user and assistant, not ' + message['role'] + '.') }}"
    "{% endif %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
_REPORT_EVERY = 2_000  # texts between two progress events


def run(spec: TokenizerSpec, run: RunDir) -> dict[str, Any]:
    """Train and write `tokenizer/`. Returns vocabulary size and how many bytes a token holds.

    A stop is heard while texts are read, not while the library merges what it has counted. Raises: BadInput, Stopped.
    """
    texts = list(read_plain_texts(spec.texts))
    if not any(texts):
        raise BadInput("The texts are empty: a tokenizer needs something to read.")
    # Python hears signals in the main thread alone, and there the library would return to Python only at its end.
    with ThreadPoolExecutor(max_workers=1) as thread:
        tokenizer = thread.submit(train_tokenizer, _reported(texts, run), vocab_size=spec.vocab_size).result()
    save_tokenizer(tokenizer, run.artifact("tokenizer"))
    sample = "\n".join(texts)[:1_000_000]  # a megabyte tells the ratio to three digits
    n_tokens = len(tokenizer.backend_tokenizer.encode(sample, add_special_tokens=False).ids)
    return {"vocab_size": len(tokenizer), "bytes_per_token": round(len(sample.encode()) / n_tokens, 3)}


def train_tokenizer(texts: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer (Sennrich et al., 2016, https://arxiv.org/abs/1508.07909) of these texts."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=list(CONTROL_TOKENS), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    backend.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=BOS, eos_token=END, pad_token=PAD,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a tokenizer's files."""
    tokenizer.save_pretrained(folder)


def _reported(texts: list[str], run: RunDir) -> Iterable[str]:
    for done, text in enumerate(texts, start=1):
        if run.should_stop:
            raise Stopped("The tokenizer was not finished; it is trained again from the start.")
        if done % _REPORT_EVERY == 0 or done == len(texts):
            run.progress(done, len(texts), "texts")
        yield text
