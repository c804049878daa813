"""The loop as a client sees it: wait for tasks, have them ranked, launch, wait for the gate, deploy, and again."""

import json
import time
from collections.abc import Callable
from typing import Any

from config.round.annotators import Labels, annotate, prompt_text
from config.round.client import Client
from config.round.journal import Journal
from config.round.options import Gold, Options
from config.round.stack import Stack
from config.round.taste import Taste

_LOOK_S = 0.5
"""Two looks a second cost the site nothing and err by a quarter of a second a stage."""
_OVERRIDE = "make round goes on to the next round whatever the gate says, so that every round is measured."

ENDED_EARLY = {"failed", "cancelled", "rejected"}
_OWN_STAGE = {"sampling": "sampling", "snapshot": "snapshot", "labeling": "labeling"}


class LoopFailed(Exception):  # noqa: N818 - reads as what happened
    """A round ended without a policy or waits for a person; the message says which and why."""


class Loop:
    """One project's rounds, driven by an admin's key and the annotators' keys."""

    def __init__(self, options: Options, stack: Stack, journal: Journal, setup: dict[str, Any], gold: Gold) -> None:
        self.labels = Labels()
        self._options = options
        self._stack = stack
        self._journal = journal
        self._project: int = setup["project"]
        self._annotator_keys: list[str] = setup["annotator_keys"]
        self._admin = Client(stack.address, setup["admin_key"])
        self._gold = gold
        self._newest = -1

    def build(self) -> None:
        """Wait until the base is built and deployed. Raises: LoopFailed."""
        self._wait(0, lambda round_: round_["state"] == "deployed")

    def play(self, number: int) -> dict[str, Any]:
        """Take one round from its first task to the next round's tasks and return it as the API tells it."""
        self._wait(number, lambda round_: round_["state"] == "labeling")
        self._rank(number)
        self._journal.stage("snapshot")
        self._admin.launch(self._project, {"seed": self._options.seed, **self._options.recipe})
        judged = self._wait(number, lambda round_: round_["state"] == "gate")
        self._decide(number, judged)
        self._journal.stage("deploying")
        self._wait(number, lambda round_: round_["state"] == "deployed")
        self._wait(number + 1, lambda round_: round_["state"] == "labeling")
        return judged

    def close(self) -> None:
        self._admin.close()

    def _rank(self, number: int) -> None:
        self._journal.stage("labeling")
        printed = self._stack.manage("sampled_answers", str(self._project))
        rows = [json.loads(line) for line in printed.splitlines()]
        answers = [(prompt_text(row["messages"]), row["text"]) for row in rows]
        made = annotate(
            address=self._stack.address, tokens=self._annotator_keys, project=self._project,
            taste=Taste.over(self._gold, answers, seed=self._options.seed * 1_000 + number),
            at_most=self._options.rankings, labels=self.labels,
            on_ranking=lambda done: self._journal.progress(done, self._options.rankings, "rankings"),
        )  # fmt: skip
        self._journal.note(f"round {number}: {made} rankings of {len(answers)} answers")

    def _decide(self, number: int, judged: dict[str, Any]) -> None:
        evaluation = judged["evaluation"]
        reason = ""
        if not evaluation["passed"]:
            reason = _OVERRIDE
            self._journal.note(f"round {number}: deployed against the gate: {' '.join(evaluation['reasons'])}")
        self._admin.deploy(self._project, number, reason)

    def _wait(self, number: int, ready: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            round_ = self._find(number)
            if round_ is not None:
                if ready(round_):
                    return round_
                if round_["state"] in ENDED_EARLY:
                    raise LoopFailed(f"Round {number} ended as {round_['state']}: {round_['error']}")
                if round_["is_stuck"]:
                    raise LoopFailed(f"Round {number} cannot go on by itself: {round_['waiting_for']}")
                self._tell(round_)
            if self._stack.process.poll() is not None:
                raise LoopFailed(f"The site ended:\n{self._stack.last_lines()}")
            time.sleep(_LOOK_S)

    def _find(self, number: int) -> dict[str, Any] | None:
        if number > self._newest:
            self._newest = max(round_["number"] for round_ in self._admin.rounds(self._project))
        return self._admin.round(self._project, number) if number <= self._newest else None

    def _tell(self, round_: dict[str, Any]) -> None:
        running = next((run for run in round_["runs"] if run["state"] in ("running", "queued")), None)
        if running is not None:
            self._journal.stage(running["purpose"])
            self._journal.progress(running["done"], running["total"], running["unit"])
        elif round_["state"] in _OWN_STAGE:
            self._journal.stage(_OWN_STAGE[round_["state"]])
            if sampling := round_.get("sampling"):
                self._journal.progress(sampling["done"], sampling["total"], "answers")
        elif round_["state"] == "building" and round_["deployment"]:
            self._journal.stage("deploying")
