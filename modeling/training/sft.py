"""Stage `sft`: supervised fine-tuning by trl, with the loss on answers alone. The result is a new, complete base.

Dialogues are encoded here, not by the trainer, so that end tokens and cut answers are exact and what is too long is
skipped and counted instead of shortened.
"""

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

from modeling.data.chat import encode_answer, encode_prompt
from modeling.data.dialogues import Dialogue, read_dialogues
from modeling.device import Device, pick_device
from modeling.errors import BadInput
from modeling.model.adapters import new_adapter
from modeling.model.base import load_base, load_tokenizer
from modeling.model.cores import backward_parts
from modeling.model.dropout import dropout_seeded
from modeling.rundir import RunDir
from modeling.sampling.randomness import mix_seeds
from modeling.spec import SFTSpec
from modeling.training.ordering import order_by_length
from modeling.training.state import trainable_parameters
from modeling.training.trainer import train_to_end, trainer_arguments

_IGNORED = -100  # what torch's cross entropy skips
_ROWS_PER_PART = 4
_N_SAMPLES = 5
_SAMPLE_TOKENS = 64


def run(spec: SFTSpec, run: RunDir) -> dict[str, Any]:
    """Fine-tune and write `base/`. Returns the counts and the last loss."""
    device = pick_device()
    tokenizer = load_tokenizer(spec.base)
    model = load_base(spec.base, device)
    _check_length(spec, model)
    dialogues = list(read_dialogues(spec.dialogues))
    rows = [encode_row(tokenizer, dialogue) for dialogue in dialogues]
    kept = [row for row in rows if len(row["input_ids"]) <= spec.max_length]
    if not kept:
        raise BadInput(f"None of the {len(rows)} dialogues fits into max_length = {spec.max_length} tokens.")
    skipped = len(rows) - len(kept)
    run.message(f"{len(kept):,} dialogues to learn from, {skipped:,} longer than {spec.max_length} tokens skipped.")
    model, loss = _trained(spec, run, device, model, tokenizer, kept)
    folder = run.artifact("base")
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for text in sample_answers(model, tokenizer, dialogues[:_N_SAMPLES], seed=spec.seed):
        run.message(text)
    return {"loss": loss, "n_dialogues": len(kept), "n_skipped": skipped}


def encode_row(tokenizer: PreTrainedTokenizerFast, dialogue: Dialogue) -> dict[str, list[int]]:
    """Return one dialogue's ids and its labels, in which the prompt is ignored."""
    prompt = encode_prompt(tokenizer, dialogue.prompt)
    answer = encode_answer(tokenizer, dialogue.answer, cut=dialogue.cut)
    return {"input_ids": prompt + answer, "labels": [_IGNORED] * len(prompt) + answer}


def _check_length(spec: SFTSpec, model: PreTrainedModel) -> None:
    longest = getattr(model.config, "max_position_embeddings", None)
    if longest is not None and spec.max_length > longest:
        raise BadInput(f"max_length is {spec.max_length}, but the base reads at most {longest} tokens.")


def _trained(
    spec: SFTSpec,
    run: RunDir,
    device: Device,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    rows: list[dict[str, list[int]]],
) -> tuple[PreTrainedModel, float]:
    if spec.method == "lora":
        model = new_adapter(model, spec.lora, seed=spec.seed)
    config = SFTConfig(
        **trainer_arguments(run, device, seed=spec.seed),
        per_device_train_batch_size=spec.batch_size,
        num_train_epochs=1,  # the dataset holds every pass
        train_sampling_strategy="sequential",
        learning_rate=spec.learning_rate,
        max_length=None,
        loss_type="nll",
    )
    lengths = [len(row["input_ids"]) for row in rows]
    order = order_by_length(lengths, batch_size=spec.batch_size, epochs=spec.epochs, seed=spec.seed)
    dataset = Dataset.from_list([rows[index] for index in order])
    trainer = CoresSFTTrainer(device, model=model, args=config, train_dataset=dataset, processing_class=tokenizer)
    loss = train_to_end(trainer, run, checkpoint_every_s=spec.checkpoint_every_s)
    trained: PreTrainedModel = model.merge_and_unload() if spec.method == "lora" else model
    return trained.eval(), loss


class CoresSFTTrainer(SFTTrainer):
    """trl's trainer; on a CPU each core takes rows of its own out of a batch."""

    def __init__(self, device: Device, **options: Any) -> None:
        super().__init__(**options)
        self.device = device

    def training_step(
        self, model: Any, inputs: dict[str, Tensor], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Add a batch's gradients to the parameters' and return its loss."""
        if not self.device.is_cpu or num_items_in_batch is None:
            loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
            return loss
        model.train()
        step, n_rows = self.state.global_step, len(inputs["input_ids"])

        def loss_of(start: int) -> tuple[Tensor, float]:
            part = {name: values[start : start + _ROWS_PER_PART] for name, values in inputs.items()}
            with dropout_seeded(mix_seeds(self.args.seed, step, start), self.device):
                loss = self.compute_loss(model, part, num_items_in_batch=num_items_in_batch)
            return loss, float(loss.detach())

        parts = range(0, n_rows, _ROWS_PER_PART)
        return torch.tensor(sum(backward_parts(self.device, trainable_parameters(model), loss_of, parts)))


@torch.no_grad()
def sample_answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, dialogues: Sequence[Dialogue], *, seed: int
) -> list[str]:
    """Return a few questions with an answer each, drawn at temperature 1, for a person to look at."""
    torch.manual_seed(seed)
    shown = []
    for dialogue in dialogues:
        prompt = encode_prompt(tokenizer, dialogue.prompt)
        output = model.generate(
            torch.tensor([prompt], device=model.device), max_new_tokens=_SAMPLE_TOKENS, do_sample=True, top_k=0
        )
        answer = tokenizer.decode(output[0, len(prompt) :], skip_special_tokens=False)
        shown.append(f"Q: {dialogue.prompt[-1]['content']}\nA: {answer}")
    return shown
