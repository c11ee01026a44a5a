"""Checks of the arguments of `project`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from deconvwidgets.arguments import describe, flag, integer_array, number, one_of, text
from deconvwidgets.engine.input_kind import check_input_kind
from deconvwidgets.engine.network import Network
from deconvwidgets.engine.projection.rules import Rule
from deconvwidgets.errors import LayerError, ModelError

Method = Literal["auto", "local", "full"]
_OTHER_BATCHES = {
    3: "one of 1-D signals (N, C, L), or one image without a batch dimension: for an image, pass batch[None]",
    5: "one of volumes (N, C, D, H, W)",
}


def check_options(layer: str, rule: Rule, method: Method, seed: str | float, beyond_paper: bool) -> None:
    """Check everything but tensors. Raises LayerError or ValueError."""
    flag(beyond_paper, "beyond_paper", ValueError)
    text(layer, "layer", "the name of a layer", LayerError)
    one_of(rule, "rule", get_args(Rule), ValueError)
    one_of(method, "method", get_args(Method), ValueError)
    if not isinstance(seed, str) or seed != "activation":
        number(seed, "seed", "'activation' or a finite number", error=ValueError)


def check_batch(batch: Tensor) -> Tensor:
    """Return the images (N, C, H, W), detached. Raises ModelError for anything else."""
    if isinstance(batch, Tensor) and batch.dim() in _OTHER_BATCHES:
        raise ModelError(
            "The batch must be a floating-point tensor of images (N, C, H, W); only images are supported. "
            f"{tuple(batch.shape)} is {_OTHER_BATCHES[batch.dim()]}."
        )
    if not isinstance(batch, Tensor) or batch.dim() != 4 or not batch.is_floating_point() or not batch.numel():
        raise ModelError("The batch must be a floating-point tensor (N, C, H, W) of at least one image, normalised as the model expects.")
    return batch.detach().clone() if batch.is_inference() else batch.detach()


def check_finite(pixels: Tensor) -> Tensor:
    """Return the pixels that a projection reads. Raises ModelError if there are nan or infinite values among them."""
    if not bool(torch.isfinite(pixels.sum(dtype=torch.promote_types(pixels.dtype, torch.float32)))):
        raise ModelError("The batch contains nan or infinite values; check the transform that it comes from.")
    return pixels


def network_for(model: nn.Module | Network, batch: Tensor) -> Network:
    """Return the Network of a model, or a Network itself if it fits the batch. Raises ModelError if type, device or size do not fit."""
    module = model.model if isinstance(model, Network) else model
    if not isinstance(module, nn.Module):
        raise ModelError(f"model must be a torch.nn.Module or a Network, not {describe(model)}.")
    check_input_kind(module, type(module).__name__)
    parameter = next((value for value in module.parameters() if value.is_floating_point()), batch)
    if parameter.dtype != batch.dtype or parameter.device != batch.device:
        raise ModelError(
            f"The batch is {batch.dtype} on {batch.device}, the model {parameter.dtype} on {parameter.device}: "
            "use batch.to(device, dtype) with those of the model."
        )
    if not isinstance(model, Network):
        return Network.of(model, batch.shape[1:])
    if tuple(batch.shape[1:]) != model.input_size:
        raise ModelError(
            f"This Network was traced for inputs of {model.input_size}, not {tuple(batch.shape[1:])}; make another with Network.of."
        )
    return model


def check_units(unit: int | Sequence[int] | Tensor, count: int, channels: int, layer: str) -> Tensor:
    """Return the units (N,) as int64. Raises LayerError."""
    expected = f"an integer from 0 to {channels - 1}, or one for each of the {count} images"
    units = torch.from_numpy(integer_array(_on_cpu(unit), "unit", ((), (count,)), expected, LayerError))
    if bool(((units < 0) | (units >= channels)).any()):
        raise LayerError(f"'{layer}' has units 0 to {channels - 1}, not {sorted(set(units.flatten().tolist()))}.")
    return units.expand(count)


def check_positions(at: Sequence[Sequence[int]] | Tensor, count: int, extent: tuple[int, int], layer: str) -> Tensor:
    """Return the positions (N, 2) as int64. Raises LayerError."""
    shapes = ((count, 2), (2,)) if count == 1 else ((count, 2),)
    expected = f"integers (row, column) for each of the {count} images: shape ({count}, 2)"
    positions = torch.from_numpy(integer_array(_on_cpu(at), "at", shapes, expected, LayerError)).reshape(count, 2)
    if bool(((positions < 0) | (positions >= torch.tensor(extent))).any()):
        raise LayerError(f"'{layer}' has rows 0 to {extent[0] - 1} and columns 0 to {extent[1] - 1}; a position is outside.")
    return positions


def _on_cpu(value: object) -> object:
    return value.detach().cpu() if isinstance(value, Tensor) else value
