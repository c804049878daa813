"""Which adapters a server holds, under which names: loading, unloading, and where they may come from.

Only the engine's thread calls `load` and `unload`. Folders must lie under one root, all symbolic links followed.
"""

import dataclasses
import re
import time
from pathlib import Path

from peft import PeftModel
from transformers import PreTrainedModel

from modeling.errors import BadInput
from modeling.model.adapter_files import adapter_sha256
from modeling.model.adapters import load_adapter
from modeling.serving.errors import Conflict, UnknownModel

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/@+-]{0,127}")
MAX_ADAPTERS = 64
"""Memory grows with each: 64 of rank 16 on the demo base are 30 MB, on a base of 8 billion parameters 10 GB."""


@dataclasses.dataclass(frozen=True)
class LoadedAdapter:
    """One adapter in memory. `slot` is its name inside peft, where dots and some other names break."""

    name: str
    path: str
    sha256: str
    slot: str
    loaded_at: int


class LoadedAdapters:
    """The base's adapters by served name."""

    def __init__(self, model: PreTrainedModel, *, base_name: str, base_sha256: str, root: Path) -> None:
        self.model: PreTrainedModel | PeftModel = model
        self.base_name = base_name
        self.base_sha256 = base_sha256
        self.root = root.resolve()
        self._by_name: dict[str, LoadedAdapter] = {}
        self._n_slots = 0

    def load(self, name: str, path: str) -> LoadedAdapter:
        """Load a folder under a name; the same content under the same name is loaded already.

        Raises: BadInput when it lies elsewhere or does not fit; Conflict when the name is taken.
        """
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name!r} is not a name for an adapter: use letters, digits, spaces and . _ : / @ + -.")
        folder = self._contained(path)
        sha256 = adapter_sha256(folder)
        held = self._by_name.get(name)
        if held and held.sha256 == sha256:
            return held
        if held or name == self.base_name:
            raise Conflict(f"{name!r} is loaded already with other content; unload it first.")
        if len(self._by_name) >= MAX_ADAPTERS:
            raise Conflict(f"{MAX_ADAPTERS} adapters are loaded; unload one first.")
        slot = f"slot{self._n_slots}"
        self.model = load_adapter(self.model, folder, name=slot, base_sha256=self.base_sha256)
        self.model.requires_grad_(requires_grad=False)
        self._n_slots += 1
        self._by_name[name] = LoadedAdapter(name, str(folder), sha256, slot, int(time.time()))
        return self._by_name[name]

    def unload(self, name: str) -> None:
        """Let an adapter's memory go. Raises: UnknownModel."""
        if name not in self._by_name:
            raise UnknownModel(f"No adapter named {name!r} is loaded.")
        held = self._by_name.pop(name)
        assert isinstance(self.model, PeftModel), "an adapter was loaded"
        if self._by_name:
            self.model.delete_adapter(held.slot)
        else:
            self.model = self.model.unload()  # back to the bare base: peft cannot be left without any adapter

    def slot(self, name: str | None) -> str | None:
        """Return peft's name of an adapter, None for the base. Raises: UnknownModel."""
        if name is None:
            return None
        if name not in self._by_name:
            raise UnknownModel(f"No adapter named {name!r} is loaded any more.")
        return self._by_name[name].slot

    def all(self) -> list[LoadedAdapter]:
        """Return what is loaded; safe from any thread."""
        return list(self._by_name.values())

    def _contained(self, path: str) -> Path:
        try:
            folder = (self.root / path).resolve(strict=True)
        except (OSError, ValueError):
            raise BadInput(f"{path!r} is not a folder under this server's adapter root.") from None
        if not folder.is_relative_to(self.root) or not folder.is_dir():
            raise BadInput(f"{path!r} is not a folder under this server's adapter root.")
        for file in folder.iterdir():  # a link inside the folder must not lead out of the root either
            if not file.resolve().is_relative_to(self.root):
                raise BadInput(f"{path!r} holds a link that leads out of this server's adapter root.")
        return folder
