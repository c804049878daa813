"""One readable stream out of many: the time, the process's name in its colour, and the line."""

import os
import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

_COLOURS = (36, 32, 33, 35, 34, 96, 92, 95)
_WIDTH = 8


@dataclass
class LogStream:
    """Writes prefixed lines, coloured on a terminal unless NO_COLOR is set. A vanished reader stops nothing."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    _names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._silent = False
        self._coloured = self.out.isatty() and not os.environ.get("NO_COLOR")

    def line(self, name: str, text: str) -> None:
        """Write one line of a process."""
        prefix = f"{time.strftime('%H:%M:%S')} {name:<{_WIDTH}} |"
        if self._coloured:
            prefix = f"\x1b[{self._colour(name)}m{prefix}\x1b[0m"
        self.plain(f"{prefix} {text}")

    def plain(self, text: str) -> None:
        """Write a line that belongs to no process."""
        if self._silent:
            return
        try:
            self.out.write(text + "\n")
            self.out.flush()
        except BrokenPipeError:
            # Whoever read our output is gone; the processes must still be stopped in order.
            self._silent = True

    def _colour(self, name: str) -> int:
        if name not in self._names:
            self._names.append(name)
        return _COLOURS[self._names.index(name) % len(_COLOURS)]
