"""Our side of `bench/ppo.py`: one training in a process of its own. Prints one JSON object."""

import json
import sys
import time
from pathlib import Path

from bench.ppo_memory import PeakMemory
from modeling.device import seed_everything
from modeling.rundir import RunDir
from modeling.spec import PPOSpec
from modeling.training import ppo


def main() -> None:
    task = json.loads(sys.argv[1])
    spec = PPOSpec.from_json({
        "base": task["base"], "reward": task["reward"], "prompts": {"path": task["prompts"]}, "seed": task["seed"],
        "n_steps": task["n_updates"], "kl_target_nats": task["kl_target_nats"],
    })  # fmt: skip
    memory = PeakMemory()
    begun = time.monotonic()
    seed_everything(spec.seed)
    run = RunDir(Path(task["out"]))
    ppo.run(spec, run)
    seconds = time.monotonic() - begun
    n_samples = spec.n_steps * spec.prompts_per_step * spec.samples_per_prompt
    found = {"samples_per_s": n_samples / seconds, "memory_mb": memory.megabytes(), "seconds": seconds}
    print(json.dumps(found | {"adapter": str(run.artifact("adapter"))}))


if __name__ == "__main__":
    main()
