"""The files of an adapter: read with suspicion, written with the same bytes every time.

An adapter is a folder that plain peft loads (`adapter_config.json`, `adapter_model.safetensors`) and a third file,
`adapter_meta.json`, that names the base and the other two by hash. It holds no path of the machine it was made on.

A configuration is read field by field from a list of known fields, because peft's own loader imports modules and runs
initialisations that the file names, and falls back to pickled weights. Knows nothing of any model.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from modeling.errors import BadInput
from modeling.spec.base import file_sha256

CONFIG, WEIGHTS, META = "adapter_config.json", "adapter_model.safetensors", "adapter_meta.json"
TWICE = "base_model.model.base_model."
PREFIX = "base_model.model."
SHAPING = (
    "alpha_pattern", "bias", "exclude_modules", "fan_in_fan_out", "layers_pattern", "layers_to_transform", "lora_alpha",
    "lora_bias", "lora_dropout", "modules_to_save", "r", "rank_pattern", "target_modules", "task_type", "use_dora",
    "use_rslora",
)  # fmt: skip
"""The configuration's fields that say what an adapter computes; any other must be absent, off or harmless."""
HARMLESS = frozenset({
    "auto_mapping", "base_model_name_or_path", "inference_mode", "init_lora_weights", "loftq_config", "megatron_core",
    "peft_type", "peft_version", "qalora_group_size", "revision", "runtime_config",
})  # fmt: skip
"""Fields that change nothing in a loaded LoRA adapter; they are not read."""


@dataclasses.dataclass(frozen=True)
class Stored:
    """What an adapter's files hold."""

    config: LoraConfig
    weights: dict[str, torch.Tensor]
    meta: dict[str, Any]

    @property
    def base_sha256(self) -> str:
        """The base that it was made for; empty for an adapter made by another tool."""
        return str(self.meta.get("base_sha256", ""))


def read(path: str | Path) -> Stored:
    """Read an adapter folder. Raises: BadInput when it is not one that can be loaded safely, or was changed."""
    folder = Path(path)
    if not folder.is_dir():
        raise BadInput(f"{folder} is not an adapter folder: it does not exist.")
    meta, weights = read_meta(folder), read_weights(folder)
    stored = Stored(read_config(folder, weights), weights, meta)
    check_unchanged(folder, meta)
    return stored


def read_config(folder: Path, weights: dict[str, torch.Tensor]) -> LoraConfig:
    """Return the adapter's configuration. Raises: BadInput when it is not one that can be loaded safely.

    A pattern in `target_modules` is replaced by the modules that the weights name: a hostile one could run for hours.
    """
    data = _read_json(folder / CONFIG)
    if data.get("peft_type") != "LORA":
        raise BadInput(f"{folder / CONFIG}: peft_type is {data.get('peft_type')!r}; only LORA adapters can be loaded.")
    unknown = sorted(key for key, value in data.items() if key not in SHAPING and key not in HARMLESS and value)
    patterned = [key for key in ("exclude_modules", "layers_pattern") if isinstance(data.get(key), str)]
    if unknown or patterned:
        raise BadInput(
            f"{folder / CONFIG}: {', '.join(unknown + patterned)} cannot be loaded; only plain LoRA adapters can."
        )
    if not isinstance(data.get("target_modules"), list):
        keys = (key for key in weights if ".lora_A." in key)
        data["target_modules"] = sorted({key.removeprefix(PREFIX).split(".lora_A.")[0] for key in keys})
    try:
        return LoraConfig(**{key: data[key] for key in SHAPING if key in data})
    except (TypeError, ValueError) as error:
        raise BadInput(f"{folder / CONFIG}: {error}") from error


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the adapter's tensors by name, on the CPU. Raises: BadInput."""
    file = folder / WEIGHTS
    if not file.is_file():
        hint = " Pickled weights are never loaded; convert them to safetensors." if any(folder.glob("*.bin")) else ""
        raise BadInput(f"{file} does not exist.{hint}")
    try:
        weights = load_file(file)
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{file} is not a safetensors file ({error}).") from error
    _check_nesting(weights, file)
    for key, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise BadInput(f"{file} holds numbers that are not finite ({key}).")
    return weights


def read_meta(folder: Path) -> dict[str, Any]:
    """Return what was recorded beside the adapter; empty for one made by another tool. Raises: BadInput."""
    return _read_json(folder / META) if (folder / META).exists() else {}


def check_unchanged(folder: Path, meta: dict[str, Any]) -> None:
    """Raises: BadInput when a file is not the one that its adapter was written with; without hashes all is well."""
    expected = meta.get("sha256", {})
    if not isinstance(expected, dict):
        raise BadInput(f"{folder / META}: 'sha256' must be an object of file names and hashes.")
    for name in (CONFIG, WEIGHTS):
        if name in expected and expected[name] != file_sha256(folder / name):
            raise BadInput(f"{folder / name} has changed since the adapter was written. Copy the adapter here again.")


def adapter_sha256(path: str | Path) -> str:
    """Return one hash over the files that decide what an adapter computes. Raises: BadInput."""
    digest = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        file = Path(path) / name
        if not file.is_file():
            raise BadInput(f"{file} does not exist: not an adapter folder.")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def write(folder: Path, weights: dict[str, torch.Tensor], config: dict[str, Any], meta: dict[str, Any]) -> None:
    """Write the three files, sorted throughout, readable by everybody.

    The weights come last: a folder that a kill left behind has none, or not those that its hashes name.
    """
    _check_nesting(weights, folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: weights[key].detach().to("cpu", torch.float32).contiguous() for key in sorted(weights)}
    files = {
        CONFIG: _json_bytes(config | {"base_model_name_or_path": None, "inference_mode": True, "revision": None}),
        WEIGHTS: save(tensors, metadata={"format": "pt"}),
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    for name, content in ({META: _json_bytes(meta | {"sha256": hashes})} | files).items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644)


def _check_nesting(weights: dict[str, torch.Tensor], where: Path) -> None:
    twice = next((key for key in sorted(weights) if key.startswith(TWICE)), None)
    if twice:
        raise BadInput(f"{where}: the adapter was wrapped twice ({twice}), and any loader would ignore its weights.")


def _read_json(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{file} does not exist: not an adapter folder.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInput(f"{file} is not JSON ({error}).") from error
    if not isinstance(data, dict):
        raise BadInput(f"{file} is not a JSON object.")
    return data


def _json_bytes(data: dict[str, Any]) -> bytes:
    text = json.dumps(
        data, indent=2, sort_keys=True, default=lambda value: sorted(value) if isinstance(value, set) else str(value)
    )
    return f"{text}\n".encode()
