"""How long the next task takes to be painted after a submit, in Chromium, against a whole site in a temporary home.

One person ranks task after task with the keyboard alone. A time runs from the press of Enter, as the browser's own
clock stamped it, to the first frame in which the next task stands. Prints a table; the last line is one JSON object.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from config.round.stack import temporary_stack

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"]
WATCH = """
(() => {
  const times = (window.paintedMs = []);
  const shown = () => document.querySelector("#ranking [name=assignment]")?.value;
  let pressed = null;
  addEventListener("keydown", (event) => {
    if (event.key === "Enter") pressed = { at: event.timeStamp, task: shown() };
  }, true);
  new MutationObserver(() => {
    if (!pressed || shown() === pressed.task) return;
    const { at } = pressed;
    pressed = null;
    // A frame is painted after its callbacks: a message from the last of them comes once it is.
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => times.push(performance.now() - at);
      port2.postMessage(null);
    });
  }).observe(document, { childList: true, subtree: true });
})();
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument(
        "--pause", type=float, default=1.0, help="seconds of looking at a task; people take 20 and more"
    )
    parser.add_argument("--database", default="", help="URL; the default is SQLite")
    options = parser.parse_args()
    out = Path(tempfile.mkdtemp(prefix="plumbline-bench-"))
    with temporary_stack(out, database=options.database) as stack, sync_playwright() as playwright:
        stack.wait_until_up()
        # one more than is ranked, so that there always is a next one
        made = json.loads(
            stack.run_python(
                "-m", "bench.claim_tasks", "--tasks", str(options.tasks + 1), "--annotators", "1", "--sessions"
            ).splitlines()[-1]
        )
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        name, value = made["sessions"][0]
        context.add_cookies([{"name": name, "value": value, "url": stack.address}])
        page = context.new_page()
        page.goto(f"{stack.address}/projects/{made['project']}/label/")
        page.click('text="Start"')
        painted_ms = rank_in_a_row(page, n_tasks=options.tasks, pause_s=options.pause)
        browser.close()
    report(painted_ms, options)


def rank_in_a_row(page: Page, *, n_tasks: int, pause_s: float) -> list[float]:
    """Rank by keyboard, beginning with the task on the screen; return the milliseconds from each Enter to the next."""
    page.wait_for_selector("#ranking")
    page.evaluate(WATCH)
    for n_done in range(n_tasks):
        before = page.input_value("[name=assignment]")
        time.sleep(pause_s)
        for number in range(1, page.locator(".answer").count() + 1):
            page.keyboard.press(str(number))
        page.keyboard.press("Enter")
        page.wait_for_function(
            "([task, n]) => document.querySelector('[name=assignment]')?.value !== task && paintedMs.length > n",
            arg=[before, n_done],
        )
    return [float(value) for value in page.evaluate("paintedMs")]


def percentile(times: list[float], percent: int) -> float:
    """Return the value under which `percent` of the times lie."""
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


def report(painted_ms: list[float], options: argparse.Namespace) -> None:
    result = {
        "n_tasks": len(painted_ms),
        "painted_p50_ms": round(percentile(painted_ms, 50), 1),
        "painted_p95_ms": round(percentile(painted_ms, 95), 1),
        "painted_max_ms": round(max(painted_ms), 1),
        "pause_s": options.pause,
        "database": options.database.partition(":")[0] or "sqlite",
    }
    for name, value in result.items():
        print(f"{name:>16}  {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
