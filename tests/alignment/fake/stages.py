"""What each fake stage leaves behind: the right names with little in them."""

import json
from pathlib import Path

N_PROMPTS = {"ranked": 60, "pool": 40, "heldout": 20}

GOOD = {
    "win_rate": 0.75, "win_rate_low": 0.7, "win_rate_high": 0.8, "win_rate_previous": 0.6, "kl_nats": 3.0,
    "mean_tokens": 12.0, "cut_share": 0.02, "distinct_share": 0.9, "well_formed_share": 0.95, "best_of_4": 0.7,
    "sft_mean_tokens": 11.0, "sft_cut_share": 0.03, "sft_distinct_share": 0.92, "sft_well_formed_share": 0.94,
    "n_prompts": 20,
}  # fmt: skip


def write_artifacts(stage: str, spec: dict, run) -> dict:
    return _STAGES[stage](spec, run)


def prompt_rows() -> list[dict]:
    return [
        {"id": f"{split}-{n}", "messages": [{"role": "user", "content": f"{split} question {n}?"}], "split": split}
        for split, count in N_PROMPTS.items()
        for n in range(count)
    ]


def _corpus(spec: dict, run) -> dict:
    _lines(run.artifact("texts.jsonl"), [{"text": f"Text {n}."} for n in range(10)])
    dialogue = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    _lines(run.artifact("dialogues.jsonl"), [{"messages": dialogue}])
    _lines(run.artifact("prompts.jsonl"), prompt_rows())
    return {"n_prompts": len(prompt_rows())}


def _folder(name: str, **files: str):
    def write(spec: dict, run) -> dict:
        for file, content in files.items():
            (run.artifact(name) / file.replace("__", ".")).write_text(f"{content} of {json.dumps(spec)}")
        return {"reward_accuracy": 0.7}

    return write


def _online(spec: dict, run) -> dict:
    for number in range(spec["snapshots"]):
        _folder(f"snapshots/{number + 1}", **_ADAPTER)(spec, run)
    return _folder("adapter", **_ADAPTER)(spec, run)


def _evaluate(spec: dict, run) -> dict:
    assert Path(spec["policy"]).is_dir(), spec["policy"]
    assert not spec["snapshots"] or (Path(spec["snapshots"]) / "1").is_dir(), spec["snapshots"]
    _lines(run.artifact("eval.jsonl"), [{"prompt": "a"}])
    return dict(GOOD)


def _lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


_BASE = {"config__json": "{}", "model__safetensors": "weights", "tokenizer__json": "{}"}
_ADAPTER = {"adapter_config__json": "{}", "adapter_model__safetensors": "lora"}
_STAGES = {
    "corpus": _corpus,
    "tokenizer": _folder("tokenizer", tokenizer__json="{}"),
    "pretrain": _folder("base", **_BASE),
    "sft": _folder("base", **_BASE),
    "judge": _folder("reward", **_ADAPTER),
    "reward": _folder("reward", **_ADAPTER),
    "dpo": _folder("adapter", **_ADAPTER),
    "rloo": _online,
    "grpo": _online,
    "ppo": _online,
    "rft": _folder("adapter", **_ADAPTER),
    "evaluate": _evaluate,
}
