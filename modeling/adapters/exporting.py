"""An adapter as others load it: checked, canonical, with the hash of its base and no path of this machine.

The files are those that plain peft and vLLM read, in a folder or an archive whose bytes depend on the adapter alone.
"""

import io
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from modeling.device import pick_device
from modeling.errors import BadInput
from modeling.model import adapter_files
from modeling.model.adapter_files import CONFIG, Stored
from modeling.model.adapters import load_adapter
from modeling.model.base import base_sha256, load_base
from modeling.model.reward import META as REWARD_META

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold: what a file's time was is no part of an adapter."""
MAX_RANK_OF_VLLM = 512


def adapter_export(adapter: Path, out: Path, *, base: str | None = None) -> list[str]:
    """Write an adapter, or a reward model with all its members; return what whoever loads it should know.

    Raises: BadInput.
    """
    if out.exists():
        raise BadInput(f"{out} exists already: name a path that does not.")
    stored = adapter_files.read(adapter)
    sha256 = _base_of(adapter, stored, base)
    with tempfile.TemporaryDirectory(dir=_parent(out)) as scratch:
        folder = Path(scratch) / out.name.removesuffix(out.suffix if _is_archive(out) else "")
        for source in _folders(adapter):
            _copy(source, folder / source.relative_to(adapter), sha256)
        if _is_archive(out):
            packed = Path(scratch) / f"packed{out.suffix}"
            packed.write_bytes((_tar if out.suffix == ".tar" else _zip)(folder))
            packed.rename(out)
        else:
            folder.rename(out)
    return [f"{out}: for the base with sha256 {sha256}.", *_limits(stored)]


def _base_of(adapter: Path, stored: Stored, base: str | None) -> str:
    if base is None and not stored.base_sha256:
        raise BadInput(f"{adapter} does not say which base it was made for: name it by --base.")
    if base is None:
        return stored.base_sha256
    sha256 = base_sha256(base)
    if stored.config.modules_to_save is None:
        load_adapter(load_base(base, pick_device()), adapter, base_sha256=sha256)
    elif stored.base_sha256 != sha256:
        raise BadInput(f"{adapter} was made for another base than {base}.")
    return sha256


def _folders(adapter: Path) -> Iterator[Path]:
    yield adapter
    yield from sorted(config.parent for config in adapter.glob(f"*/{CONFIG}"))


def _copy(source: Path, target: Path, sha256: str) -> None:
    stored = adapter_files.read(source)
    adapter_files.write(target, stored.weights, stored.config.to_dict(), {"base_sha256": sha256})
    if (source / REWARD_META).is_file():
        (target / REWARD_META).write_bytes((source / REWARD_META).read_bytes())


def _limits(stored: Stored) -> list[str]:
    """Say what vLLM refuses. Source: https://docs.vllm.ai, LoRA adapters; its `PEFTHelper`."""
    refused = [
        what
        for what, there in (
            ("a head of its own", bool(stored.config.modules_to_save)),
            ("DoRA", bool(stored.config.use_dora)),
            (f"a rank above {MAX_RANK_OF_VLLM}", stored.config.r > MAX_RANK_OF_VLLM),
        )
        if there
    ]
    if refused:
        return [f"peft loads it; vLLM does not, because it has {' and '.join(refused)}: merge it for vLLM."]
    return [f"peft loads it, and vLLM with --max-lora-rank {max(8, 1 << (stored.config.r - 1).bit_length())} or more."]


def _is_archive(out: Path) -> bool:
    return out.suffix in (".tar", ".zip")


def _parent(out: Path) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    return out.parent


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield str(file.relative_to(folder.parent)), file.read_bytes()


def _tar(folder: Path) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in _files(folder):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o644
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def _zip(folder: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _files(folder):
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr, info.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return stream.getvalue()
