"""The check that an engine's answers for a model are right, or refused by name. The truth is the model itself, one image at a time."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from deconvwidgets import engine
from deconvwidgets.engine.occlusion.occluded_image import OccludedImage
from deconvwidgets.errors import DeconvWidgetsError, GraphError, LayerError, RuleError
from deconvwidgets.records.layers import LayerInfo
from tests.engine.map_order import as_map

SIZE = (3, 20, 18)
PATCH_SETS = [[(2, 3, 8, 9)], [(0, 0, 4, 4)], [(12, 10, 18, 20)], [(5, 6, 9, 7), (1, 15, 3, 17)]]


def maps_of(model: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """Return the output of each module call for one image (1, C, H, W), from forward hooks on a deep copy of the model."""
    maps: dict[str, Tensor] = {}
    count: dict[str, int] = {}
    copied = copy.deepcopy(model)

    def make_hook(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            count[name] = count.get(name, 0) + 1
            if isinstance(output, Tensor):
                maps[name if count[name] == 1 else f"{name}#{count[name]}"] = output.clone()

        return hook

    for name, module in copied.named_modules():
        if name:
            module.register_forward_hook(make_hook(name))
    maps[""] = copied(image.clone())
    return maps


def check(model: nn.Module, size: tuple[int, int, int] = SIZE, batch: Tensor | None = None) -> engine.Network:
    """Check maps, projections by every rule and method, and occlusion. Return the network."""
    model = model.double().eval()
    batch = torch.randn(3, *size, dtype=torch.float64) if batch is None else batch
    before = state_of(model), batch.clone()
    network = engine.Network.of(model, size)
    with torch.no_grad():
        truth = [maps_of(model, image[None]) for image in batch]
    for info in network.layers:
        if info.name in truth[0]:
            check_maps(network, info.name, batch, truth)
    layers = [info for info in network.layers if info.name in truth[0] and info.height > 1]
    for info in {layer.name: layer for layer in (layers[0], layers[-1])}.values() if layers else []:
        check_projections(network, model, info.name, batch)
    if layers and isinstance(truth[0][""], Tensor) and truth[0][""].dim() == 2:
        check_occlusion(network, model, layers[-1].name, batch)
    assert state_of(model) == before[0], "the model was changed"
    assert torch.equal(batch, before[1]), "the batch was changed"
    return network


def check_maps(network: engine.Network, layer: str, batch: Tensor, truth: list[dict[str, Tensor]]) -> None:
    with torch.no_grad():
        found = network.map(batch.clone(), layer)
    for image, maps in zip(found, truth, strict=True):
        expected = as_map(maps[layer], network.layer(layer))[0]
        assert relative_error(image.reshape(expected.shape), expected) < 1e-10, layer


def check_projections(network: engine.Network, model: nn.Module, layer: str, batch: Tensor) -> None:
    """Rule "gradient" is autograd's; local and full projections are equal, or refused by name."""
    info = network.layer(layer)
    at = torch.tensor([[0, 0], [info.height - 1, info.width - 1], [info.height // 2, info.width // 3]])
    unit = info.channels - 1
    parts = [gradient(model, image[None], info, unit, position) for image, position in zip(batch, at.tolist(), strict=True)]
    for rule in ("gradient", "deconvnet", "guided"):
        results = []
        for method in ("full", "local"):
            try:
                projected = engine.project(network, batch, layer, unit=unit, at=at, rule=rule, method=method, seed=1.0)
            except (RuleError, LayerError) as error:
                if rule == "gradient" and method == "full" and not re.search("does not depend|cannot run with gradients", str(error)):
                    raise
                continue
            results.append(projected.full(*batch.shape[2:]))
            if rule == "gradient" and (found := [part for part in parts if part is not None]):
                assert relative_error(results[-1], torch.cat(found)) < 1e-9, (layer, method)
        assert len(results) < 2 or relative_error(results[1], results[0]) < 1e-9, (layer, rule)


def gradient(model: nn.Module, image: Tensor, info: LayerInfo, unit: int, position: list[int]) -> Tensor | None:
    """Return autograd's gradient of one activation; None if autograd itself cannot run the model."""
    leaf = image.clone().requires_grad_()
    try:
        value = as_map(maps_of(model, leaf.clone())[info.name], info)[0, unit, position[0], position[1]]
    except RuntimeError:
        return None
    (pixels,) = torch.autograd.grad(value, leaf, allow_unused=True) if value.requires_grad else (None,)
    return torch.zeros_like(image) if pixels is None else pixels


def check_occlusion(network: engine.Network, model: nn.Module, layer: str, batch: Tensor) -> None:
    image, fill, info = batch[:1], torch.full((batch.shape[1], 1, 1), 0.3, dtype=batch.dtype), network.layer(layer)
    expected = []
    for patches in PATCH_SETS:
        pixels = image.clone()
        for left, top, right, bottom in patches:
            pixels[:, :, top:bottom, left:right] = 0.3
        with torch.no_grad():
            expected.append(maps_of(model, pixels))
    for method in ("full", "incremental"):
        try:
            occluded = OccludedImage(network, image, fill, layer, 0, method=method)
        except GraphError:
            assert method == "incremental"
            continue
        found = occluded.run(PATCH_SETS)
        assert relative_error(found.maps, torch.cat([as_map(maps[layer], info)[:, 0] for maps in expected])) < 1e-10, method
        assert found.logits is not None
        assert relative_error(found.logits, torch.cat([maps[""] for maps in expected])) < 1e-10, method


def relative_error(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-12))


def state_of(model: nn.Module) -> Any:
    """Return everything of a model that must not change."""
    return [
        (
            name,
            module.training,
            sorted(vars(module)),
            [len(getattr(module, hooks)) for hooks in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")],
            [(key, value.data_ptr(), value.requires_grad, value.grad is None, value.sum().item()) for key, value in tensors(module)],
        )
        for name, module in model.named_modules()
    ]


def tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    pairs = [*module._parameters.items(), *module._buffers.items(), *vars(module).items()]
    return [(key, value) for key, value in pairs if isinstance(value, Tensor)]


def refusal(action: Callable[[], object]) -> str:
    """Return the message of the package's error that an action raises."""
    try:
        action()
    except DeconvWidgetsError as error:
        return str(error)
    raise AssertionError("nothing was refused")
