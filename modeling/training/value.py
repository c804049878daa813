"""A value function: what reward is still to come, for every token of an answer before it is written.

A LoRA adapter of its own and a scalar head on the base that the policy sits on too. The head starts at zero, and so
does every value. The head is no part of the model: neither adapters nor the reward model's head come near it.
"""

from collections.abc import Sequence

from peft import PeftModel
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from modeling.device import Device
from modeling.model.adapters import new_adapter
from modeling.model.batching import Example, pad_right
from modeling.model.logprobs import answer_positions, causal_lm, hidden_states
from modeling.spec import LoraSpec
from modeling.training.state import trainable_parameters

VALUE = "value"


class ValueModel:
    """An adapter on a shared base, under the name `VALUE`, and its head; `parameters` are both by name."""

    def __init__(self, model: PeftModel, lora: LoraSpec, device: Device, *, seed: int) -> None:
        self.model = new_adapter(model, lora, name=VALUE, seed=seed)
        self.device = device
        width = causal_lm(model).get_output_embeddings().weight.shape[1]
        self.head = nn.Linear(width, 1, device=device.torch_device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        head = {f"value_head.{name}": parameter for name, parameter in self.head.named_parameters()}
        self.parameters: dict[str, Tensor] = trainable_parameters(self.model) | head

    def values(self, examples: Sequence[Example]) -> Tensor:
        """Return values_BA in float32 with gradients, zero after each answer's end, under the active adapter.

        The value of a token is read where that token is predicted: it knows the prompt and the tokens before.
        """
        ids_BT = pad_right([example.tokens for example in examples], device=self.device.torch_device)
        rows_K, columns_K = answer_positions(examples, self.device)
        with self.device.autocast():
            hidden_KD = hidden_states(self.model, ids_BT)[rows_K, columns_K - 1]
        values_K: Tensor = self.head(hidden_KD.float()).squeeze(1)
        return pad_sequence(list(values_K.split([len(example.answer) for example in examples])), batch_first=True)
