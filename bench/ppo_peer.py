"""The peer's side of `bench/ppo.py`: trl 1.12's PPOTrainer, one training in its own process. Prints one JSON object.

It gets what suits it: the same LoRA adapter on the policy, with the reference as the adapter off; a value model that
starts from the base with an adapter and learning rate of its own; the same reward, epochs, minibatches, clips and
schedule as ours; its own default lambda, 0.95, which suits so large a value model; a KL coefficient of its own; a
key-value cache; no gradient checkpointing, no sample tables. Only how a reward model is read is replaced: trl reads the
last token, ours adds the mean over the answer.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification
from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

from bench.ppo_memory import PeakMemory
from modeling.data.chat import encode_prompt
from modeling.data.prompts import read_prompts
from modeling.device import Device
from modeling.model.base import load_base, load_tokenizer
from modeling.model.reward import reward_model_load
from modeling.spec import FileRef, PPOSpec

_read_reward = ppo_trainer.get_reward


class Reward(nn.Module):
    """Our reward model with its adapter folded into a base of its own."""

    def __init__(self, base: str, folder: str) -> None:
        super().__init__()
        device = Device(torch.device("cpu"), None)
        reward = reward_model_load(load_base(base, device), folder, device, base_sha256="")
        head = reward.model.get_base_model().score
        self.head = head.modules_to_save[reward.name] if hasattr(head, "modules_to_save") else head
        self.mean, self.std = reward.mean, reward.std
        self.backbone = reward.model.merge_and_unload(adapter_names=[reward.name]).model

    def read(self, ids: Tensor, pad_id: int, context_length: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return what trl's `get_reward` returns: logits, scores and last positions."""
        mask = ids != pad_id
        hidden = self.backbone(
            input_ids=ids.masked_fill(~mask, 0), attention_mask=mask, position_ids=mask.cumsum(1) - mask.long(),
            use_cache=False,
        ).last_hidden_state  # fmt: skip
        values = self.head(hidden.float())
        answer = mask[:, context_length:]
        last = context_length + answer.sum(1) - 1
        means = (values[:, context_length:, 0] * answer).sum(1) / answer.sum(1)
        scores = values[torch.arange(len(ids)), last, 0] + means
        return values, (scores - self.mean) / self.std, last


def get_reward(model: Any, ids: Tensor, pad_id: int, context_length: int) -> tuple[Tensor, Tensor, Tensor]:
    if isinstance(model, Reward):
        return model.read(ids, pad_id, context_length)
    return _read_reward(model, ids, pad_id, context_length)


def main() -> None:
    task = json.loads(sys.argv[1])
    memory = PeakMemory()
    begun = time.monotonic()
    ppo_trainer.get_reward = get_reward
    trainer = make_trainer(task)
    trainer.train()
    trainer.model.policy.save_pretrained(task["out"])
    seconds = time.monotonic() - begun
    found = {
        "samples_per_s": trainer.args.total_episodes / seconds,
        "memory_mb": memory.megabytes(),
        "seconds": seconds,
    }
    print(json.dumps(found | {"adapter": task["out"]}))


def make_trainer(task: dict[str, Any]) -> PPOTrainer:
    ours = PPOSpec(prompts=FileRef(task["prompts"]), base=task["base"], reward=task["reward"])
    n_samples = ours.prompts_per_step * ours.samples_per_prompt
    tokenizer = load_tokenizer(task["base"])
    tokenizer.padding_side = "left"
    device = Device(torch.device("cpu"), None)
    base = load_base(task["base"], device)
    base.config.use_cache = base.generation_config.use_cache = True
    lora = {"r": ours.lora.rank, "lora_alpha": ours.lora.alpha, "target_modules": "all-linear"}
    policy = get_peft_model(base, LoraConfig(**lora, task_type="CAUSAL_LM"))
    value = AutoModelForSequenceClassification.from_pretrained(task["base"], num_labels=1, dtype=torch.float32)
    value = get_peft_model(value, LoraConfig(**lora, task_type="SEQ_CLS")).get_base_model()
    value.score = value.score.modules_to_save["default"]
    nn.init.zeros_(value.score.weight)
    parameters = [
        {"params": [each for each in policy.parameters() if each.requires_grad], "lr": ours.learning_rate},
        {"params": [each for each in value.parameters() if each.requires_grad], "lr": ours.value_learning_rate},
    ]
    optimizer = torch.optim.AdamW(parameters, weight_decay=0.0, betas=(0.9, 0.95))
    n_updates = task["n_updates"]
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / n_updates)
    rows = [{"input_ids": encode_prompt(tokenizer, prompt.messages)} for prompt in read_prompts(ours.prompts)]
    config = PPOConfig(
        output_dir=task["out"], seed=task["seed"], total_episodes=n_updates * n_samples,
        per_device_train_batch_size=n_samples, gradient_accumulation_steps=1, num_mini_batches=ours.minibatches,
        num_ppo_epochs=ours.ppo_epochs, learning_rate=ours.learning_rate, kl_coef=task["peer_kl_coef"],
        cliprange=ours.clip, cliprange_value=ours.value_clip, gamma=ours.gamma, lam=0.95,
        response_length=ours.max_new_tokens,
        stop_token="eos", missing_eos_penalty=ours.cut_penalty, temperature=1.0, max_grad_norm=1.0,
        local_rollout_forward_batch_size=n_samples, num_sample_generations=0, bf16=task["bf16"],
        gradient_checkpointing=False, report_to="none", save_strategy="no", use_cpu=not torch.cuda.is_available(),
        disable_tqdm=True, logging_steps=1000,
    )  # fmt: skip
    return PPOTrainer(
        args=config, processing_class=tokenizer, model=policy, ref_model=None,
        reward_model=Reward(task["base"], task["reward"]), value_model=value, train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(rows[: config.per_device_eval_batch_size]), optimizers=(optimizer, falling),
    )  # fmt: skip


if __name__ == "__main__":
    Path(json.loads(sys.argv[1])["out"]).mkdir(parents=True, exist_ok=True)
    main()
