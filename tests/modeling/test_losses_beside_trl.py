"""Our losses of whole batches beside those of trl's trainers, on the same tokens, policy and reference."""

import pytest
import torch
from datasets import Dataset
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

from modeling.model.adapters import new_adapter
from modeling.model.base import load_base
from modeling.model.batching import Example
from modeling.spec import DPOSpec, KTOSpec, LoraSpec
from modeling.training import dpo
from modeling.training.comparisons import Comparison, Pair
from modeling.training.kto import Judged, VerdictObjective, batch_of
from modeling.training.offline_policy import OfflinePolicy
from tests.modeling.conftest import fill

LORA = LoraSpec(rank=2, alpha=2)
PAIRS = [
    (Example((1, 2, 3), (4, 5, 6)), Example((1, 2, 3), (7, 8))),
    (Example((9,), (10, 11)), Example((9,), (12, 13, 14, 15))),
    (Example((16, 17), (18,)), Example((16, 17), (19, 20))),
]
BETA, SMOOTHING = 0.2, 0.15


class PlainDPOTrainer(DPOTrainer):
    """Takes rows of tokens, and what the reference makes of them, as they are."""

    def _prepare_dataset(self, dataset, *_args, **_kwargs):
        return dataset

    def _precompute_ref_logps(self, dataset, *_args, **_kwargs):
        return dataset


@pytest.fixture
def model(loud_base, cpu):
    """A base with an adapter that has moved away from it."""
    adapted = new_adapter(load_base(loud_base, cpu), LORA, seed=3)
    fill(adapted, 3)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.mul_(0.4)
    return adapted


def our_policy(spec, model, loud_base, cpu, examples):
    """Ours, with the same adapter put in place after the reference was taken."""
    policy = OfflinePolicy(spec, load_base(loud_base, cpu), cpu, base_sha256="")
    policy.reference_compute(examples)
    policy.model.load_state_dict(model.state_dict())
    return policy


def summed(objective, batch):
    return float(sum(objective.part_loss(part)[0] for part in objective.parts(batch)))


@pytest.mark.parametrize("loss", ["sigmoid", "robust", "hinge", "ipo", "apo_zero", "apo_down"])
def test_pair_losses_are_trls(model, loud_base, tokenizer, cpu, tmp_path, loss):
    smoothing = SMOOTHING if loss == "robust" else 0.0  # trl's other losses ignore it
    spec = DPOSpec(base=str(loud_base), preferences=(), lora=LORA, loss=loss, beta=BETA)
    policy = our_policy(spec, model, loud_base, cpu, [example for pair in PAIRS for example in pair])
    batch = [Comparison(str(i), list(pair), [Pair(0, 1)]) for i, pair in enumerate(PAIRS)]
    rows = [
        {
            "prompt_ids": list(good.prompt),
            "chosen_ids": list(good.answer),
            "rejected_ids": list(bad.answer),
            "ref_chosen_logps": policy.reference[good],
            "ref_rejected_logps": policy.reference[bad],
        }
        for good, bad in PAIRS
    ]
    trainer = PlainDPOTrainer(
        model=model, train_dataset=Dataset.from_list(rows), processing_class=tokenizer,
        args=DPOConfig(
            output_dir=str(tmp_path), beta=BETA, loss_type=[loss], label_smoothing=smoothing, use_cpu=True, bf16=False,
            per_device_train_batch_size=len(rows), activation_checkpointing=False, report_to="none", max_length=None,
            precompute_ref_log_probs=True,
        ),
    )  # fmt: skip
    theirs = float(trainer.compute_loss(trainer.model, trainer.data_collator(rows)))
    ours = summed(dpo.PairObjective(spec, policy, smoothing=smoothing), batch)
    assert ours == pytest.approx(theirs, rel=1e-4)
    good = [pair[0] for pair in PAIRS]
    assert policy.logprobs(good).tolist() != pytest.approx(policy.reference_logprobs(good).tolist(), abs=0.1)


def test_ktos_loss_is_trls(model, loud_base, tokenizer, cpu, tmp_path):
    rows = [Judged(pair[i % 2], i % 2 == 0, 1.0) for i, pair in enumerate(PAIRS)]
    spec = KTOSpec(base=str(loud_base), verdicts=(), lora=LORA, beta=BETA)
    batch = batch_of(rows, context=128)
    policy = our_policy(spec, model, loud_base, cpu, [row.example for row in rows] + batch.mismatched)
    ours = summed(VerdictObjective(spec, policy), batch)

    def stacked(examples):
        width = max(map(len, examples))
        ids = torch.tensor([[*example.tokens, *[0] * (width - len(example))] for example in examples])
        mask = torch.tensor([[1] * len(example) + [0] * (width - len(example)) for example in examples])
        answer = mask * (torch.arange(width) >= torch.tensor([[len(example.prompt)] for example in examples]))
        return ids, mask, answer

    examples = [row.example for row in rows]
    names = ("input_ids", "attention_mask", "completion_mask")
    inputs = dict(zip(names, stacked(examples), strict=True))
    inputs |= {f"KL_{name}": value for name, value in zip(names, stacked(batch.mismatched), strict=True)}
    inputs["ref_logps"] = policy.reference_logprobs(examples).float()
    inputs["ref_KL_logps"] = policy.reference_logprobs(batch.mismatched).float()
    inputs["label"] = torch.tensor([row.good for row in rows])
    said = [{"prompt": "a", "completion": "b", "label": row.good} for row in rows]
    trainer = KTOTrainer(
        model=model, train_dataset=Dataset.from_list(said), processing_class=tokenizer,
        args=KTOConfig(
            output_dir=str(tmp_path), beta=BETA, use_cpu=True, bf16=False, per_device_train_batch_size=len(rows),
            activation_checkpointing=False, report_to="none", precompute_ref_log_probs=True,
        ),
    )  # fmt: skip
    assert ours == pytest.approx(float(trainer.compute_loss(trainer.model, inputs)), rel=1e-4)
    assert policy.logprobs(examples).tolist() != pytest.approx(policy.reference_logprobs(examples).tolist(), abs=0.1)
