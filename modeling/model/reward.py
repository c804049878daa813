"""A reward model: a LoRA adapter and a scalar head `score` on the frozen base that the policy sits on too.

An answer's score is the head's value at its last token (the end token, or the last written one when it was cut) plus
the mean of its values over all tokens. Read at the last token alone, as is usual, the demo base learnt a
little less from 300 rankings; from the mean alone it hardly learnt a taste for short answers (docs/experiments.md).

The head is attached to the causal language model in memory, under the name that transformers gives it: plain peft loads
the saved folder onto `AutoModelForTokenClassification` with `num_labels=1`, and from its logits the score follows. So
one base in memory serves policy, reference and reward.

Attach the reward model after the policy's own adapter is made: a fresh `all-linear` adapter would adapt the head too.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from modeling.device import Device
from modeling.errors import BadInput
from modeling.model.adapter_files import read_weights
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.batching import Example, pack, pad_right, token_budget
from modeling.model.cores import map_parts
from modeling.model.logprobs import causal_lm, hidden_states
from modeling.spec import LoraSpec

HEAD = "score"
META = "reward_meta.json"


class RewardModel:
    """An adapter under a name on a shared base; `mean` and `std` are those of its scores on its training answers."""

    def __init__(self, model: PeftModel, name: str, device: Device, *, mean: float = 0.0, std: float = 1.0) -> None:
        self.model = model
        self.name = name
        self.device = device
        self.mean = mean
        self.std = std

    def scores(self, examples: Sequence[Example]) -> Tensor:
        """Return scores_B in float32 with gradients, under whatever adapter is active, from one forward pass."""
        device = self.device.torch_device
        ids_BT = pad_right([example.tokens for example in examples], device=device)
        rows = [row for row, example in enumerate(examples) for _ in example.answer]
        columns = [len(example.prompt) + i for example in examples for i in range(len(example.answer))]
        with self.device.autocast():
            hidden_BTD = hidden_states(self.model, ids_BT)
        hidden_KD = hidden_BTD[torch.tensor(rows, device=device), torch.tensor(columns, device=device)]
        scores_K: Tensor = getattr(causal_lm(self.model), HEAD)(hidden_KD.float()).squeeze(1)
        answers = scores_K.split([len(example.answer) for example in examples])
        return torch.stack([values[-1] + values.mean() for values in answers])

    @torch.no_grad()
    def score_all(self, examples: Sequence[Example]) -> Tensor:
        """Return scores_N on the CPU for any number of answers, in their order; makes its adapter the active one."""
        self.model.set_adapter(self.name, inference_mode=True)
        self.model.eval()
        groups = pack([len(example) for example in examples], max_tokens=token_budget(self.device))
        scores_N = torch.zeros(len(examples))
        found = map_parts(self.device, lambda group: self.scores([examples[i] for i in group]).cpu(), groups)
        for group, scores_B in zip(groups, found, strict=True):
            scores_N[group] = scores_B
        return scores_N

    def standardised(self, examples: Sequence[Example]) -> Tensor:
        """Return scores in units of the spread over the training answers, around their mean."""
        return (self.score_all(examples) - self.mean) / self.std


def reward_model_new(
    base: PreTrainedModel | PeftModel, lora: LoraSpec, device: Device, *, seed: int, name: str = "reward"
) -> RewardModel:
    """Return a fresh, trainable reward model that scores every answer zero."""
    _attach_head(base)
    model = new_adapter(base, lora, seed=seed, name=name, task="TOKEN_CLS", modules_to_save=(HEAD,))
    targets = model.peft_config[name].target_modules
    if isinstance(targets, set):
        targets.discard(HEAD)  # peft lists the head among "all-linear" although it trains it whole
    return RewardModel(model, name, device)


def reward_model_load(
    base: PreTrainedModel | PeftModel, path: str | Path, device: Device, *, base_sha256: str, name: str = "reward"
) -> RewardModel:
    """Load a saved reward model, frozen. Raises: BadInput when the folder has no head or does not fit the base."""
    folder = Path(path)
    if f"base_model.model.{HEAD}.weight" not in read_weights(folder):
        raise BadInput(f"{folder} is an adapter without its {HEAD!r} head, so it cannot score: train it by `reward`.")
    _attach_head(base)
    model = load_adapter(base, folder, name=name, base_sha256=base_sha256)
    meta = _read_meta(folder / META)
    return RewardModel(model, name, device, mean=meta["mean"], std=meta["std"])


def reward_model_save(reward: RewardModel, path: Path, *, base_sha256: str) -> None:
    """Write adapter, head and the figures of its scores."""
    save_adapter(reward.model, path, name=reward.name, base_sha256=base_sha256)
    meta = {"mean": reward.mean, "std": reward.std}
    (path / META).write_text(json.dumps(meta, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _attach_head(base: PreTrainedModel | PeftModel) -> None:
    causal = causal_lm(base)
    if hasattr(causal, HEAD):
        return
    width = causal.get_output_embeddings().weight.shape[1]
    head = nn.Linear(width, 1, device=causal.device)  # the bias cancels in every pair; transformers' head has one
    nn.init.zeros_(head.weight)  # every pair starts at probability one half and loss ln 2
    nn.init.zeros_(head.bias)
    head.requires_grad_(False)
    setattr(causal, HEAD, head)


def _read_meta(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {"mean": 0.0, "std": 1.0}  # made by another tool: scores are taken as they are
    meta: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return meta
