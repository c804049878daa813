"""How much memory a process takes beyond what its imports took: the high-water mark, in MB."""

from pathlib import Path

import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_HIGH_WATER_MARK = "5"


class PeakMemory:
    """Counts from where it is made, after the imports. On a GPU it is what torch allocated there."""

    def __init__(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        _CLEAR.write_text(_RESET_HIGH_WATER_MARK, encoding="ascii")
        self.baseline = _kb("VmRSS")

    def megabytes(self) -> float:
        """Return the peak so far above the baseline."""
        if torch.cuda.is_available():
            return torch.cuda.max_memory_allocated() / 2**20
        return (_kb("VmHWM") - self.baseline) / 2**10


def _kb(name: str) -> int:
    line = next(line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith(name + ":"))
    return int(line.split()[1])
