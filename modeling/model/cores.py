"""Each core works on a part of a batch of its own, instead of all cores on one small operation after another.

An operation of a model with a million parameters takes tens of microseconds, about as long as two threads need to meet
at its end: two cores were slower than one. Parts meet once a step (docs/experiments.md).

How a batch is cut into parts is the caller's choice and follows from the data alone, and results are added up in the
order of the parts: the same bytes on any number of cores. On a GPU the parts run one after the other.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from modeling.device import Device

Part = TypeVar("Part")
Result = TypeVar("Result")


def map_parts(device: Device, function: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    """Yield function(part) in the order of the parts, with gradients on or off as they are for the caller.

    Other modes of torch that belong to a thread, such as autocast, are the function's to enter.
    """
    pool = _pool() if device.is_cpu and len(parts) > 1 else None
    if pool is None:
        yield from map(function, parts)
        return
    gradients, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    def work(part: Part) -> Result:
        with torch.inference_mode(mode=inference), torch.set_grad_enabled(gradients):
            return function(part)

    yield from pool.map(work, parts)


def backward_parts(
    device: Device,
    parameters: Mapping[str, Tensor],
    loss_of: Callable[[Part], tuple[Tensor, Result]],
    parts: Sequence[Part],
) -> list[Result]:
    """Add the gradients of all parts' losses to those of the parameters, and return what came with each loss."""

    def work(part: Part) -> tuple[tuple[Tensor | None, ...], Result]:
        loss, result = loss_of(part)
        return torch.autograd.grad(loss, list(parameters.values()), allow_unused=True), result

    results = []
    for gradients, result in map_parts(device, work, parts):
        for parameter, gradient in zip(parameters.values(), gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient.clone() if parameter.grad is None else parameter.grad.add_(gradient)
        results.append(result)
    return results


@functools.cache
def _pool() -> ThreadPoolExecutor | None:
    n_cores = torch.get_num_threads()
    return ThreadPoolExecutor(n_cores, "core", functools.partial(torch.set_num_threads, 1)) if n_cores > 1 else None
