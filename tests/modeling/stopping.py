"""A run directory that is asked to stop, as by SIGTERM, once its run has reported a number of steps."""

from pathlib import Path

from modeling.rundir import RunDir


class StoppingRunDir(RunDir):
    def __init__(self, path: Path, *, after_steps: int) -> None:
        super().__init__(path)
        self.after_steps = after_steps

    def metrics(self, step: int, **values: float) -> None:
        super().metrics(step, **values)
        if step >= self.after_steps:
            self.request_stop()


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
