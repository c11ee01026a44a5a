"""Example inputs of a model, and what it returns for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from deconvwidgets.engine.model_copy import copy_sharing_tensors
from deconvwidgets.errors import ModelError

Result = TypeVar("Result")


def reference_tensor(model: nn.Module) -> Tensor:
    """Return a tensor with the device and the floating-point type that inputs of the model must have."""
    tensors = (tensor for tensor in (*model.parameters(), *model.buffers()) if tensor.is_floating_point())
    return next(tensors, torch.zeros(()))


def example_batch(model: nn.Module, size: Sequence[int], count: int = 1) -> Tensor:
    """Return reproducible noise (count, C, H, W) on the model's device, in its floating-point type."""
    reference = reference_tensor(model)
    noise = torch.rand((count, *size), generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    return noise.to(reference.device, reference.dtype)


def example_output(model: nn.Module, example: Tensor) -> Any:
    """Return what a model returns for an example. Both are left unchanged. Raises ModelError if the model rejects the example."""
    return run_example(model, example, lambda copied, batch: copied(batch))


def run_example(model: nn.Module, example: Tensor, run: Callable[[nn.Module, Tensor], Result]) -> Result:
    """Return `run(copy of the model, copy of the example)`. Raises ModelError if the model rejects the example."""
    copied = copy_sharing_tensors(model)
    try:
        with torch.no_grad():
            return run(copied, example.clone())  # the model's first operation may work in place
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        several = isinstance(error, TypeError) and "required positional argument" in str(error)
        advice = "Wrap it in a module that takes one batch of images" if several else "Pass the input_size that it expects"
        raise ModelError(f"{type(model).__name__} cannot run on inputs of {tuple(example.shape[1:])}: {error}. {advice}.") from error
