"""The last line: one JSON object whose figures all come from the site's own evaluation and runs."""

import json
import shutil
from pathlib import Path
from typing import Any

from config.round.annotators import Labels
from config.round.journal import Journal

FIGURES = (
    "n_prompts", "win_rate", "win_rate_low", "win_rate_high", "win_rate_previous", "kl_nats", "mean_tokens",
    "cut_share", "distinct_share", "well_formed_share", "best_of_4", "oracle_share",
)  # fmt: skip


def round_figures(number: int, judged: dict[str, Any]) -> dict[str, Any]:
    """Return a round's line of the report; a figure that the judge cannot give is null."""
    metrics = judged["evaluation"]["metrics"]
    figures = {name: _short(metrics.get(name)) for name in FIGURES}
    twins = {
        name: _short(value)
        for name, value in metrics.items()
        if name.removeprefix("sft_") in FIGURES and name[:4] == "sft_"
    }
    return {"round": number, **figures, **twins}


def reward_accuracy(judged: dict[str, Any]) -> float | None:
    """Return the held-out accuracy of the round's reward model."""
    reward = next(run for run in judged["runs"] if run["purpose"] == "reward")
    accuracy: float | None = reward["metrics"].get("reward_accuracy")
    return _short(accuracy)


def report(journal: Journal, labels: Labels, judged: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the whole object; `reward_accuracy` is the last round's."""
    return {
        "total_s": round(journal.total_s, 1),
        "stages_s": {name: round(seconds, 1) for name, seconds in journal.stages_s.items()},
        "rankings": labels.rankings,
        "label_accuracy": _short(labels.accuracy),
        "reward_accuracy": reward_accuracy(judged[-1]),
        "rounds": [round_figures(round_["number"], round_) for round_ in judged],
    }


def keep_evaluation(judged: dict[str, Any], *, runs: Path, out: Path) -> None:
    """Copy the judged prompts, with both answers and both scores, out of the temporary home.

    `eval.jsonl` is the newest round's; earlier ones keep their number.
    """
    run = next(run for run in judged["runs"] if run["purpose"] == "evaluate")
    found = runs / str(run["id"]) / str(run["attempt"]) / "artifacts" / "eval.jsonl"
    shutil.copyfile(found, out / f"eval-round-{judged['number']}.jsonl")
    shutil.copyfile(found, out / "eval.jsonl")


def write(result: dict[str, Any], out: Path) -> str:
    """Keep the object beside the evaluation and return its line."""
    line = json.dumps(result)
    (out / "result.json").write_text(line + "\n", encoding="utf-8")
    return line


def _short(value: float | None) -> float | None:
    return round(value, 4) if isinstance(value, float) else value
