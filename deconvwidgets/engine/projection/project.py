"""Projecting an activation to pixel space (Zeiler & Fergus 2014, section 2.1).

All activations of a layer but one are set to zero, and the signal is propagated backwards by a rule (`rules.py`): on the whole image, or
on the activation's receptive field only (`local.py`). The resulting crop is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from deconvwidgets.engine.executor import Executor
from deconvwidgets.engine.network import Network
from deconvwidgets.engine.projection.local import LocalPlan, cut_boxes
from deconvwidgets.engine.projection.node_rules import NodeRules
from deconvwidgets.engine.projection.project_arguments import (
    Method,
    check_batch,
    check_finite,
    check_options,
    check_positions,
    check_units,
    network_for,
)
from deconvwidgets.engine.projection.rule_mode import RuleMode
from deconvwidgets.engine.projection.rules import Rule
from deconvwidgets.errors import LayerError, RuleError

# A crop that takes more than this share of the whole image's multiplications is not faster, because cutting and filling take time, too.
_MAX_CROP_COST = 0.8


@dataclass(frozen=True)
class Projected:
    """Projections of N activations.

    Attributes
    ----------
    pixels : Tensor (N, C, h, w)
        In normalised input units; zero outside the image.
    boxes : Tensor (N, 4), int64
        Left, top, right, bottom of each crop in input pixels, half-open. They may extend beyond the image.
    values : Tensor (N,)
        The activations.
    positions : Tensor (N, 2), int64
        Row and column of each activation.
    method : {"local", "full"}
    """

    pixels: Tensor
    boxes: Tensor
    values: Tensor
    positions: Tensor
    method: Literal["local", "full"]

    def full(self, height: int, width: int) -> Tensor:
        """Return the projections (N, C, height, width) at their places on whole inputs, zero outside their boxes."""
        shifted = torch.stack([-self.boxes[:, 0], -self.boxes[:, 1], width - self.boxes[:, 0], height - self.boxes[:, 1]], dim=1)
        return cut_boxes(self.pixels, shifted)


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
    beyond_paper: bool = False,
) -> Projected:
    """Project one activation of each image to pixel space (Zeiler & Fergus 2014, section 2.1).

    Rules for operations that the paper does not have are our extension: every linear operation is transposed, and every rectifier rectifies
    the signal.

    Parameters
    ----------
    model : nn.Module or Network
        A model in eval mode, which is left unchanged, or its Network, which saves tracing it again.
    batch : Tensor (N, C, H, W)
        Floating point, normalised as the model expects.
    layer : str
        Dotted name or alias ("features.10", "conv5").
    unit : int or sequence of int
        The feature map, for all images or for each.
    at : sequence or Tensor (N, 2), optional
        Row and column of the activation in each image. By default, each image's strongest activation.
    rule : {"deconvnet", "guided", "gradient"}
        The backward pass of rectifiers. "deconvnet" is the paper's.
    method : {"auto", "local", "full"}
        "local" computes on the receptive field only, "full" on the whole image; "auto" chooses the faster.
    seed : "activation" or float
        The signal at the activation: the activation itself, or this number.
    beyond_paper : bool
        Whether "deconvnet" and "guided" are extended to operations that the paper does not have. This is our extension: smooth activations
        (GELU, SiLU, hardswish, ...) are treated as rectifiers, and gates and the statistics of normalisations as constants. It requires
        a model that can be traced.

    Returns
    -------
    Projected
        On the receptive field if it is smaller than the image, else on the whole image.

    Raises
    ------
    RuleError
        If an operation below the layer has no backward rule.
    LayerError
        If there is no such layer, unit or position, or if method="local" is not possible.
    ModelError
        If the model cannot take the batch.
    ValueError
        For an unknown rule or method, and for a seed that is no finite number.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from deconvwidgets import engine
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(8, 16, 3), nn.ReLU()).eval()
    >>> projected = engine.project(model, torch.rand(2, 3, 64, 64), "conv2", unit=[3, 7], at=[[0, 0], [10, 20]])
    >>> projected.method, tuple(projected.pixels.shape)
    ('local', (2, 3, 11, 11))
    >>> projected.boxes.tolist()
    [[0, 0, 11, 11], [40, 20, 51, 31]]
    >>> tuple(projected.full(64, 64).shape)
    (2, 3, 64, 64)
    """
    check_options(layer, rule, method, seed, beyond_paper)
    with torch.inference_mode(False):  # autograd cannot save inference tensors
        images = check_batch(batch)
        network = network_for(model, images)
        info = network.layer(layer)
        units = check_units(unit, len(batch), info.channels, layer).to(batch.device)
        positions = None if at is None else check_positions(at, len(batch), (info.height, info.width), layer).to(batch.device)
        plan = _choose_plan(network, layer, method)
        target = plan.target if plan is not None else network.node(layer)
        graph = network.graph
        if beyond_paper and (graph is None or target is None):
            raise RuleError(f"beyond_paper=True requires a model that can be traced ({network.reason}); use rule='gradient'.")
        rules = None if graph is None or target is None else NodeRules(graph, target, rule, beyond_paper)
        if plan is not None and rules is not None:
            return _project_local(network, plan, images, layer, units, positions, rules, seed, overwrite=rule != "gradient")
        return _project_full(network, images, layer, units, positions, rules or RuleMode(rule), seed)


def _choose_plan(network: Network, layer: str, method: Method) -> LocalPlan | None:
    """Return the plan for crops; None for whole images."""
    plan = network.plan(layer)
    if method == "local" and plan is None:
        unknown = network.layer(layer).receptive_field is None
        reason = "it depends on the whole image" if unknown else "its receptive field is not smaller than the image"
        reason = "images are run one by one" if network.single else reason
        raise LayerError(f"'{layer}' cannot be projected locally ({network.reason or reason}); use method='auto' or 'full'.")
    use_crops = plan is not None and (method == "local" or (method == "auto" and plan.cost < _MAX_CROP_COST))
    return plan if use_crops else None


def _project_local(
    network: Network,
    plan: LocalPlan,
    images: Tensor,
    layer: str,
    units: Tensor,
    positions: Tensor | None,
    rules: NodeRules,
    seed: str | float,
    overwrite: bool,
) -> Projected:
    if positions is None:
        with torch.no_grad():
            positions = _strongest(network.map(check_finite(images), layer), units)
    crops = check_finite(plan.crop(images, positions)).requires_grad_()
    with torch.enable_grad():
        parameters = plan.graph.trace.bind(network.model)
        activations = plan.run(crops.clone(), positions, units, parameters, rules, overwrite)
    rules.check(layer)
    return Projected(_backward(activations, crops, seed), plan.boxes(positions), activations.detach(), positions, "local")


def _project_full(
    network: Network, images: Tensor, layer: str, units: Tensor, positions: Tensor | None, rules: NodeRules | RuleMode, seed: str | float
) -> Projected:
    leaf = check_finite(images).clone().requires_grad_()
    with torch.enable_grad():
        parts = [leaf[index : index + 1] for index in range(len(leaf))] if network.single else [leaf]
        maps = torch.cat([_map_with_rule(network, part, layer, rules) for part in parts])
    positions = _strongest(maps.detach(), units) if positions is None else positions
    activations = maps[torch.arange(len(images), device=maps.device), units, positions[:, 0], positions[:, 1]]
    boxes = torch.tensor([network.box(layer, row, column) for row, column in positions.tolist()], device=positions.device)
    return Projected(cut_boxes(_backward(activations, leaf, seed), boxes), boxes, activations.detach(), positions, "full")


def _map_with_rule(network: Network, pixels: Tensor, layer: str, rules: NodeRules | RuleMode) -> Tensor:
    """Return the map of a layer (N, C, h, w), whose backward pass is that of a rule."""
    graph, node = network.graph, network.node(layer)
    if isinstance(rules, RuleMode):
        with rules as mode:
            batch = pixels.clone()  # not a leaf: the model's first operation may work in place
            mode.watch(batch)
            try:
                maps = network.map(batch, layer)
            except RuntimeError as error:  # for example an in-place operation that autograd does not allow
                raise RuleError(f"{layer!r} cannot be projected: the model cannot run with gradients ({error}).") from error
            mode.check(maps, layer)
        return maps
    assert graph is not None
    assert node is not None
    maps = pixels
    for operation, value in Executor(graph, graph.ancestors([node]), graph.trace.bind(network.model), rules).execute(pixels):
        maps = value if operation.node is node else maps
    rules.check(layer)
    return maps if maps.dim() == 4 else maps[:, :, None, None]


def _backward(activations: Tensor, pixels: Tensor, seed: str | float) -> Tensor:
    """Return the signal at the pixels for a seed at the activations (N,)."""
    seeds = activations.detach() if seed == "activation" else torch.full_like(activations, float(seed))
    if not activations.requires_grad:
        raise _not_connected()
    (signal,) = torch.autograd.grad(activations, pixels, seeds, allow_unused=True)
    if signal is None:
        raise _not_connected()
    return signal


def _not_connected() -> LayerError:
    return LayerError("The layer does not depend on the image: no differentiable operation connects them. Choose another layer.")


def _strongest(maps: Tensor, units: Tensor) -> Tensor:
    """Return the strongest position (N, 2) of each image's unit, the first in row order of several."""
    unit_maps = maps[torch.arange(len(maps), device=maps.device), units]
    index = unit_maps.flatten(1).argmax(dim=1)
    return torch.stack([index // maps.shape[-1], index % maps.shape[-1]], dim=1)
