"""One part of `bench.gpu`, alone in its process: prints its speed and the most memory that torch had allocated."""

import argparse
import contextlib
import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForSequenceClassification, GenerationConfig, TrainerCallback
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer

from modeling.data.chat import encode_prompt
from modeling.data.jsonl import read_objects
from modeling.data.prompts import read_prompts
from modeling.device import Device, pick_device, seed_everything
from modeling.errors import Refused
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.reward import reward_model_new, reward_model_save
from modeling.rundir import RunDir
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.sampler import Sampler
from modeling.spec import DPOSpec, FileRef, LoraSpec, PPOSpec, RewardSpec
from modeling.training import dpo, ppo, reward

N_NEW = 128
BATCH = 16
LORA = LoraSpec(rank=16, alpha=32)
N_WARM = 2
"""Steps before the clock starts: the first ones choose kernels and allocate."""
LONG_S = 100_000.0
"""No checkpoint within a measurement."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=tuple(PARTS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options = parser.parse_args()
    seed_everything(0)
    device = pick_device()
    if device.is_cpu != (options.device == "cpu"):
        raise SystemExit(f"--device {options.device}, but torch found {device.name}.")
    per_s = PARTS[options.part](options.folder, device)
    peak = 0 if device.is_cpu else torch.cuda.max_memory_allocated()
    print(json.dumps({"per_s": round(per_s, 2), "peak_bytes": peak}))


# ---- Sampling -------------------------------------------------------------------------------------------------------


def sampling_ours(folder: Path, device: Device) -> float:
    tokenizer, model = load_tokenizer(folder / "base"), load_base(folder / "base", device).eval()
    sampler, settings = Sampler(model, tokenizer, device), DecodingSettings(max_new_tokens=N_NEW)
    rows = _prompt_ids(folder, tokenizer)
    sampler.sample(rows[:8], settings, range(8))

    def draw() -> int:
        return sum(len(completion.token_ids) for completion in sampler.sample(rows, settings, range(len(rows))))

    return _rate(draw)


def sampling_generate(folder: Path, device: Device) -> float:
    """The best of several batch sizes; all prompts are of one length."""
    tokenizer, model = load_tokenizer(folder / "base"), load_base(folder / "base", device).eval()
    rows = torch.tensor(_prompt_ids(folder, tokenizer), device=device.torch_device)
    settings = GenerationConfig(
        max_new_tokens=N_NEW, min_new_tokens=N_NEW, do_sample=True, top_k=0, top_p=1.0,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip

    @torch.inference_mode()
    def draw(size: int) -> int:
        with device.autocast():
            return sum(
                model.generate(part, attention_mask=torch.ones_like(part), generation_config=settings).shape[0] * N_NEW
                for part in rows.split(size)
            )

    draw(8)
    return max(_rate(functools.partial(draw, size)) for size in (64, 192))


# ---- Pairs ----------------------------------------------------------------------------------------------------------


def reward_ours(folder: Path, device: Device) -> float:  # noqa: ARG001 - the stage picks the same one
    spec = RewardSpec(
        base=str(folder / "base"), preferences=(_file(folder, "preferences"),), lora=LORA, epochs=1, folds=2,
        batch_pairs=BATCH, max_length=1_024, length_level=0, checkpoint_every_s=LONG_S,
    )  # fmt: skip
    return BATCH * _stage_rate(folder / "reward", "loss", lambda run: reward.run(spec, run))


def dpo_ours(folder: Path, device: Device) -> float:  # noqa: ARG001
    spec = DPOSpec(
        base=str(folder / "base"), preferences=(_file(folder, "preferences"),), lora=LORA, epochs=1, batch_pairs=BATCH,
        learning_rate=1e-4, max_length=1_024, checkpoint_every_s=LONG_S,
    )  # fmt: skip
    return BATCH * _stage_rate(folder / "dpo", "loss", lambda run: dpo.run(spec, run))


def reward_trl(folder: Path, device: Device) -> float:
    tokenizer = load_tokenizer(folder / "base")
    model = AutoModelForSequenceClassification.from_pretrained(folder / "base", num_labels=1, dtype=torch.float32)
    model.config.pad_token_id = tokenizer.pad_token_id
    config = RewardConfig(**_trl_arguments(folder, device), disable_dropout=False)
    trainer = RewardTrainer(
        model=model, args=config, train_dataset=_rows(folder), processing_class=tokenizer,
        peft_config=_peft("SEQ_CLS", modules_to_save=["score"]),
    )  # fmt: skip
    return _trainer_rate(trainer)


def dpo_trl(folder: Path, device: Device, *, precompute: bool = False) -> float:
    config = DPOConfig(**_trl_arguments(folder, device), precompute_ref_log_probs=precompute)
    trainer = DPOTrainer(
        model=load_base(folder / "base", device), args=config, train_dataset=_rows(folder),
        processing_class=load_tokenizer(folder / "base"), peft_config=_peft("CAUSAL_LM"),
    )  # fmt: skip
    return _trainer_rate(trainer)


def dpo_trl_stored(folder: Path, device: Device) -> float:
    """With the reference's log-probabilities computed before the clock starts, as ours."""
    return dpo_trl(folder, device, precompute=True)


