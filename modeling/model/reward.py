"""A reward model: a LoRA adapter and a head `score` on the frozen base that the policy sits on too.

An answer's score is the head's value at its last token (the end token, or the last written one when it was cut) plus
the mean of its values over all tokens. Read at the last token alone, as is usual, the demo base learnt a
little less from 300 rankings; from the mean alone it hardly learnt a taste for short answers (docs/experiments.md).
Where several things were judged the head has one output for each, and the score is their weighted sum.

The head is attached to the causal language model in memory, under the name that transformers gives it: plain peft loads
the saved folder onto `AutoModelForTokenClassification` with as many labels, and from its logits the score follows. So
one base in memory serves policy, reference and reward.

An ensemble is several such adapters. Its score is the mean of the members' standardised scores, and where they disagree
it knows little: a policy that optimises the mean less some standard deviations gains nothing from the guesses of one.
Source: Coste et al., 2024 (https://arxiv.org/abs/2310.02743).

Attach the reward model after the policy's own adapter is made: a fresh `all-linear` adapter would adapt the head too.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn
from transformers import PreTrainedModel

from modeling.device import Device
from modeling.errors import BadInput
from modeling.model.adapter_files import read_weights
from modeling.model.adapter_switching import adapter_active
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.batching import Example, pack, pad_right, token_budget
from modeling.model.cores import map_parts
from modeling.model.logprobs import causal_lm, hidden_states
from modeling.spec import LoraSpec

HEAD = "score"
META = "reward_meta.json"
OVERALL: Mapping[str, float] = {"": 1.0}
"""The weights by dimension of a model of whole answers."""
MAX_MEMBERS = 16


class RewardModel:
    """An adapter under a name on a shared base; `mean` and `std` are those of its scores on its training answers.

    `further` are the other members of an ensemble; alone, a model agrees with itself.
    """

    def __init__(
        self,
        model: PeftModel,
        name: str,
        device: Device,
        *,
        mean: float = 0.0,
        std: float = 1.0,
        dimensions: Mapping[str, float] = OVERALL,
        further: Sequence["RewardModel"] = (),
    ) -> None:
        self.model = model
        self.name = name
        self.device = device
        self.mean = mean
        self.std = std
        self.dimensions = dict(dimensions)
        self.further = tuple(further)

    @property
    def members(self) -> tuple["RewardModel", ...]:
        """All members of the ensemble, this one first."""
        return (self, *self.further)

    def scores(self, examples: Sequence[Example]) -> Tensor:
        """Return scores_B in float32 with gradients, under whatever adapter is active, from one forward pass."""
        weights_H = torch.tensor(list(self.dimensions.values()), device=self.device.torch_device)
        return (self.dimension_scores(examples) * weights_H).sum(dim=1)

    def dimension_scores(self, examples: Sequence[Example]) -> Tensor:
        """Return scores_BH likewise, a column for each of `dimensions` in their order."""
        device = self.device.torch_device
        ids_BT = pad_right([example.tokens for example in examples], device=device)
        rows = [row for row, example in enumerate(examples) for _ in example.answer]
        columns = [len(example.prompt) + i for example in examples for i in range(len(example.answer))]
        with self.device.autocast():
            hidden_BTD = hidden_states(self.model, ids_BT)
        hidden_KD = hidden_BTD[torch.tensor(rows, device=device), torch.tensor(columns, device=device)]
        values_KH: Tensor = getattr(causal_lm(self.model), HEAD)(hidden_KD.float())
        answers = values_KH.split([len(example.answer) for example in examples])
        return torch.stack([values_AH[-1] + values_AH.mean(dim=0) for values_AH in answers])

    @torch.no_grad()
    def values(self, hidden_KD: Tensor) -> Tensor:
        """Return values_K of hidden states under this model's head, in units of the spread of whole answers' scores."""
        weights_H = torch.tensor(list(self.dimensions.values()), device=hidden_KD.device)
        with adapter_active(self.model, self.name):
            values_KH: Tensor = getattr(causal_lm(self.model), HEAD)(hidden_KD)
        return (values_KH * weights_H).sum(dim=1) / self.std

    @torch.no_grad()
    def score_all(self, examples: Sequence[Example]) -> Tensor:
        """Return this member's scores_N on the CPU for any number of answers, in order; makes its adapter active."""
        self.model.set_adapter(self.name, inference_mode=True)
        self.model.eval()
        groups = pack([len(example) for example in examples], max_tokens=token_budget(self.device))
        scores_N = torch.zeros(len(examples))
        found = map_parts(self.device, lambda group: self.scores([examples[i] for i in group]).cpu(), groups)
        for group, scores_B in zip(groups, found, strict=True):
            scores_N[group] = scores_B
        return scores_N

    def standardised(self, examples: Sequence[Example]) -> Tensor:
        """Return scores in units of the spread over the training answers, around their mean; the members' mean."""
        return self.standardised_by_member(examples).mean(dim=0)

    def disagreement(self, examples: Sequence[Example]) -> Tensor:
        """Return the standard deviation of the members' standardised scores of each answer; 0 for a single model."""
        return self.standardised_by_member(examples).std(dim=0, correction=0)

    def lower_bound(self, examples: Sequence[Example], *, n_std: float) -> Tensor:
        """Return the members' mean less `n_std` of their standard deviations, in standardised units."""
        scores_MN = self.standardised_by_member(examples)
        return scores_MN.mean(dim=0) - n_std * scores_MN.std(dim=0, correction=0)

    def standardised_by_member(self, examples: Sequence[Example]) -> Tensor:
        """Return standardised scores_MN, a row for each member."""
        return torch.stack([(member.score_all(examples) - member.mean) / member.std for member in self.members])


