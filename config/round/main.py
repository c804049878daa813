"""The life of `make round`: a site in a temporary home, the loop, the report, and nothing left behind."""

import json
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import httpx

from config.round.client import Refused
from config.round.journal import Journal
from config.round.loop import Loop, LoopFailed
from config.round.options import Options, load_gold, parse
from config.round.report import keep_evaluation, report, write
from config.round.stack import Stack, StackFailed, temporary_stack


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0 when every round was played, 130 when it was interrupted."""
    options = parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too: a shell's background job ignores it
        signal.signal(number, _interrupt)
    journal = Journal()
    journal.note(f"log, evaluation and result: {options.out}")
    try:
        with temporary_stack(options.out, database=options.database) as stack:
            result = _run(options, stack, journal)
            journal.stage("stopping")
    except KeyboardInterrupt:
        journal.note("interrupted; everything that was started has ended")
        return 130
    except (StackFailed, LoopFailed, Refused, httpx.HTTPError) as error:
        sys.stderr.write(f"{error}\nThe site's log is {options.out / 'site.log'}\n")
        return 1
    journal.close()
    sys.stdout.write(write(result, options.out) + "\n")
    return 0


def _run(options: Options, stack: Stack, journal: Journal) -> dict[str, Any]:
    journal.stage("starting")
    stack.wait_until_up()
    build = {"gold": options.gold, "seed": options.seed, **options.build}
    printed = stack.manage("setup_round", "--build", json.dumps(build), "--prompts", str(options.rankings))
    loop = Loop(options, stack, journal, json.loads(printed.splitlines()[-1]), load_gold(options.gold))
    judged = []
    try:
        loop.build()
        for number in range(1, options.rounds + 1):
            judged.append(loop.play(number))
            keep_evaluation(judged[-1], runs=stack.home / "runs", out=options.out)
    finally:
        loop.close()
    journal.close()
    return report(journal, loop.labels, judged)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - a handler's signature
    raise KeyboardInterrupt
