"""Open a base model: a folder in the Hugging Face layout, or the id of one on the Hub.

Only safetensors are read and no code of the model's repository ever runs.
"""

import hashlib
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from modeling.device import Device
from modeling.errors import BadInput
from modeling.model.attention import attention_name
from modeling.model.quantizing import quantizing_check, quantizing_options
from modeling.spec.stages.lora import Quantize

_WANTED = ("*.json", "*.safetensors", "*.jinja", "*.model")
_HASHED = ("config.json", "*.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def base_folder(path_or_hub_id: str | Path) -> Path:
    """Return the local folder of a base, downloading it from the Hub when it is an id. Raises: BadInput."""
    folder = Path(path_or_hub_id)
    if folder.is_dir():
        return folder
    try:
        return Path(snapshot_download(str(path_or_hub_id), allow_patterns=list(_WANTED)))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BadInput(
            f"{path_or_hub_id} is neither a folder nor a model that can be fetched from the Hugging Face Hub."
        ) from error


def load_base(path_or_hub_id: str | Path, device: Device, *, quantize: Quantize = "none") -> PreTrainedModel:
    """Load a causal language model onto the device: float32 weights, or 4-bit ones to train adapters on.

    Raises: BadInput.
    """
    if quantize == "4bit":
        quantizing_check(device)
    folder = base_folder(path_or_hub_id)
    if not any(folder.glob("*.safetensors")):
        raise BadInput(f"{folder} holds no *.safetensors file; other weight formats can run code and are not read.")
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, config=config, dtype=torch.float32, attn_implementation=attention_name(device),
            use_safetensors=True, trust_remote_code=False,
            **(quantizing_options(device) if quantize == "4bit" else {}),
        )  # fmt: skip
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder} is not a causal language model that transformers can read: {error}") from error
    return model if quantize == "4bit" else model.to(device.torch_device)


def save_base(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a complete base: weights in float32, tokenizer, and an end of generation that says what ends an answer."""
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_tokenizer(path_or_hub_id: str | Path) -> PreTrainedTokenizerFast:
    """Load a base's tokenizer; it must have a chat template and an end token. Raises: BadInput."""
    folder = base_folder(path_or_hub_id)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, use_fast=True)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder} holds no tokenizer that transformers can read: {error}") from error
    if not tokenizer.is_fast:
        raise BadInput(f"{folder} has no tokenizer.json; convert its tokenizer to the fast format first.")
    if tokenizer.chat_template is None or tokenizer.eos_token_id is None:
        raise BadInput(
            f"The tokenizer in {folder} needs a chat template and an eos_token: use an instruction-tuned base."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token  # every padded position is masked, so which token it is cannot matter
    return tokenizer


def base_sha256(path_or_hub_id: str | Path) -> str:
    """Return one hash over configuration, weights and tokenizer: the identity that adapters record."""
    folder = base_folder(path_or_hub_id)
    digest = hashlib.sha256()
    for file in sorted({file for pattern in _HASHED for file in folder.glob(pattern)}):
        with file.open("rb") as stream:
            digest.update(f"{file.name}:{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
