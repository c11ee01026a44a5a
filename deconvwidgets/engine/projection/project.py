"""Project one activation to pixels (Zeiler & Fergus 2014, section 2.1).

Everything in the chosen layer but one activation is set to zero, and the signal goes down by the chosen rule (`rules.py`): on the
whole image, or on the activation's receptive field only (`local.py`). Both give the same crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from deconvwidgets.engine.network import Network
from deconvwidgets.engine.projection.local import LocalPlan, cut
from deconvwidgets.engine.projection.rules import Rule, RuleMode
from deconvwidgets.errors import LayerError, ModelError

Method = Literal["auto", "local", "full"]

# A crop that costs more than this share of the whole image's multiplications saves nothing: cutting and masking cost too.
_WORTH_CROPPING = 0.8


@dataclass(frozen=True)
class Projected:
    """N projections: `pixels` (N, C, h, w) in normalised input units, `boxes` (N, 4) int64 (left, top, right, bottom) in input pixels
    (they may pass the border; pixels outside the image are zero), `values` (N,) the activations, `positions` (N, 2) int64 (row, column)."""

    pixels: Tensor
    boxes: Tensor
    values: Tensor
    positions: Tensor
    method: Literal["local", "full"]

    def full(self, height: int, width: int) -> Tensor:
        """The projections on whole inputs (N, C, height, width), zero outside their boxes."""
        shifted = torch.stack([-self.boxes[:, 0], -self.boxes[:, 1], width - self.boxes[:, 0], height - self.boxes[:, 1]], dim=1)
        return cut(self.pixels, shifted)


def project(
    model: nn.Module | Network,
    batch: Tensor,
    layer: str,
    *,
    unit: int | Sequence[int] | Tensor,
    at: Sequence[Sequence[int]] | Tensor | None = None,
    rule: Rule = "deconvnet",
    method: Method = "auto",
    seed: Literal["activation"] | float = "activation",
) -> Projected:
    """Project one activation of each image down to pixels.

    model: any eager nn.Module in eval mode, or a `Network` (which spares following it anew); it is left as it was.
    batch: (N, C, H, W) floating point, normalised as the model expects. layer: dotted name or alias ("features.10", "conv5").
    unit: the feature map, one for all images or one for each. at: (N, 2) row, column; None means each image's strongest position.
    rule: "deconvnet" (the paper's), "gradient" or "guided". method: "local" computes on the receptive field only, "full" on the whole
    image, "auto" takes local where it wins. seed: the signal starts as the activation itself, or as this number.

    The crop is the receptive field where that is smaller than the image, else the whole image.
    Raises RuleError where an operation below the layer has no rule, LayerError for an unknown layer, unit or position or where
    "local" is impossible, ModelError for a batch that the model cannot take. Source: Zeiler & Fergus 2014, section 2.1; the rules for
    operations that the paper did not have are our extension (transposes of everything linear).
    """
    if method not in ("auto", "local", "full"):
        raise ValueError(f"method is 'auto', 'local' or 'full', not {method!r}")
    with torch.inference_mode(False):  # its tensors could not be kept for the way down
        images = _check_batch(batch)
        network = _network_for(model, images)
        info = network.layer(layer)
        units = _check_units(unit, len(batch), info.channels, layer).to(batch.device)
        positions = None if at is None else _check_positions(at, len(batch), (info.height, info.width), layer).to(batch.device)
        plan = _choose_plan(network, layer, method)
        if plan is not None:
            return _project_local(network, plan, images, layer, units, positions, rule, seed)
        return _project_full(network, images, layer, units, positions, rule, seed)


def _choose_plan(network: Network, layer: str, method: Method) -> LocalPlan | None:
    """The plan to run on crops; None to run on whole images."""
    plan = network.plan(layer)
    if method == "local" and plan is None:
        unknown = network.layer(layer).receptive_field is None
        reason = "something below it sees the whole image" if unknown else "its receptive field is not smaller than the image"
        raise LayerError(f"'{layer}' cannot be projected locally ({network.reason or reason}); use method='auto' or 'full'.")
    worth = plan is not None and (method == "local" or (method == "auto" and plan.cost < _WORTH_CROPPING))
    return plan if worth else None


def _project_local(
    network: Network, plan: LocalPlan, images: Tensor, layer: str, units: Tensor, positions: Tensor | None, rule: Rule, seed: str | float
) -> Projected:
    if positions is None:
        with torch.no_grad():
            positions = _strongest(network.map(images, layer), units)
    crops = plan.crop(images, positions).requires_grad_()
    with torch.enable_grad(), RuleMode(rule) as mode:
        signal_origin = crops.clone()  # not a leaf: the model's first operation may work in place
        mode.watch(signal_origin)
        chosen = plan.run(signal_origin, positions, units, overwrite=rule != "gradient")
        mode.judge(chosen, layer)
    return Projected(_descend(chosen, crops, seed), plan.boxes(positions), chosen.detach(), positions, "local")


def _project_full(
    network: Network, images: Tensor, layer: str, units: Tensor, positions: Tensor | None, rule: Rule, seed: str | float
) -> Projected:
    leaf = images.clone().requires_grad_()
    with torch.enable_grad(), RuleMode(rule) as mode:
        signal_origin = leaf.clone()
        mode.watch(signal_origin)
        maps = network.map(signal_origin, layer)
        mode.judge(maps, layer)
    positions = _strongest(maps.detach(), units) if positions is None else positions
    chosen = maps[torch.arange(len(images), device=maps.device), units, positions[:, 0], positions[:, 1]]
    boxes = torch.tensor([network.box(layer, row, column) for row, column in positions.tolist()], device=positions.device)
    return Projected(cut(_descend(chosen, leaf, seed), boxes), boxes, chosen.detach(), positions, "full")


def _descend(chosen: Tensor, pixels: Tensor, seed: str | float) -> Tensor:
    """The signal at the pixels for a seed at the chosen activations (N,)."""
    seeds = chosen.detach() if seed == "activation" else torch.full_like(chosen, float(seed))
    if not chosen.requires_grad:
        raise LayerError("The layer does not depend on the picture: nothing between them passes a signal down.")
    (signal,) = torch.autograd.grad(chosen, pixels, seeds)
    return signal


def _strongest(maps: Tensor, units: Tensor) -> Tensor:
    """Each image's strongest position (N, 2) in its unit's map, the first in row order where several are equal."""
    chosen = maps[torch.arange(len(maps), device=maps.device), units]
    place = chosen.flatten(1).argmax(dim=1)
    return torch.stack([place // maps.shape[-1], place % maps.shape[-1]], dim=1)


def _check_batch(batch: Tensor) -> Tensor:
    if not isinstance(batch, Tensor) or batch.dim() != 4 or not batch.is_floating_point() or not batch.numel():
        raise ModelError("The batch must be a floating-point tensor (N, C, H, W) of at least one image, normalised as the model expects.")
    if not bool(torch.isfinite(batch.detach().sum(dtype=torch.promote_types(batch.dtype, torch.float32)))):
        raise ModelError("The batch holds nan or infinite values; look at the transform that made it.")
    return batch.detach().clone() if batch.is_inference() else batch.detach()


def _network_for(model: nn.Module | Network, batch: Tensor) -> Network:
    module = model.model if isinstance(model, Network) else model
    parameter = next((value for value in module.parameters() if value.is_floating_point()), batch)
    if parameter.dtype != batch.dtype or parameter.device != batch.device:
        raise ModelError(
            f"The batch is {batch.dtype} on {batch.device}, the model {parameter.dtype} on {parameter.device}: "
            "use batch.to(device, dtype) with the model's."
        )
    if not isinstance(model, Network):
        return Network.of(model, batch.shape[1:])
    if tuple(batch.shape[1:]) != model.input_size:
        raise ModelError(
            f"This Network was followed for inputs {model.input_size}, not {tuple(batch.shape[1:])}; make another for that size."
        )
    return model


def _check_units(unit: int | Sequence[int] | Tensor, count: int, channels: int, layer: str) -> Tensor:
    units = torch.as_tensor(unit)
    units = units.expand(count) if units.dim() == 0 else units
    if units.shape != (count,) or units.is_floating_point():
        raise LayerError(f"unit must be one number, or one for each of the {count} images.")
    if bool(((units < 0) | (units >= channels)).any()):
        raise LayerError(f"'{layer}' has units 0 to {channels - 1}; {sorted(set(units.tolist()))} was asked for.")
    return units


def _check_positions(at: Sequence[Sequence[int]] | Tensor, count: int, extent: tuple[int, int], layer: str) -> Tensor:
    positions = torch.as_tensor(at)
    if positions.shape == (2,) and count == 1:
        positions = positions[None]
    if positions.shape != (count, 2) or positions.is_floating_point():
        raise LayerError(f"at must be whole numbers (row, column) for each of the {count} images: shape ({count}, 2).")
    limit = torch.tensor(extent, device=positions.device)
    if bool(((positions < 0) | (positions >= limit)).any()):
        raise LayerError(f"'{layer}' has rows 0 to {extent[0] - 1} and columns 0 to {extent[1] - 1}; a position lies outside.")
    return positions.long()