# ---- PPO ------------------------------------------------------------------------------------------------------------


def ppo_ours(folder: Path, device: Device) -> float:
    base = load_base(folder / "base", device)
    model = reward_model_new(base, LORA, device, seed=0)
    reward_model_save(model, folder / "reward-model", base_sha256=base_sha256(folder / "base"))
    del base, model
    prompts_per_step, n_samples = 32, 4
    spec = PPOSpec(
        base=str(folder / "base"), reward=str(folder / "reward-model"), prompts=_file(folder, "prompts"), lora=LORA,
        n_steps=N_WARM + 4, value_warmup_steps=0, prompts_per_step=prompts_per_step, samples_per_prompt=n_samples,
        max_new_tokens=N_NEW, checkpoint_every_s=LONG_S,
    )  # fmt: skip
    if not device.is_cpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return prompts_per_step * n_samples * _stage_rate(folder / "ppo", "policy_loss", lambda run: ppo.run(spec, run))


# ---- What they share ------------------------------------------------------------------------------------------------


class Clock(TrainerCallback):
    """The times at which steps ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_args: Any, **_kwargs: Any) -> None:
        _settle()
        self.ends.append(time.perf_counter())


def _trainer_rate(trainer: Any) -> float:
    """Return pairs a second between the first warm step and the last."""
    clock = Clock()
    trainer.add_callback(clock)
    trainer.train()
    n_warm = min(N_WARM, len(clock.ends) - 1)
    return float(BATCH * (len(clock.ends) - n_warm) / (clock.ends[-1] - clock.ends[n_warm - 1]))


def _stage_rate(folder: Path, measure: str, stage: Callable[[RunDir], Any]) -> float:
    """Return steps a second between the first warm step and the last, by the events that hold this measurement."""
    run = RunDir(folder)
    with contextlib.suppress(Refused):  # random texts teach nothing, and a stage may say so at its end
        stage(run)
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    ends = [event["t"] for event in events if measure in event.get("values", ())]
    n_warm = min(N_WARM, len(ends) - 1)
    return float((len(ends) - n_warm) / (ends[-1] - ends[n_warm - 1]))


def _rate(draw: Callable[[], int]) -> float:
    _settle()
    begun = time.perf_counter()
    n = draw()
    _settle()
    return n / (time.perf_counter() - begun)


def _settle() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _prompt_ids(folder: Path, tokenizer: Any) -> list[list[int]]:
    """Return the prompts, all cut to the shortest one's length."""
    ids = [encode_prompt(tokenizer, prompt.messages) for prompt in read_prompts(_file(folder, "prompts"))]
    shortest = min(map(len, ids))
    return [row[:shortest] for row in ids]


def _rows(folder: Path) -> Dataset:
    rows = [row for _, row in read_objects(_file(folder, "preferences"))]
    return Dataset.from_list([{name: row[name] for name in ("prompt", "chosen", "rejected")} for row in rows])


def _file(folder: Path, name: str) -> FileRef:
    return FileRef(str(folder / f"{name}.jsonl"))


def _peft(task: str, **more: Any) -> LoraConfig:
    return LoraConfig(r=LORA.rank, lora_alpha=LORA.alpha, target_modules="all-linear", task_type=task, **more)


def _trl_arguments(folder: Path, device: Device) -> dict[str, Any]:
    return {
        "output_dir": str(folder / "trl"), "per_device_train_batch_size": BATCH, "num_train_epochs": 1,
        "learning_rate": 1e-4, "bf16": device.bf16, "use_cpu": device.is_cpu, "gradient_checkpointing": False,
        "max_length": 1_024, "save_strategy": "no", "report_to": "none", "disable_tqdm": True, "logging_steps": 1_000,
    }  # fmt: skip


PARTS: dict[str, Callable[[Path, Device], float]] = {
    "sampling": sampling_ours,
    "sampling, generate": sampling_generate,
    "reward": reward_ours,
    "reward, trl": reward_trl,
    "dpo": dpo_ours,
    "dpo, trl": dpo_trl,
    "dpo, trl, stored reference": dpo_trl_stored,
    "ppo": ppo_ours,
}

if __name__ == "__main__":
    main()
