"""Stage `evaluate`: is the policy better than the SFT base and than the last deployed policy, and at what price.

Samples every side with the same decoding, lets the judge score, measures the KL to the SFT base on the policy's own
answers, and writes `eval.jsonl`. The figures are computed from the rows of that file alone
(`modeling/evaluation/figures.py`), so `python -m modeling.evaluation.recompute eval.jsonl` prints the same ones.

A checkpoint is the rows so far and the number of finished parts; a resumed run ends in the same bytes.
"""

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modeling.data.fitting import context_length, prompts_encode
from modeling.data.prompts import Prompt, read_prompts
from modeling.device import Device, pick_device
from modeling.errors import BadInput, Stopped
from modeling.evaluation.figures import Row, evaluation_figures
from modeling.evaluation.judges import GoldJudge, Judge, RewardJudge, gold_function
from modeling.evaluation.parts import POLICY, PREVIOUS, Part, parts_plan
from modeling.evaluation.sides import Answers, Sides
from modeling.model.adapter_switching import adapter_active
from modeling.model.adapters import load_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.logprobs import causal_lm, sequence_logprobs
from modeling.model.reward import RewardModel, reward_model_load
from modeling.rundir import RunDir
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.sampler import OnProgress, Sampler
from modeling.spec import EvaluateSpec

REWARD, JUDGE = "reward", "judge"
STATE = "evaluation.json"
N_SHOWN = 3
"""Prompts whose answers are shown side by side to the person who watches."""


def run(spec: EvaluateSpec, run: RunDir) -> dict[str, Any]:
    """Compare, write `eval.jsonl` and return the figures. Raises: BadInput, Stopped."""
    device, tokenizer = pick_device(), load_tokenizer(spec.base)
    prompts = _choose_prompts(list(read_prompts(spec.prompts)), spec)
    evaluation = Evaluation(spec, run, device)
    prompts, prompt_ids, n_skipped = prompts_encode(
        prompts, tokenizer, context=context_length(causal_lm(evaluation.model)), max_new_tokens=spec.max_new_tokens
    )
    if n_skipped:
        run.message(f"Skipped {n_skipped} prompts that leave no room for an answer.")
    sampler = Sampler(evaluation.model, tokenizer, device)
    settings = DecodingSettings(max_new_tokens=spec.max_new_tokens)
    rows = evaluation.rows(Sides(evaluation.model, sampler, prompts, prompt_ids, settings, seed=spec.seed))
    with run.artifact("eval.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    for row in rows[:N_SHOWN]:
        question = row["messages"][-1]["content"]
        run.message(f"{question!r}: SFT {row['sft'][0]['text']!r}, policy {row['policy'][0]['text']!r}")
    figures = evaluation_figures(rows, n_bootstrap=spec.n_bootstrap)
    return {"judge": spec.gold or "held-out reward model", "n_prompts_skipped": n_skipped} | figures


class Evaluation:
    """Every model of one evaluation as adapters on one base."""

    def __init__(self, spec: EvaluateSpec, run: RunDir, device: Device) -> None:
        self.spec, self.run, self.device = spec, run, device
        self.saved_at = time.monotonic()
        base, sha256 = load_base(spec.base, device), base_sha256(spec.base)
        self.model = load_adapter(base, spec.policy, name=POLICY, base_sha256=sha256)
        if spec.previous:
            load_adapter(self.model, spec.previous, name=PREVIOUS, base_sha256=sha256)
        self.reward: RewardModel | None = None
        if spec.reward:
            self.reward = reward_model_load(self.model, spec.reward, device, base_sha256=sha256, name=REWARD)
        self.judge: Judge
        if spec.gold:
            self.judge = GoldJudge(gold_function(spec.gold))
        else:
            self.judge = RewardJudge(reward_model_load(self.model, spec.judge, device, base_sha256=sha256, name=JUDGE))

    def rows(self, sides: Sides) -> list[Row]:
        """Sample and score all sides and return one row per prompt. Raises: Stopped."""
        parts = parts_plan(self.spec, len(sides.prompts))
        n_finished, rows = self._resume(sides.prompts)
        for number in range(n_finished, len(parts)):
            part = parts[number]
            due = number > n_finished and time.monotonic() - self.saved_at >= self.spec.checkpoint_every_s
            if due or self.run.should_stop:
                self._checkpoint(number, rows)
            answers = sides.sample(part, on_progress=self._progress(parts, number, rows))
            for position, records in zip(part.prompts, self._records(part.side, answers), strict=True):
                rows[position][part.side] = records[0] if part.side == "plain" else records
        return rows

    def _records(self, side: str, answers: Answers) -> list[list[dict[str, Any]]]:
        columns: dict[str, list[float]] = {"score": self.judge.scores(answers.prompts, answers.texts, answers.examples)}
        if side == "policy":
            columns["log_ratio"] = self._log_ratios(answers)
        if side == "sft" and self.reward:
            columns["reward"] = [float(score) for score in self.reward.standardised(answers.examples)]
        return answers.records(**columns)

    def _log_ratios(self, answers: Answers) -> list[float]:
        """Return log policy - log SFT of each of the policy's own answers, end token included."""
        with adapter_active(self.model, POLICY):
            policy_N = sequence_logprobs(self.model, answers.examples, self.device)
        with adapter_active(self.model, None):
            sft_N = sequence_logprobs(self.model, answers.examples, self.device)
        return [float(value) for value in policy_N - sft_N]

    def _progress(self, parts: Sequence[Part], number: int, rows: Sequence[Row]) -> OnProgress:
        total, done = (sum(part.n_answers for part in some) for some in (parts, parts[:number]))

        def report(n_more: int, _of: int) -> None:
            self.run.progress(done + n_more, total, unit="answers")
            if self.run.should_stop:
                self._checkpoint(number, rows)

        return report

    def _checkpoint(self, n_finished: int, rows: Sequence[Row]) -> None:
        """Keep the finished parts, and end there if the run was asked to stop: an unfinished part is drawn again."""

        def write(folder: Path) -> None:
            state = {"n_finished": n_finished, "rows": list(rows)}
            (folder / STATE).write_text(json.dumps(state), encoding="utf-8")

        self.run.save_checkpoint(n_finished, write)
        self.saved_at = time.monotonic()
        if self.run.should_stop:
            raise Stopped(f"Stopped after part {n_finished}; the next attempt goes on from there.")

    def _resume(self, prompts: Sequence[Prompt]) -> tuple[int, list[Row]]:
        folder = self.run.newest_checkpoint()
        if folder is None:
            return 0, [{"prompt_id": prompt.id, "messages": list(prompt.messages)} for prompt in prompts]
        self.run.message(f"Going on from {folder.name}.")
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return state["n_finished"], state["rows"]


def _choose_prompts(prompts: list[Prompt], spec: EvaluateSpec) -> list[Prompt]:
    """Return `n_prompts` of the prompts in a seeded order. Raises: BadInput when none are left unseen by training."""
    if not prompts:
        raise BadInput(f"{spec.prompts.path} holds no prompts: evaluation needs at least one.")
    if any(prompt.split in ("ranked", "pool") for prompt in prompts):
        raise BadInput(f"{spec.prompts.path} has prompts that are not held out: training may have seen them.")
    random.Random(f"evaluate-{spec.seed}-prompts").shuffle(prompts)  # noqa: S311 - a seeded shuffle, not a secret
    return prompts[: spec.n_prompts]
