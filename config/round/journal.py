"""What is going on and how long each stage took: progress lines for a person, seconds by stage for the report."""

import sys
import time
from typing import TextIO

_STEP = 10
"""A log gets a line every tenth of a stage; a terminal rewrites one line all the time."""


class Journal:
    """Attributes wall time to the stage that was named last."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.stages_s: dict[str, float] = {}
        self._out = out or sys.stdout
        self._terminal = self._out.isatty()
        self._begun = self._since = time.monotonic()
        self._stage = ""
        self._shown = -1

    @property
    def total_s(self) -> float:
        """Seconds since the journal was opened."""
        return time.monotonic() - self._begun

    def stage(self, name: str) -> None:
        """Begin a stage; naming the current one again changes nothing."""
        if name == self._stage:
            return
        self.close()
        self._stage, self._shown = name, -1
        self._write(name)

    def progress(self, done: float, total: float, unit: str = "") -> None:
        """Show how far the current stage is."""
        if not total:
            return
        percent = int(100 * min(done, total) / total)
        if percent // _STEP > self._shown // _STEP or (self._terminal and percent != self._shown):
            self._shown = percent
            self._write(f"{self._stage}: {percent} % ({done:,.0f} of {total:,.0f} {unit})".replace(" )", ")"))

    def note(self, text: str) -> None:
        """Say something that is worth a line of its own."""
        self._write(text, lasting=True)

    def close(self) -> None:
        """End the current stage."""
        now = time.monotonic()
        if self._stage:
            self.stages_s[self._stage] = self.stages_s.get(self._stage, 0.0) + now - self._since
            self._write(f"{self._stage}: {now - self._since:.1f} s", lasting=True)
        self._stage, self._since = "", now

    def _write(self, text: str, *, lasting: bool = False) -> None:
        line = f"{self.total_s:6.1f} s  {text}"
        if self._terminal:
            self._out.write(f"\r\x1b[K{line}" + ("\n" if lasting else ""))
        else:
            self._out.write(line + "\n")
        self._out.flush()