def reward_model_new(
    base: PreTrainedModel | PeftModel,
    lora: LoraSpec,
    device: Device,
    *,
    seed: int,
    name: str = "reward",
    dimensions: Mapping[str, float] = OVERALL,
) -> RewardModel:
    """Return a fresh, trainable reward model that scores every answer zero."""
    _attach_head(base, n_outputs=len(dimensions))
    model = new_adapter(base, lora, seed=seed, name=name, task="TOKEN_CLS", modules_to_save=(HEAD,))
    targets = model.peft_config[name].target_modules
    if isinstance(targets, set):
        targets.discard(HEAD)  # peft lists the head among "all-linear" although it trains it whole
    return RewardModel(model, name, device, dimensions=dimensions)


def reward_model_load(
    base: PreTrainedModel | PeftModel, path: str | Path, device: Device, *, base_sha256: str, name: str = "reward"
) -> RewardModel:
    """Load a saved reward model, frozen, with all members if it is an ensemble.

    `standardised` of what is returned is the score to optimise, `lower_bound` the careful one of an ensemble.
    Raises: BadInput when a folder has no head, does not fit the base or says what cannot be.
    """
    folder = Path(path)
    meta = _read_meta(folder / META)
    first = _load_member(base, folder, device, meta, base_sha256=base_sha256, name=name)
    first.further = tuple(
        _load_member(
            first.model, folder / _member(number), device, _read_meta(folder / _member(number) / META),
            base_sha256=base_sha256, name=f"{name}-{number}",
        )
        for number in range(2, meta["n_models"] + 1)
    )  # fmt: skip
    return first


def reward_model_save(reward: RewardModel, path: Path, *, base_sha256: str) -> None:
    """Write adapter, head and the figures of its scores; an ensemble's other members go into folders inside."""
    for number, member in enumerate(reward.members, start=1):
        folder = path if number == 1 else path / _member(number)
        save_adapter(member.model, folder, name=member.name, base_sha256=base_sha256)
        meta: dict[str, Any] = {"mean": member.mean, "std": member.std}
        if member.dimensions != OVERALL:
            meta["dimensions"] = [[name, weight] for name, weight in member.dimensions.items()]
        if member.further:
            meta["n_models"] = len(member.members)
        (folder / META).write_text(json.dumps(meta, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _load_member(
    base: PreTrainedModel | PeftModel,
    folder: Path,
    device: Device,
    meta: dict[str, Any],
    *,
    base_sha256: str,
    name: str,
) -> RewardModel:
    head = read_weights(folder).get(f"base_model.model.{HEAD}.weight")
    if head is None:
        raise BadInput(f"{folder} is an adapter without its {HEAD!r} head, so it cannot score: train it by `reward`.")
    if len(head) != len(meta["dimensions"]):
        raise BadInput(f"{folder}: the head has {len(head)} outputs, and {META} names {len(meta['dimensions'])}.")
    _attach_head(base, n_outputs=len(head))
    model = load_adapter(base, folder, name=name, base_sha256=base_sha256)
    return RewardModel(model, name, device, mean=meta["mean"], std=meta["std"], dimensions=meta["dimensions"])


def _member(number: int) -> str:
    return f"member-{number}"


def _attach_head(base: PreTrainedModel | PeftModel, *, n_outputs: int) -> None:
    """Give the base a zero head for the next adapter to take a copy of; heads of earlier adapters stay theirs."""
    causal = causal_lm(base)
    width = causal.get_output_embeddings().weight.shape[1]
    head = nn.Linear(width, n_outputs, device=causal.device)  # the bias cancels in every pair; transformers' has one
    nn.init.zeros_(head.weight)  # every pair starts at probability one half and loss ln 2
    nn.init.zeros_(head.bias)
    head.requires_grad_(False)
    present = getattr(causal, HEAD, None)
    if isinstance(present, ModulesToSaveWrapper):
        present.original_module = head
    else:
        setattr(causal, HEAD, head)


def _read_meta(file: Path) -> dict[str, Any]:
    """Return mean, std, dimensions and number of models; of a folder by another tool, scores are taken as they are."""
    try:
        given: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        meta: dict[str, Any] = {
            "mean": float(given.get("mean", 0.0)),
            "std": float(given.get("std", 1.0)),
            "dimensions": {str(name): float(weight) for name, weight in given.get("dimensions", OVERALL.items())},
            "n_models": int(given.get("n_models", 1)),
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(f"{file} cannot be read: {error}. Copy the folder again as `reward` wrote it.") from error
    numbers = (meta["mean"], meta["std"], *meta["dimensions"].values())
    if not all(map(math.isfinite, numbers)) or meta["std"] <= 0 or not 1 <= meta["n_models"] <= MAX_MEMBERS:
        raise BadInput(f"{file} holds impossible numbers. Copy the folder again as `reward` wrote it.")
    return meta
