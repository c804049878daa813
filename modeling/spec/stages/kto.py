"""The specification of stage `kto`."""

import dataclasses

from modeling.spec.base import FileRef, require
from modeling.spec.stages.offline import OfflineSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class KTOSpec(OfflineSpec):
    """Kahneman-Tversky optimisation on single answers called good or bad (Ethayarajh et al., 2024)."""

    stage = "kto"

    verdicts: tuple[FileRef, ...]
    desirable_weight: float = 1.0
    undesirable_weight: float = 1.0
    """At equal weights the good answers together count as much as the bad ones together, whatever their numbers."""
    batch_size: int = 32

    def validate(self) -> None:
        super().validate()
        require(bool(self.verdicts), "verdicts: name at least one file.")
        require(0 < self.desirable_weight <= 100, "desirable_weight must be in (0, 100].")
        require(0 < self.undesirable_weight <= 100, "undesirable_weight must be in (0, 100].")
        require(self.batch_size >= 2, "batch_size must be at least 2: a prompt borrows another's answer.")
