"""Stands in for `python -m modeling`: the same command line and run directory, no tensors, and faults on demand.

`behaviour.json` in the runs root says what each stage does: {"dpo": {"seconds": 5, "exit": 3, "crash_attempts": [1]}}.
"""

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))  # as `python -m` does

from modeling.process import process_settle
from modeling.rundir import RunDir, write_json
from modeling.spec import ExitCode

from stages import write_artifacts  # isort: skip - beside this file
from server import serve  # isort: skip

STEP_S = 0.02


def main(argv: list[str]) -> int:
    if argv[0] == "serve":
        return serve(argv[1:])
    stage, folder = argv[0], Path(argv[argv.index("--run-dir") + 1])
    resume = argv[argv.index("--resume-from") + 1 :] if "--resume-from" in argv else []
    process_settle(die_with_parent=True)
    run = RunDir(folder, resume)
    run.stop_on_signals()
    return Fake(stage, run, json.loads((folder / "spec.json").read_text())).go()


class Fake:
    def __init__(self, stage: str, run: RunDir, spec: dict) -> None:
        self.stage, self.run, self.spec = stage, run, spec
        path = run.path.parent.parent / "behaviour.json"
        self.behaviour = json.loads(path.read_text()).get(stage, {}) if path.exists() else {}
        self.attempt = int(run.path.name)

    def go(self) -> int:
        print(f"{self.stage}, attempt {self.attempt}, pid {os.getpid()}", flush=True)
        code = self._steps()
        if code == ExitCode.OK:
            metrics = write_artifacts(self.stage, self.spec, self.run) | self.behaviour.get("metrics", {})
            self.run.finish(
                stage=self.stage, seed=self.spec["seed"], metrics=metrics | {"first_step": self.first},
                versions={"fake": "1"}, device="cpu", dtype="float32",
            )  # fmt: skip
            self._spoil()
        return code

    def _steps(self) -> int:
        n_steps = max(2, int(self.behaviour.get("seconds", 0.04) / STEP_S))
        newest = self.run.newest_checkpoint()
        self.first = int((newest / "step").read_text()) if newest else 0
        for step in range(self.first, n_steps):
            if self.run.should_stop and not self.behaviour.get("deaf"):
                self._checkpoint(step)
                return ExitCode.STOPPED
            time.sleep(STEP_S)
            self.run.progress(step + 1, n_steps)
            self.run.metrics(step + 1, loss=1 / (step + 1))
            if step % 10 == 9:
                self._checkpoint(step + 1)
        if self.attempt in self.behaviour.get("crash_attempts", []):
            print("Traceback: boom", flush=True)
            return ExitCode.CRASHED
        if "exit" in self.behaviour:
            self.run.error(self.behaviour["message"])
            return self.behaviour["exit"]
        return ExitCode.OK

    def _checkpoint(self, step: int) -> None:
        self.run.save_checkpoint(step, lambda folder: (folder / "step").write_text(str(step)))

    def _spoil(self) -> None:
        if self.behaviour.get("spoil"):
            result = json.loads((self.run.path / "result.json").read_text())
            for artifact in result["artifacts"].values():
                artifact["files"] = dict.fromkeys(artifact["files"], "0" * 64)
            write_json(self.run.path / "result.json", result)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
