"""Stage `sft`: supervised fine-tuning with the loss on answers alone. The result is a new, complete base.

With `method` lora an adapter is trained and then merged, so that what follows finds one frozen base either way. What is
too long is skipped and counted instead of shortened. The loop is `finetuning.py`.
"""

import tempfile
from collections.abc import Sequence
from typing import Any

from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from modeling.data.chat import encode_prompt
from modeling.data.dialogues import Dialogue, read_dialogues
from modeling.data.fitting import context_length
from modeling.device import Device, pick_device
from modeling.errors import BadInput
from modeling.model.adapters import merge_adapter, new_adapter, save_adapter
from modeling.model.base import load_base, load_tokenizer, save_base
from modeling.rundir import RunDir
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.randomness import mix_seeds
from modeling.sampling.sampler import Sampler
from modeling.spec import SFTSpec
from modeling.training.finetuning import FineTuning
from modeling.training.rows import Encoded, dialogues_encode

_N_SAMPLES = 5
_SAMPLE_TOKENS = 64


def run(spec: SFTSpec, run: RunDir) -> dict[str, Any]:
    """Fine-tune and write `base/`. Returns the counts and the last loss. Raises: BadInput, Refused, Stopped."""
    device = pick_device(spec.stage)
    tokenizer = load_tokenizer(spec.base)
    model = load_base(spec.base, device, quantize=spec.lora.quantize)
    _check_length(spec, model)
    dialogues = list(read_dialogues(spec.dialogues))
    encoded = _encoded(spec, run, tokenizer, dialogues)
    if spec.method == "lora":
        model = new_adapter(model, spec.lora, seed=spec.seed)
    tuning = FineTuning(spec, run, model, device)
    loss = tuning.train(encoded.rows, tuning.checkpoints.resume())
    if spec.method == "lora":
        model = _merged(spec, model, device)
    save_base(model, tokenizer, run.artifact("base"))
    for text in sample_answers(Sampler(model.eval(), tokenizer, device), dialogues[:_N_SAMPLES], seed=spec.seed):
        run.message(text)
    return {
        "loss": loss, "n_dialogues": encoded.n_dialogues, "n_answers": encoded.n_answers,
        "n_skipped": encoded.n_too_long, "n_empty": encoded.n_empty, "n_weightless": encoded.n_weightless,
    }  # fmt: skip


def _check_length(spec: SFTSpec, model: PreTrainedModel) -> None:
    longest = context_length(model)
    if spec.max_length > longest:
        raise BadInput(f"max_length is {spec.max_length}, but the base reads at most {longest} tokens.")


def _encoded(spec: SFTSpec, run: RunDir, tokenizer: PreTrainedTokenizerFast, dialogues: Sequence[Dialogue]) -> Encoded:
    if not dialogues:
        raise BadInput("The files hold no dialogues: there is nothing to learn from.")
    encoded = dialogues_encode(tokenizer, dialogues, max_length=spec.max_length)
    if not encoded.rows and encoded.n_too_long:
        raise BadInput(
            f"None of the {len(dialogues)} dialogues fits into max_length = {spec.max_length} tokens: raise it, or use "
            "a base with a longer context."
        )
    if not encoded.rows:
        raise BadInput(f"Nothing can be learnt from the {len(dialogues)} dialogues: all are empty or of weight 0.")
    run.message(
        f"{encoded.n_answers:,} answers in {encoded.n_dialogues:,} dialogues to learn from; skipped "
        f"{encoded.n_too_long:,} that end beyond {spec.max_length} tokens and {encoded.n_empty:,} empty ones, and "
        f"{encoded.n_weightless:,} dialogues of weight 0."
    )
    return encoded


def _merged(spec: SFTSpec, model: PeftModel, device: Device) -> PreTrainedModel:
    """Merge by way of the adapter's files into the base's full weights, also where it was trained on 4-bit ones."""
    with tempfile.TemporaryDirectory() as folder:
        save_adapter(model, folder, base_sha256="")
        return merge_adapter(load_base(spec.base, device), folder)


def sample_answers(sampler: Sampler, dialogues: Sequence[Dialogue], *, seed: int) -> list[str]:
    """Return the first question of some dialogues with an answer, drawn at temperature 1, for a person to look at."""
    asked = [dialogue.messages[: dialogue.learn[0]] for dialogue in dialogues if dialogue.learn]
    prompts = [encode_prompt(sampler.tokenizer, messages) for messages in asked]
    fitting = [i for i, prompt in enumerate(prompts) if len(prompt) + _SAMPLE_TOKENS <= sampler.context_length]
    completions = sampler.sample(
        [prompts[i] for i in fitting], DecodingSettings(max_new_tokens=_SAMPLE_TOKENS),
        [mix_seeds(seed, i) for i in fitting],
    )  # fmt: skip
    return [
        f"Q: {asked[i][-1]['content']}\nA: {completion.text}"
        for i, completion in zip(fitting, completions, strict=True)
    ]
