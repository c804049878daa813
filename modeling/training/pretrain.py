"""Stage `pretrain`: a Llama from scratch on packed text. Our own loop, in the spirit of karpathy/nanochat.

Shapes: B windows, T tokens, D hidden width, V vocabulary. Weights are float32; products run in bfloat16 where the
hardware has it. A step depends on weights, moments and its number alone, so that is all a checkpoint holds.
"""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from modeling.device import Device, pick_device
from modeling.errors import BadInput, Refused, Stopped
from modeling.model.attention import pretraining_attention_name
from modeling.model.base import load_tokenizer
from modeling.model.cores import backward_parts, map_parts
from modeling.rundir import RunDir
from modeling.spec import PretrainSpec
from modeling.training.optimizers import PretrainOptimizer
from modeling.training.packing import Packed, Tokens, Windows, pack_files
from modeling.training.schedule import warm_cosine

_STEP = "step.txt"
_N_REPORTS = 200  # points of the loss curve; more than a page can show
_N_EVALUATIONS = 10
_TOKENS_PER_PART = 512  # on a CPU; small enough that every core has something to do
_HELD_OUT_TOKENS = 32_768  # half a second on two cores, and a standard error near 0.01 nats


def run(spec: PretrainSpec, run: RunDir) -> dict[str, Any]:
    """Train and write `base/` with the tokenizer in it. Returns the losses and the speed."""
    device = pick_device(spec.stage)
    tokenizer = load_tokenizer(spec.tokenizer)
    packed = pack_files(spec.texts, tokenizer)
    if len(packed.train) < 3 * spec.context_length:
        raise BadInput(
            f"The texts hold {len(packed.train)} tokens, too few for a context of {spec.context_length}: "
            "give more text or a smaller context_length."
        )
    run.message(f"{len(packed.train):,} tokens to train on, {len(packed.held_out):,} held out.")
    torch.manual_seed(spec.seed)
    model = new_llama(spec, tokenizer, device).to(device.torch_device)
    metrics = _Loop(spec, run, device, model, packed).run_to_end()
    folder = run.artifact("base")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return metrics


def new_llama(spec: PretrainSpec, tokenizer: PreTrainedTokenizerFast, device: Device) -> LlamaForCausalLM:
    """Return a Llama with random weights and tied embeddings.

    Source: Touvron et al., 2023, https://arxiv.org/abs/2302.13971.
    """
    tokens = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=spec.hidden_size, intermediate_size=_feed_forward(spec.hidden_size),
        num_hidden_layers=spec.n_layers, num_attention_heads=spec.n_heads, num_key_value_heads=spec.n_heads,
        max_position_embeddings=spec.context_length, tie_word_embeddings=True,
        attn_implementation=pretraining_attention_name(device, spec.context_length), **tokens,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(**tokens)
    return model


def _feed_forward(hidden_size: int) -> int:
    """Return 8/3 of the width, as Llama does, in multiples of 32 for the matrix kernels."""
    return math.ceil(hidden_size * 8 / 3 / 32) * 32


