"""A key-value cache with room for the whole answer, so that a new token is written in place.

transformers' dynamic cache copies everything it holds for each new token; on the demo base that is a third of the time.
Layers of other kinds (sliding windows, recurrent states) stay as transformers makes them. B rows, H heads, T positions,
D width of a head.
"""

from typing import Any

import torch
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer

GROWTH = 64
"""Positions added at a time: a short answer fits at once, and a long one is copied once in 64 tokens."""


class RoomyLayer(DynamicLayer):
    """One layer's keys and values in buffers longer than what they hold."""

    def __init__(self) -> None:
        super().__init__()
        self.length = 0
        self.buffers: list[torch.Tensor] = []

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append states of shape (B, H, T, D) and return all, as views into the buffers."""
        end = self.length + key_states.shape[-2]
        if not self.buffers:
            self.lazy_initialization(key_states, value_states)
            self.buffers = [key_states[:, :, :0], value_states[:, :, :0]]
        if end > self.buffers[0].shape[-2]:
            self.buffers = [self._copy(buffer, len(buffer), end + GROWTH) for buffer in self.buffers]
        for buffer, states in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, self.length : end] = states
        return self._show(end)

    def select(self, rows: torch.Tensor) -> None:
        """Keep these rows, in this order; a row may be named several times."""
        self.buffers = [self._copy(buffer, len(rows), buffer.shape[-2], rows) for buffer in self.buffers]
        self._show(self.length)

    def _copy(self, buffer: torch.Tensor, n_rows: int, room: int, rows: torch.Tensor | None = None) -> torch.Tensor:
        held = buffer[:, :, : self.length]
        fresh = buffer.new_empty((n_rows, buffer.shape[1], room, buffer.shape[3]))
        fresh[:, :, : self.length] = held if rows is None else held.index_select(0, rows)
        return fresh

    def _show(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        self.length = length
        self.keys, self.values = (buffer[:, :, :length] for buffer in self.buffers)
        return self.keys, self.values


def make_cache(config: PreTrainedConfig) -> DynamicCache:
    """Return an empty cache for a model."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def select_rows(cache: DynamicCache, rows: torch.Tensor) -> None:
    """Keep these rows of every layer, in this order; a row may be named several times."""
    for layer in cache.layers:
        if isinstance(layer, RoomyLayer):
            layer.select(rows)
        else:
            layer.reorder_cache(rows)
