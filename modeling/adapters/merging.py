"""An adapter folded into its base for good: a base that loads and trains like any other."""

import json
from pathlib import Path

from modeling.device import Device, pick_device
from modeling.errors import BadInput
from modeling.model.adapter_files import adapter_sha256
from modeling.model.adapters import merge_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer, save_base

META = "merge_meta.json"


def adapter_merge(base: str, adapter: Path, out: Path, device: Device | None = None) -> None:
    """Write base and adapter as one new base, float32, with the base's tokenizer; a folder that is whole or absent.

    Raises: BadInput.
    """
    if out.exists():
        raise BadInput(f"{out} exists already: name a folder that does not.")
    tokenizer, sha256 = load_tokenizer(base), base_sha256(base)
    merged = merge_adapter(load_base(base, device or pick_device()), adapter, base_sha256=sha256)
    temporary = out.with_name(out.name + ".tmp")
    temporary.mkdir(parents=True, exist_ok=True)
    save_base(merged, tokenizer, temporary)
    made_of = {"base_sha256": sha256, "adapter_sha256": adapter_sha256(adapter)}
    (temporary / META).write_text(json.dumps(made_of, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for file in temporary.iterdir():
        file.chmod(0o644)  # safetensors writes 0600, which a server of another account could not read
    temporary.rename(out)
