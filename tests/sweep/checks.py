"""What must hold for every network, each checked against an independent truth: the plain model with forward hooks, autograd, loops."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from deconvwidgets import engine
from deconvwidgets.engine.network import Network
from deconvwidgets.engine.occlusion.occluded_image import OccludedImage
from deconvwidgets.errors import LayerError, RuleError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from tests.sweep.plain import Plain

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 5e-3}  # of the largest value
Size = tuple[int, int, int]
Box = tuple[int, int, int, int]


def randomised(model: nn.Module, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Randomise what is the identity at first and would hide errors: norms, biases, scales. Return the model in eval mode."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point() and bool((parameter == parameter.flatten()[0]).all()):
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
                module.running_mean.copy_(0.3 * torch.randn(module.running_mean.shape, generator=generator))
                module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=generator))
    return model.to(dtype).eval()


def noise(size: Sequence[int], count: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return reproducible noise (count, C, H, W)."""
    return torch.randn((count, *size), generator=torch.Generator().manual_seed(7)).to(dtype)


def assert_close(found: Tensor, expected: Tensor, what: str) -> None:
    """Check equality up to rounding, relative to the largest value."""
    assert found.shape == expected.shape, f"{what}: {tuple(found.shape)}, not {tuple(expected.shape)}"
    assert found.dtype == expected.dtype, f"{what}: {found.dtype}, not {expected.dtype}"
    largest = float(expected.abs().max())
    difference = float((found - expected).abs().max())
    assert difference <= TOLERANCE[expected.dtype] * largest, f"{what} differs by {difference} of {largest}"


