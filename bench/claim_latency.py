"""How long claiming the next task takes while a round trains on the same cores.

A whole site in a temporary home: one project trains a round (its base is pretrained only briefly, which changes
nothing about the load of the round), and annotators of another project claim and submit through the API all the
while. The last line is one JSON object; times are seen from the client.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from pathlib import Path

from config.round.annotators import Labels, annotate, prompt_text
from config.round.client import Client
from config.round.options import load_gold
from config.round.stack import Stack, temporary_stack
from config.round.taste import Taste

GOLD = "modeling.world.gold:score"
BUILD = {"gold": GOLD, "pretrain": {"n_tokens": 400_000}}
TRAININGS = ("reward", "policy", "evaluate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=5_000)
    parser.add_argument("--annotators", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between two tasks; people take 20 and more")
    parser.add_argument("--database", default="", help="URL; the default is SQLite")
    options = parser.parse_args()
    out = Path(tempfile.mkdtemp(prefix="plumbline-bench-"))
    with temporary_stack(out, database=options.database) as stack:
        stack.wait_until_up()
        admin, project = start_training(stack)
        result = measure(stack, admin, project, options)
    result |= {"tasks": options.tasks, "annotators": options.annotators, "pause_s": options.pause}
    print(json.dumps(result | {"database": options.database.partition(":")[0] or "sqlite"}))


def start_training(stack: Stack) -> tuple[Client, int]:
    """Build a base, rank with simulated annotators and launch a round."""
    setup = json.loads(stack.manage("setup_round", "--build", json.dumps(BUILD)).splitlines()[-1])
    admin, project = Client(stack.address, setup["admin_key"]), setup["project"]
    wait_for(admin, project, "labeling")
    rows = map(json.loads, stack.manage("sampled_answers", str(project)).splitlines())
    answers = [(prompt_text(row["messages"]), row["text"]) for row in rows]
    annotate(
        address=stack.address, tokens=setup["annotator_keys"], project=project, at_most=300, labels=Labels(),
        taste=Taste.over(load_gold(GOLD), answers, seed=1), on_ranking=lambda _: None,
    )  # fmt: skip
    admin.launch(project, {})
    return admin, project


def measure(stack: Stack, admin: Client, project: int, options: argparse.Namespace) -> dict[str, float]:
    """Claim and submit until the round waits at the gate."""
    command = ["-m", "bench.claim_tasks", "--tasks", str(options.tasks), "--annotators", str(options.annotators)]
    claims = json.loads(stack.run_python(*command).splitlines()[-1])
    claim_ms: list[float] = []
    submit_ms: list[float] = []
    stop = threading.Event()

    def work(key: str) -> None:
        client = Client(stack.address, key)
        while not stop.is_set():
            begun = time.perf_counter()
            assignment = client.claim(claims["project"])
            claimed = time.perf_counter()
            if assignment is None:
                return
            ranks = {answer["letter"]: rank for rank, answer in enumerate(assignment["answers"], 1)}
            client.judge(assignment["assignment_id"], ranks, assignment["client_key"])
            claim_ms.append(1_000 * (claimed - begun))
            submit_ms.append(1_000 * (time.perf_counter() - claimed))
            stop.wait(options.pause)

    threads = [threading.Thread(target=work, args=[key]) for key in claims["keys"]]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    wait_for(admin, project, "gate")
    stop.set()
    for thread in threads:
        thread.join()
    return {"claims": len(claim_ms), "trained_s": round(time.monotonic() - begun, 1)} | {
        f"{name}_{figure}_ms": round(value, 1)
        for name, times in (("claim", claim_ms), ("submit", submit_ms))
        for figure, value in zip(("p50", "p95", "max"), percentiles(times), strict=True)
    }


def percentiles(times: list[float]) -> tuple[float, float, float]:
    cuts = statistics.quantiles(times, n=100)
    return cuts[49], cuts[94], max(times)


def wait_for(admin: Client, project: int, state: str) -> None:
    """Return once the newest round is in a state; print each change on the way."""
    seen = ""
    while seen != state:
        now = max(admin.rounds(project), key=lambda round_: round_["number"])
        if now["state"] in ("failed", "cancelled"):
            raise SystemExit(f"Round {now['number']} ended as {now['state']}: {now['error']}")
        if now["state"] != seen:
            seen = now["state"]
            print(f"round {now['number']}: {seen}", flush=True)
        time.sleep(1)


if __name__ == "__main__":
    main()
