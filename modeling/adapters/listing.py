"""What adapters lie under a folder: kind, size and base of each, read from files that are checked on the way."""

from pathlib import Path
from typing import Any

from modeling.errors import BadInput
from modeling.model import adapter_files
from modeling.model.adapter_files import CONFIG, Stored


def adapters_list(folder: Path) -> list[dict[str, Any]]:
    """Return a row for each adapter under the folder, by path; of one that cannot be loaded, why. Raises: BadInput."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder.")
    return [_row(config.parent, folder) for config in sorted(folder.rglob(CONFIG))]


def _row(adapter: Path, folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(
        ("adapter", "kind", "method", "rank", "alpha", "targets", "base", "bytes", "sha256", "problem")
    )
    row["adapter"] = str(adapter.relative_to(folder))
    try:
        stored = adapter_files.read(adapter)
    except BadInput as error:
        return row | {"problem": str(error)}
    return row | {
        "kind": "reward model" if stored.config.modules_to_save else "policy",
        "method": _method(stored),
        "rank": stored.config.r,
        "alpha": stored.config.lora_alpha,
        "targets": "+".join(_targets(stored)),
        "base": stored.base_sha256,
        "bytes": sum(file.stat().st_size for file in adapter.iterdir() if file.is_file()),
        "sha256": adapter_files.adapter_sha256(adapter),
    }


def _method(stored: Stored) -> str:
    name = "DoRA" if stored.config.use_dora else "LoRA"
    return f"rs{name}" if stored.config.use_rslora else name


def _targets(stored: Stored) -> list[str]:
    """Return the last names of the layers that the weights are for."""
    return sorted({key.split(".lora_A.")[0].rsplit(".", 1)[-1] for key in stored.weights if ".lora_A." in key})