@contextmanager
def nothing_changes(model: nn.Module, *batches: Tensor) -> Iterator[None]:
    """Check that a model and batches are the same afterwards, bit for bit, and that nothing is added to the modules."""

    def state() -> dict[str, Any]:
        return {
            name: (
                module.training,
                {key: dict(value) if isinstance(value, dict) else id(value) for key, value in vars(module).items() if "hook" in key},
                [(key, value.requires_grad, value.grad is None, value._version) for key, value in module.named_parameters(recurse=False)],
                sorted(vars(module)),
            )
            for name, module in model.named_modules()
        }

    before, tensors = state(), {name: value.clone() for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    copies = [batch.clone() for batch in batches]
    yield
    assert state() == before
    after = model.state_dict()
    assert {name for name, value in after.items() if isinstance(value, Tensor)} == set(tensors)
    assert all(torch.equal(after[name], value) for name, value in tensors.items())
    assert all(torch.equal(batch, copied) and batch.grad is None for batch, copied in zip(batches, copies, strict=True))


def check_layers(plain: Plain, network: Network, batch: Tensor) -> None:
    """Check the sizes and the maps of all layers that are module calls, and the names that they are found by."""
    with torch.no_grad():
        maps, _ = plain.maps(batch)
    infos = {info.name: info for info in network.layers if info.name in maps}
    assert len(infos) >= len(network.layers) / 3, f"only {len(infos)} of {len(network.layers)} layers are outputs of modules"
    for name, info in infos.items():
        extent = tuple(maps[name].shape[2:]) or (1, 1)
        assert (info.channels, info.height, info.width) == (maps[name].shape[1], *extent), name
        assert network.layer(info.alias or name) == info
    seen: list[str] = []

    def compare(name: str, value: Tensor) -> None:
        assert_close(value, maps[name], name)
        seen.append(name)

    with torch.no_grad():
        network.visit(batch, infos, compare)
    assert sorted(seen) == sorted(infos)


def three_depths(network: Network, maps: dict[str, Tensor]) -> list[str]:
    """Return the first, the middle and the last feature map that are outputs of modules."""
    names = [info.name for info in network.feature_map_layers if info.name in maps] or [
        info.name for info in network.layers if info.name in maps and maps[info.name].dim() == 4
    ]
    return list(dict.fromkeys([names[0], names[len(names) // 2], names[-1]]))


def check_projections(plain: Plain, network: Network, batch: Tensor, layers: Sequence[str] | None = None) -> dict[str, str]:
    """Check projections at three depths. Return the reasons why the rule "deconvnet" is refused, by layer.

    Rule "gradient" is compared with autograd on the plain model, on the whole input: what lies outside of the box must be zero.
    Rule "deconvnet" is compared with a plain model whose rectifiers rectify the signal; local with full.
    """
    refused: dict[str, str] = {}
    with torch.no_grad():
        maps, _ = plain.maps(batch)
    for layer in layers or three_depths(network, maps):
        info = network.layer(layer)
        unit = info.channels // 2
        at = [[info.height // 2, info.width // 3], [0, info.width - 1]][: len(batch)]
        _check_projection(network, batch, layer, unit, at, "gradient", plain.signal(batch, layer, unit, at))
        try:
            expected = None if _has_response_norm(plain.model) else plain.signal(batch, layer, unit, at, rectified=True)
            _check_projection(network, batch, layer, unit, at, "deconvnet", expected)
        except RuleError as error:
            refused[layer] = str(error)
            check_refusal(refused[layer])
    return refused


def check_refusal(message: str) -> None:
    """Check that a message names the operation and the way on."""
    assert "cannot be projected with rule='deconvnet': " in message
    assert "Use rule='gradient'" in message
    reason = message.split("rule='deconvnet': ")[1]
    assert any(words in reason for words in ("has no backward rule", "no rule can be applied", "that cannot be inspected")), message
    assert reason.split()[0].isidentifier() or "." in reason.split()[0], message


def _check_projection(
    network: Network, batch: Tensor, layer: str, unit: int, at: list[list[int]], rule: Any, expected: Tensor | None
) -> None:
    size = (batch.shape[2], batch.shape[3])
    full = engine.project(network, batch, layer, unit=unit, at=at, rule=rule, method="full", seed=1.0)
    if expected is not None:
        assert_close(full.full(*size), expected, f"{rule} at {layer}")
    if network.plan(layer) is None:
        try:
            engine.project(network, batch, layer, unit=unit, at=at, rule=rule, method="local")
        except LayerError as error:
            assert "cannot be projected locally" in str(error)  # noqa: PT017
        else:
            raise AssertionError(f"{layer} is projected locally without a plan")
        return
    local = engine.project(network, batch, layer, unit=unit, at=at, rule=rule, method="local", seed=1.0)
    assert torch.equal(local.boxes, full.boxes)
    assert_close(local.full(*size), full.full(*size), f"local {rule} at {layer}")
    assert_close(local.values, full.values, f"local activation at {layer}")


def _has_response_norm(model: nn.Module) -> bool:
    return any(isinstance(module, nn.LocalResponseNorm) for module in model.modules())


def check_occlusion(plain: Plain, network: Network, layer: str, logits: bool = True) -> None:
    """Check incremental occlusion against a loop over whole images that are occluded pixel by pixel."""
    size = network.input_size
    image, fill = noise(size, 1), noise((size[0], 1, 1), 1)[0].expand(size)
    height, width = size[1:]
    patch_sets: list[list[Box]] = [
        [(0, 0, 9, 7)],
        [(width // 2, height // 2, width // 2 + 9, height // 2 + 9)],
        [(width - 5, height - 8, width + 4, height + 2)],
        [(-4, height // 3, 5, height // 3 + 9), (width // 2, 1, width // 2 + 6, 4)],
    ]
    unit = network.layer(layer).channels - 1
    with nothing_changes(network.model, image, fill):
        run = OccludedImage(network, image, fill, layer, unit, logits=logits, method="incremental")
        found = run.run(patch_sets)
    for number, patches in enumerate(patch_sets):
        occluded = image.clone()
        for left, top, right, bottom in patches:
            for row in range(max(top, 0), min(bottom, height)):
                for column in range(max(left, 0), min(right, width)):
                    occluded[0, :, row, column] = fill[:, row, column]
        with torch.no_grad():
            maps, output = plain.maps(occluded, None if logits else layer)
        expected = maps[layer][:, unit] if maps[layer].dim() == 4 else maps[layer][:, unit, None, None]
        assert_close(found.maps[number : number + 1], expected, f"map under patch {number}")
        if logits:
            assert found.logits is not None
            assert_close(found.logits[number : number + 1], output, f"logits under patch {number}")


def check_index(model: nn.Module, size: Size, images: Any, layers: Sequence[str]) -> None:
    """Check the strongest activation of every unit against the maxima of all whole maps."""
    model = copy.deepcopy(model).float()
    mean = tuple([0.5] * size[0])
    bundle = ModelBundle.from_module(model, transform=Preprocess(resize=size[1], crop=size[1:], mean=mean, std=mean))
    index = ActivationIndex.build(bundle, images, layers=layers, k=1, progress=False)
    with torch.no_grad():
        found = [
            Plain(model, bundle.network.layers).maps(bundle.prepare(images.open_crop(number))[None])[0] for number in range(len(images))
        ]
    for layer in layers:
        maps = torch.cat([maps[layer] for maps in found])
        strongest = maps.flatten(2).max(dim=2).values  # (crops, units)
        scale = float(maps.abs().max())
        best, positions, values = index.image_ids(layer)[:, 0], index.positions(layer)[:, 0], torch.from_numpy(index.values(layer)[:, 0])
        assert best.max() >= 0, f"no activations in {layer}"
        for unit, (crop, (row, column)) in enumerate(zip(best.tolist(), positions.tolist(), strict=True)):
            maximum = strongest[:, unit].max()
            if crop < 0:
                assert maximum == 0
                continue
            assert abs(float(maps[crop, unit, row, column] - maximum)) <= 1e-4 * scale, (layer, unit)
            assert abs(float(values[unit] - maximum)) <= 1e-4 * scale, (layer, unit)


def check_network(
    model: nn.Module, size: Size, *, occlusion: bool = False, logits: bool = True, index: Any = None, traced: bool = True
) -> dict[str, str]:
    """Run all checks on a network. Return the reasons why the rule "deconvnet" is refused, by layer."""
    model = randomised(model)
    batch = noise(size)
    with nothing_changes(model, batch):
        network = Network.of(model, size)
        plain = Plain(model, network.layers)
        if traced:
            assert network.graph is not None, network.reason
        check_layers(plain, network, batch)
        refused = check_projections(plain, network, batch)
    with torch.no_grad():
        layers = three_depths(network, plain.maps(batch)[0])
    if occlusion:
        check_occlusion(plain, network, layers[len(layers) // 2], logits)
    if index is not None:
        check_index(model, size, index, [layers[0], layers[-1]])
    return refused
