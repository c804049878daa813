"""Speed and memory of sampling, reward model, DPO and PPO on one CUDA GPU, at a size that fills it.

    make bench-gpu                                     about eight minutes at most, without a network
    python -m bench.gpu --device cpu --size tiny       tries the code where there is no GPU

A Llama with random weights, texts of one length made of random words. Beside ours stand transformers' `generate` and
trl's trainers on the same rows with the same batches, LoRA adapters and autocast; trl has no PPO any more (`make
bench-ppo` compares with the last one that had). Each part is a process of its own, so that its peak of allocated memory
is its own. Prints a table and writes it to --out; the last line is one JSON object. Without a GPU it says so.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.gpu_base import SIZES, make_base

PARTS = (
    "sampling", "sampling, generate", "reward", "reward, trl", "dpo", "dpo, trl", "dpo, trl, stored reference", "ppo",
)  # fmt: skip
UNITS = {"sampling": "tokens/s", "reward": "pairs/s", "dpo": "pairs/s", "ppo": "answers/s"}
BUDGET_S = 460.0
"""A part that would begin later is left out, and said to be."""


def main() -> None:
    options = parse_options()
    if options.device == "cuda" and not has_gpu():
        print("There is no CUDA GPU here, so nothing was measured. --device cpu --size tiny tries the code.")
        print(json.dumps({"bench": "gpu", "device": None}))
        return
    begun = time.monotonic()
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-gpu-") as folder:
        base = make_base(Path(folder), options.size or size_that_fits())
        say(lines, f"{base['n_parameters'] / 1e6:,.0f}M parameters, {base['n_tokens']} tokens a text, {device_name()}")
        say(lines, f"{'part':32} {'speed':>12} {'unit':10} {'peak memory':>12}")
        results: dict[str, Any] = {}
        for part in PARTS:
            if time.monotonic() - begun > BUDGET_S:
                say(lines, f"{part:32} left out: the time was up")
                continue
            results[part] = measured(part, Path(folder), options.device)
            say(lines, table_line(part, results[part]))
    if options.out:
        Path(options.out).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(json.dumps({"bench": "gpu", "device": device_name(), **base, **ratios(results), "parts": results}))


def measured(part: str, folder: Path, device: str) -> dict[str, Any]:
    """Run one part in a process of its own; a part that fails is a line of the table, not the end of the others."""
    command = [sys.executable, "-m", "bench.gpu_parts", part, str(folder), "--device", device]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def ratios(results: dict[str, Any]) -> dict[str, float]:
    """Return ours over the better peer, and our memory over that peer's."""
    found = {}
    for part in UNITS:
        peers = [result for name, result in results.items() if name.startswith(f"{part}, ") and "error" not in result]
        ours = results.get(part, {"error": ""})
        if peers and "error" not in ours:
            best = max(peers, key=lambda peer: float(peer["per_s"]))
            found[f"{part}_speed_ratio"] = round(ours["per_s"] / best["per_s"], 2)
            if best["peak_bytes"]:
                found[f"{part}_memory_ratio"] = round(ours["peak_bytes"] / best["peak_bytes"], 2)
    return found


def table_line(part: str, result: dict[str, Any]) -> str:
    if "error" in result:
        return f"{part:32} failed: {result['error']}"
    unit = UNITS[part.split(",", maxsplit=1)[0]]
    return f"{part:32} {result['per_s']:>12,.1f} {unit:10} {result['peak_bytes'] / 2**30:>8.2f} GiB"


def say(lines: list[str], line: str) -> None:
    lines.append(line)
    print(line, flush=True)


def has_gpu() -> bool:
    import torch  # noqa: PLC0415 - help and the line without a GPU need none of it

    return torch.cuda.is_available()


def size_that_fits() -> str:
    """Return the largest size whose PPO fits: float32 weights, activations of a pass, logits, optimizer of adapters."""
    import torch  # noqa: PLC0415

    gib = torch.cuda.get_device_properties(0).total_memory / 2**30
    return next(name for name, size in reversed(SIZES.items()) if size.gib <= gib)


def device_name() -> str:
    import torch  # noqa: PLC0415

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--size", choices=tuple(SIZES), help="the default is the largest that fits")
    parser.add_argument("--out", help="write the table here, too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
