"""What the sampler needs of a causal language model: reading tokens over a cache, and a few of its limits.

B rows, T positions, V tokens of the vocabulary.
"""

import inspect

import torch
from peft import PeftModel
from transformers import DynamicCache, PreTrainedModel

from modeling.sampling.cache import RoomyLayer, make_cache

GPU_STEPS_PER_LOOK = 8
"""Looking at tokens makes a GPU wait for Python. Rows that end in between compute up to 7 tokens in vain."""


class CachedModel:
    """A model of any architecture, with whatever adapter is active in it."""

    def __init__(self, model: PreTrainedModel | PeftModel, torch_device: torch.device) -> None:
        # peft's wrapper only forwards: the adapters sit in the layers of the model inside.
        self.inner: PreTrainedModel = model.get_base_model() if isinstance(model, PeftModel) else model
        self.torch_device = torch_device
        self.context_length = int(self.inner.config.get_text_config().max_position_embeddings)
        """Tokens of prompt and answer together."""
        self.steps_per_look: int = 1 if torch_device.type == "cpu" else GPU_STEPS_PER_LOOK
        """Tokens of each row that are chosen before anybody looks at them."""
        accepted = inspect.signature(self.inner.forward).parameters
        self._options = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}
        # Recurrent states and sliding windows would take padding for text.
        full_attention = all(isinstance(layer, RoomyLayer) for layer in self.make_cache().layers)
        self.may_pad = full_attention and {"attention_mask", "position_ids"} <= accepted.keys()

    @property
    def end_token_ids(self) -> list[int]:
        """The tokens at which the model was made to stop, besides its tokenizer's."""
        named = getattr(getattr(self.inner, "generation_config", None), "eos_token_id", None)
        return named if isinstance(named, list) else [] if named is None else [named]

    @property
    def cache_bytes_per_token(self) -> int:
        """What one position of one row takes in the cache, in float32."""
        config = self.inner.config.get_text_config()
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        n_heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        return int(2 * 4 * config.num_hidden_layers * n_heads * width)

    def make_cache(self) -> DynamicCache:
        """Return an empty cache for this model."""
        return make_cache(self.inner.config)

    def forward(self, tokens_BT: torch.Tensor, cache: DynamicCache, padding: dict[str, torch.Tensor]) -> torch.Tensor:
        """Read tokens and return the logits after the last, shape (B, V), in float32."""
        output = self.inner(input_ids=tokens_BT, past_key_values=cache, use_cache=True, **padding, **self._options)
        logits_BV: torch.Tensor = output.logits[:, -1].float()
        return logits_BV
