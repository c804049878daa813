"""How many tasks a site hands out and takes back in a second, and how long each takes, as a campaign grows.

A PostgreSQL of its own with fsync on, filled by `bench.labeling_data`; the server as the supervisor starts it; sixteen
annotators who claim and submit through the API as fast as they are answered, each over one kept connection. Prints a
table; the last line is one JSON object, times as a client sees them. Label Studio did 10 such loops a second at 100,000
tasks (issue 4 names it as the peer; it is not measured here).
"""

import argparse
import functools
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.labeling_client import Connection
from bench.labeling_site import labeling_site
from config.environment import BASE_DIR
from tests.private_postgres import private_postgres

SIZES = (10_000, 100_000, 1_000_000)
N_PAGE_LOADS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seconds", type=float, default=20.0, help="measured for each size")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds before that, which do not count")
    options = parser.parse_args()
    os.environ["SECRET_KEY"] = secrets.token_urlsafe(32)  # the admin is signed in before the server starts
    log = Path(tempfile.mkdtemp(prefix="plumbline-bench-log-")) / "site.log"
    print(f"the site's log: {log}")
    print(f"{'tasks':>9} {'loops/s':>8} {'next p50':>9} {'p95':>7} {'submit p50':>11} {'p95':>7} {'page':>7}  ms")
    sizes, rows_per_s, page_ms = [], 0.0, 0.0
    for n_tasks in options.sizes:
        with private_postgres(fsync="on") as url:
            campaign = filled(url, n_tasks)
            with labeling_site(database=url, log=log) as address:
                size = measured(address, campaign, options)
                page_ms = project_page_ms(address, campaign)
                rows_per_s = one_row_writes_per_s(address, options.seconds / 4)
        sizes.append({"n_tasks": n_tasks, **size})
        print(
            f"{n_tasks:>9,} {size['loops_per_s']:>8.1f} {size['next_p50_ms']:>9.1f} {size['next_p95_ms']:>7.1f} "
            f"{size['submit_p50_ms']:>11.1f} {size['submit_p95_ms']:>7.1f} {page_ms:>7.1f}",
            flush=True,
        )
    print(json.dumps({"sizes": sizes, "one_row_writes_per_s": rows_per_s, "project_page_ms": page_ms}))


def filled(database: str, n_tasks: int) -> dict[str, Any]:
    """Fill the database; return its ids and keys."""
    command = [sys.executable, "-m", "bench.labeling_data", "--database", database, "--tasks", str(n_tasks)]
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "PLUMBLINE_HOME": home}
        done = subprocess.run(command, env=environment, cwd=BASE_DIR, capture_output=True, text=True, check=True)
    campaign: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return campaign


def measured(address: str, campaign: dict[str, Any], options: argparse.Namespace) -> dict[str, float]:
    """Let all annotators work; return the figures of the time after the warm-up."""
    next_ms: list[float] = []
    submit_ms: list[float] = []
    begun = time.perf_counter() + options.warm_up
    ended = begun + options.seconds

    def work(key: str) -> None:
        connection = Connection(address, Authorization=f"Token {key}")
        now = time.perf_counter()
        while now < ended:
            status, body = connection.send("POST", f"/api/v1/projects/{campaign['project']}/claim/")
            claimed = time.perf_counter()
            expect(status == 200, f"claim: {status} {body[:300]!r}")
            task = json.loads(body)
            ranks = {answer["letter"]: rank for rank, answer in enumerate(task["answers"], 1)}
            judgment = {"ranks": ranks, "client_key": task["client_key"], "active_s": 21.5}
            status, body = connection.send("POST", f"/api/v1/assignments/{task['assignment_id']}/judgment/", judgment)
            submitted = time.perf_counter()
            expect(status == 201, f"judgment: {status} {body[:300]!r}")
            if begun <= now and submitted <= ended:
                next_ms.append(1_000 * (claimed - now))
                submit_ms.append(1_000 * (submitted - claimed))
            now = time.perf_counter()

    at_once([functools.partial(work, key) for key in campaign["keys"]])
    figures = {"loops_per_s": round(len(next_ms) / options.seconds, 1)}
    for name, times in (("next", next_ms), ("submit", submit_ms)):
        cuts = statistics.quantiles(times, n=100)
        figures |= {f"{name}_p50_ms": round(cuts[49], 1), f"{name}_p95_ms": round(cuts[94], 1)}
    return figures


def one_row_writes_per_s(address: str, seconds: float, n_clients: int = 16) -> float:
    """Return how often a page that only writes a row is answered: the most that server and database can do."""
    counts: list[int] = []
    ended = time.perf_counter() + seconds

    def write() -> None:
        connection = Connection(address)
        n = 0
        while time.perf_counter() < ended:
            status, body = connection.send("POST", "/bench/one-row/")
            expect(status == 204, f"one row: {status} {body[:300]!r}")
            n += 1
        counts.append(n)

    at_once([write] * n_clients)
    return round(sum(counts) / seconds, 1)


def project_page_ms(address: str, campaign: dict[str, Any]) -> float:
    """Return the median time of the admin's project page, nobody else working."""
    name, value = campaign["admin_session"]
    connection = Connection(address, Cookie=f"{name}={value}")
    times = []
    for _ in range(N_PAGE_LOADS):
        begun = time.perf_counter()
        status, body = connection.send("GET", f"/projects/{campaign['project']}/")
        times.append(1_000 * (time.perf_counter() - begun))
        expect(status == 200, f"project page: {status} {body[:300]!r}")
    return round(statistics.median(times), 1)


def at_once(calls: list[Callable[[], None]]) -> None:
    """Run each call in a thread; end with the first error of any."""
    errors: list[BaseException] = []

    def run(call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - raised below, in the main thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def expect(met: bool, message: str) -> None:
    if not met:
        raise RuntimeError(message)


if __name__ == "__main__":
    main()
