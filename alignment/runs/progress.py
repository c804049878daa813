"""Following an attempt's `events.jsonl` while it grows, a heartbeat at a time."""

from pathlib import Path
from typing import Any

from alignment.domain.curves import events_parse
from modeling.spec.result import EVENTS

_MAX_READ_BYTES = 2**20
"""A heartbeat's worth of events is far below; what is beyond is read at the next one."""


class Progress:
    """Reads each event once and remembers the last progress and the last error."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS
        self._offset = 0
        self.fields: dict[str, Any] = {}
        """The run row's progress columns, empty until the first progress."""
        self.error = ""
        """What the process said last about why it ends without a result."""

    def read(self) -> dict[str, Any]:
        """Take in what was written since the last look and return `fields`."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(_MAX_READ_BYTES)
        except FileNotFoundError:
            return self.fields
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for event in events_parse(whole.decode("utf-8", errors="replace").splitlines()):
            self._take(event)
        return self.fields

    def _take(self, event: dict[str, Any]) -> None:
        if event.get("type") == "progress":
            self.fields = {
                "progress_done": max(0, int(event["done"])),
                "progress_total": max(0, int(event["total"])),
                "progress_unit": str(event["unit"])[:32],
            }
        elif event.get("type") == "error":
            self.error = str(event["text"])
