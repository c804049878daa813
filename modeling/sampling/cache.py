"""A key-value cache with room for what is to come, so that a new token is written in place.

transformers' dynamic cache copies everything it holds for each new token; on the demo base that is a third of the time.
All rows end at one position: what stands before a shorter row's start is hidden by an attention mask. Layers of other
kinds (sliding windows, recurrent states) stay as transformers makes them.

B rows, H heads, T positions, D width of a head.
"""

from collections.abc import Sequence
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
            self.buffers = [_buffer([held], end + GROWTH, self.length) for held in self._held()]
        for buffer, states in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, self.length : end] = states
        return self._show(end)

    def select(self, rows: torch.Tensor, length: int) -> None:
        """Keep the last positions of these rows, in this order; a row may be named several times."""
        cut = self.length - length
        room = self.buffers[0].shape[-2] - cut
        self.buffers = [_buffer([held[:, :, cut:].index_select(0, rows)], room, length) for held in self._held()]
        self._show(length)

    def join(self, other: "RoomyLayer") -> None:
        """Append another layer's rows, all ending at one position."""
        length = max(self.length, other.length)
        parts = zip(self._held(), other._held(), strict=True)  # noqa: SLF001 - of its own class
        self.buffers = [_buffer(both, length + GROWTH, length) for both in parts]
        self._show(length)

    def _held(self) -> list[torch.Tensor]:
        return [buffer[:, :, : self.length] for buffer in self.buffers]

    def _show(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        self.length = length
        self.keys, self.values = (buffer[:, :, :length] for buffer in self.buffers)
        return self.keys, self.values


def _buffer(parts: Sequence[torch.Tensor], room: int, end: int) -> torch.Tensor:
    """Return one buffer with the rows of all parts, each ending at position `end`."""
    _, n_heads, _, width = parts[0].shape
    fresh = parts[0].new_empty((sum(len(part) for part in parts), n_heads, room, width))
    first = 0
    for part in parts:
        rows, start = slice(first, first + len(part)), end - part.shape[2]
        fresh[rows, :, start:end] = part
        fresh[rows, :, :start] = 0  # hidden, but nothing times what lies in fresh memory may be no number
        first += len(part)
    return fresh


def make_cache(config: PreTrainedConfig) -> DynamicCache:
    """Return an empty cache for a model."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def select_rows(cache: DynamicCache, rows: torch.Tensor, length: int) -> None:
    """Keep these rows of every layer, in this order, and their last positions; a row may be named several times."""
    for layer in cache.layers:
        if isinstance(layer, RoomyLayer):
            layer.select(rows, length)
        else:
            layer.reorder_cache(rows)


def join_rows(cache: DynamicCache, other: DynamicCache) -> None:
    """Append another cache's rows. Both hold layers that can be padded, and no others."""
    for layer, more in zip(cache.layers, other.layers, strict=True):
        assert isinstance(layer, RoomyLayer)
        assert isinstance(more, RoomyLayer)
        layer.join(more)