class _Loop:
    """One training, from its newest checkpoint to its end."""

    def __init__(
        self, spec: PretrainSpec, run: RunDir, device: Device, model: LlamaForCausalLM, packed: Packed
    ) -> None:
        self.spec, self.run, self.device, self.model, self.held_out = spec, run, device, model, packed.held_out
        self.parameters = dict(model.named_parameters())
        self.windows = Windows(packed.train, length=spec.context_length, seed=spec.seed)
        self.optimizer = PretrainOptimizer(
            model, device, matrix_learning_rate=spec.matrix_learning_rate, learning_rate=spec.learning_rate,
            weight_decay=spec.weight_decay,
        )  # fmt: skip
        self.tokens_per_step = spec.batch_size * spec.context_length
        self.n_steps = max(1, spec.n_tokens // self.tokens_per_step)
        self.step = 0
        self._restore()

    def run_to_end(self) -> dict[str, Any]:
        loss, since_report, since_save = math.nan, (time.monotonic(), self.step), time.monotonic()
        report_every, evaluate_every = max(1, self.n_steps // _N_REPORTS), max(1, self.n_steps // _N_EVALUATIONS)
        started_at, started_step = time.monotonic(), self.step
        self.model.train()
        while self.step < self.n_steps:
            loss = self._train_step()
            self.step += 1
            now = time.monotonic()
            self.run.progress(self.step, self.n_steps)
            if self.step % report_every == 0:
                speed = (self.step - since_report[1]) * self.tokens_per_step / (now - since_report[0])
                self._report(
                    loss=loss, tokens_per_s=round(speed), lr=self.spec.learning_rate * self._factor(self.step - 1)
                )
                since_report = (now, self.step)
            if self.step % evaluate_every == 0 and self.step < self.n_steps:
                self._report_held_out()
                since_report = (time.monotonic(), self.step)
            if self.run.should_stop and self.step < self.n_steps:
                self._save()
                raise Stopped(f"Stopped at step {self.step} of {self.n_steps}; a checkpoint holds everything so far.")
            if now - since_save >= self.spec.checkpoint_every_s and self.step < self.n_steps:
                self._save()
                since_save = time.monotonic()
        n_tokens = (self.step - started_step) * self.tokens_per_step
        return {
            "loss": loss,
            "held_out_loss": self._report_held_out(),
            "n_parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "n_tokens": self.step * self.tokens_per_step,
            "n_text_tokens": len(self.windows.tokens),
            "tokens_per_s": round(n_tokens / max(time.monotonic() - started_at, 1e-9)),
        }

    def _train_step(self) -> float:
        value = sum(backward_parts(self.device, self.parameters, self._part_loss, self._parts()))
        if not math.isfinite(value):
            raise Refused(f"The loss became {value} at step {self.step}: training diverged. Lower learning_rate.")
        self.optimizer.step(self._factor(self.step))
        return value

    def _parts(self) -> list[np.ndarray]:
        windows = self.windows.batch(self.step, self.spec.batch_size)
        per_part = max(1, _TOKENS_PER_PART // self.spec.context_length) if self.device.is_cpu else len(windows)
        return [windows[start : start + per_part] for start in range(0, len(windows), per_part)]

    def _part_loss(self, windows: np.ndarray) -> tuple[Tensor, float]:
        loss = self._loss(windows) * (len(windows) / self.spec.batch_size)
        return loss, float(loss.detach())

    def _loss(self, windows: np.ndarray) -> Tensor:
        """Return the mean cross entropy of windows (B, T + 1)."""
        tokens_BT = torch.from_numpy(windows).to(self.device.torch_device)
        with self.device.autocast():
            # No mask: scaled-dot-product attention then takes its fast causal path.
            hidden_BTD = self.model.model(input_ids=tokens_BT[:, :-1], use_cache=False).last_hidden_state
            logits_BTV = self.model.lm_head(hidden_BTD)
        return functional.cross_entropy(logits_BTV.float().flatten(0, 1), tokens_BT[:, 1:].flatten())

    @torch.no_grad()
    def _window_loss(self, window: np.ndarray) -> float:
        return float(self._loss(window[None]))

    def _factor(self, step: int) -> float:
        return warm_cosine(step, self.n_steps, warmup_share=self.spec.warmup_share)

    # -- looking

    def _report(self, **values: float) -> None:
        self.run.metrics(self.step, **values)

    def _report_held_out(self) -> float | None:
        value = self._held_out_loss(self.held_out)
        if value is not None:
            self._report(held_out_loss=value)
        return value

    def _held_out_loss(self, tokens: Tokens) -> float | None:
        length = self.spec.context_length
        n_windows = min((len(tokens) - 1) // length, max(1, _HELD_OUT_TOKENS // length))
        if n_windows == 0:
            return None
        windows = np.stack([tokens[i * length : (i + 1) * length + 1] for i in range(n_windows)]).astype(np.int64)
        losses = map_parts(self.device, self._window_loss, list(windows))
        return sum(losses) / n_windows

    # -- checkpoints

    def _save(self) -> None:
        self.run.save_checkpoint(self.step, self._write)

    def _write(self, folder: Path) -> None:
        self.optimizer.write(folder)
        (folder / _STEP).write_text(str(self.step), encoding="utf-8")

    def _restore(self) -> None:
        checkpoint = self.run.newest_checkpoint()
        if checkpoint is None:
            return
        self.optimizer.read(checkpoint)
        self.step = int((checkpoint / _STEP).read_text(encoding="utf-8"))
        self.run.message(f"Going on from step {self.step} of {self.n_steps}.")
