"""How far apart two adapters of one base are: in their weights, layer by layer, and in what they answer.

Shapes: O outputs, I inputs of a layer; K answer tokens of all answers in a row, V vocabulary.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import Tensor
from torch.nn import functional

from modeling.data.fitting import prompts_encode
from modeling.data.prompts import read_prompts
from modeling.device import pick_device
from modeling.errors import BadInput
from modeling.model.adapter_switching import adapter_active
from modeling.model.adapters import load_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.batching import Example, pack, token_budget
from modeling.model.logprobs import answer_states, causal_lm
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.randomness import mix_seeds
from modeling.sampling.sampler import Sampler
from modeling.spec import FileRef

FIRST, SECOND = "first", "second"


def adapters_compare(
    base: str, first: Path, second: Path, *, prompts: Path | None, max_new_tokens: int, seed: int
) -> dict[str, Any]:
    """Return norms and cosine of the updates, by layer and in all; with prompts also how far the answers are apart."""
    device, sha256 = pick_device(), base_sha256(base)
    model = load_adapter(load_base(base, device), first, name=FIRST, base_sha256=sha256)
    model = load_adapter(model, second, name=SECOND, base_sha256=sha256)
    found: dict[str, Any] = {"layers": layers_compare(model)}
    found |= _overall(found["layers"])
    for layer in found["layers"]:
        del layer["product"]
    if prompts is not None:
        sampler = Sampler(model, load_tokenizer(base), device)
        found |= answers_compare(sampler, prompts, max_new_tokens=max_new_tokens, seed=seed)
    return found


@torch.no_grad()
def layers_compare(model: PeftModel) -> list[dict[str, Any]]:
    """Return for each layer the Frobenius norms of both updates of its weights, and the cosine between them.

    A layer that only one of the adapters changes has no cosine.
    """
    rows = []
    for name, module in model.named_modules():
        if not isinstance(module, LoraLayer):
            continue
        first_OI, second_OI = (_update(module, adapter) for adapter in (FIRST, SECOND))
        norms = {"norm_first": float(first_OI.norm()), "norm_second": float(second_OI.norm())}
        product = float((first_OI * second_OI).sum())
        size = norms["norm_first"] * norms["norm_second"]
        rows.append(
            {"layer": name.removeprefix("base_model.model."), **norms, "product": product}
            | {"cosine": product / size if size else None}
        )
    return rows


def _update(layer: Any, adapter: str) -> Tensor:
    """Return what an adapter adds to a layer's weights: s B A, and for DoRA the new length of each output besides."""
    weight_OI: Tensor = layer.get_base_layer().weight
    if adapter not in layer.lora_A:
        return torch.zeros_like(weight_OI)
    variant = layer.lora_variant.get(adapter)
    if variant is None:
        delta: Tensor = layer.get_delta_weight(adapter)
        return delta
    merged: Tensor = variant.merge_safe(layer, adapter, weight_OI.clone())
    return merged - weight_OI


def _overall(layers: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    first, second = (sum(layer[norm] ** 2 for layer in layers) ** 0.5 for norm in ("norm_first", "norm_second"))
    product = sum(layer["product"] for layer in layers)
    return {
        "norm_first": first, "norm_second": second, "cosine": product / (first * second) if first * second else None,
    }  # fmt: skip


def answers_compare(sampler: Sampler, prompts: Path, *, max_new_tokens: int, seed: int) -> dict[str, Any]:
    """Return how far the answers are apart: KL in nats per token, and the share of greedy answers that differ.

    Each KL is taken on the answers of the adapter that it goes from, sampled at temperature 1.
    """
    _, ids, n_skipped = prompts_encode(
        list(read_prompts(FileRef(str(prompts)))), sampler.tokenizer, context=sampler.context_length,
        max_new_tokens=max_new_tokens,
    )  # fmt: skip
    if not ids:
        raise BadInput(f"{prompts} holds no prompts.")

    def answers(adapter: str, temperature: float) -> list[Example]:
        settings = DecodingSettings(max_new_tokens=max_new_tokens, temperature=temperature)
        with adapter_active(sampler.model, adapter):
            found = sampler.sample(ids, settings, [mix_seeds(seed, row) for row in range(len(ids))])
        pairs = zip(ids, found, strict=True)
        return [Example(prompt, tuple(completion.token_ids)) for prompt, completion in pairs]

    greedy = zip(answers(FIRST, 0.0), answers(SECOND, 0.0), strict=True)
    return {
        "kl_first_to_second_nats_per_token": _kl(sampler, answers(FIRST, 1.0), FIRST, SECOND),
        "kl_second_to_first_nats_per_token": _kl(sampler, answers(SECOND, 1.0), SECOND, FIRST),
        "greedy_differ_share": sum(one != other for one, other in greedy) / len(ids),
        "n_prompts": len(ids),
        "n_prompts_skipped": n_skipped,
    }


@torch.no_grad()
def _kl(sampler: Sampler, examples: Sequence[Example], policy: str, other: str) -> float:
    """Return sum p (log p - log q) over the vocabulary, averaged over answer tokens: exact at each place."""
    model, device = sampler.model, sampler.device
    output = causal_lm(model).get_output_embeddings()

    def logprobs(adapter: str, group: Sequence[Example]) -> Tensor:
        with adapter_active(model, adapter):
            states_KD, _ = answer_states(model, group, device)
            with device.autocast():
                logits_KV: Tensor = output(states_KD)
        return functional.log_softmax(logits_KV.float(), dim=-1)

    total, budget = 0.0, token_budget(device, causal_lm(model).config.get_text_config().vocab_size)
    for group in pack([len(example) for example in examples], max_tokens=budget):
        rows = [examples[i] for i in group]
        p_KV, q_KV = logprobs(policy, rows), logprobs(other, rows)
        total += float((p_KV.exp() * (p_KV - q_KV)).sum(dim=-1).double().sum())
    return total / sum(len(example.answer) for example in examples)
