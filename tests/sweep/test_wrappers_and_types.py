"""Wrapped, compiled, scripted and parametrised models, other floating-point types and memory formats, hooks of others, and copies."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

from deconvwidgets import engine
from deconvwidgets.engine.network import Network
from deconvwidgets.errors import ModelError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from tests.sweep.checks import (
    TOLERANCE,
    assert_close,
    check_layers,
    check_network,
    check_projections,
    noise,
    nothing_changes,
    randomised,
)
from tests.sweep.plain import Plain

pytestmark = pytest.mark.slow

SIZE = (3, 28, 24)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.relu = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        self.pool, self.deep, self.classify = nn.MaxPool2d(2), nn.Conv2d(8, 6, 3), nn.Linear(6, 5)

    def forward(self, batch: Tensor) -> Tensor:
        maps = self.pool(self.relu(self.norm(self.conv(batch))))
        return self.classify(self.relu(self.deep(maps)).mean((2, 3)))


def small(dtype: torch.dtype = torch.float64) -> Small:
    model = randomised(Small(), dtype)
    assert isinstance(model, Small)
    return model


WRAPPED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "DataParallel": nn.DataParallel,
    "torch.compile": lambda model: torch.compile(model, backend="eager"),  # type: ignore[dict-item, return-value]
    "both": lambda model: nn.DataParallel(torch.compile(model, backend="eager")),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", WRAPPED)
def test_layers_of_wrapped_models_are_those_of_the_model_inside(name: str) -> None:
    model = small()
    plain, batch = Plain(model), noise(SIZE)
    wrapped = WRAPPED[name](model)
    with nothing_changes(model, batch):
        network = Network.of(wrapped, SIZE)
        assert network.layers == Network.of(model, SIZE).layers
        check_layers(plain, network, batch)
        assert check_projections(plain, network, batch) == {}


def test_a_model_compiled_in_place_is_traced() -> None:
    model = small()
    model.compile(backend="eager")
    network = Network.of(model, SIZE)
    check_layers(Plain(small()), network, noise(SIZE))


def test_torchscript_is_refused_with_the_way_on() -> None:
    scripted = torch.jit.script(small())
    traced = torch.jit.trace(small(), noise(SIZE))
    partly = nn.Sequential(nn.Conv2d(3, 3, 1).double(), scripted).eval()
    for model in (scripted, traced, partly):
        with pytest.raises(ModelError, match=r"TorchScript module.*Pass the model that it was"):
            Network.of(model, SIZE)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_floating_point_types(dtype: torch.dtype) -> None:
    model, batch = small(dtype), noise(SIZE, dtype=dtype)
    plain = Plain(model)
    with nothing_changes(model, batch):
        network = Network.of(model, SIZE)
        assert network.graph is not None, network.reason
        check_layers(plain, network, batch)
        assert check_projections(plain, network, batch) == {}


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_batches_of_another_type_are_refused_with_the_way_on(dtype: torch.dtype) -> None:
    with pytest.raises(ModelError, match=r"use batch\.to\(device, dtype\) with those of the model"):
        engine.project(small(torch.float32), noise(SIZE, dtype=dtype), "conv1", unit=0)
    with pytest.raises(ModelError, match="must be a floating-point tensor"):
        engine.project(small(), torch.zeros(1, *SIZE, dtype=torch.int64), "conv1", unit=0)


@pytest.mark.parametrize("batch_too", [False, True])
def test_channels_last_memory(batch_too: bool) -> None:
    model = small().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = noise(SIZE)
    batch = batch.contiguous(memory_format=torch.channels_last) if batch_too else batch
    plain, strides = Plain(small()), batch.stride()
    with nothing_changes(model, batch):
        network = Network.of(model, SIZE)
        check_layers(plain, network, batch)
        assert check_projections(plain, network, batch) == {}
    assert batch.stride() == strides
    assert model.conv.weight.is_contiguous(memory_format=torch.channels_last)


class Symmetric(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight + weight.flip(3)


def old_weight_norm(model: Small) -> None:
    with pytest.warns(FutureWarning):
        nn.utils.weight_norm(model.conv)


def parametrised(model: Small) -> None:
    parametrize.register_parametrization(model.conv, "weight", Symmetric())
    parametrize.register_parametrization(model.deep, "weight", Symmetric())


PARAMETRISED: dict[str, Callable[[Small], object]] = {
    "weight_norm": lambda model: parametrizations.weight_norm(model.conv),
    "old weight_norm": old_weight_norm,
    "spectral_norm": lambda model: parametrizations.spectral_norm(model.deep),
    "old spectral_norm": lambda model: nn.utils.spectral_norm(model.deep),
    "orthogonal": lambda model: parametrizations.orthogonal(model.conv),
    "own parametrisation": parametrised,
    "pruning": lambda model: prune.l1_unstructured(model.conv, "weight", 0.5),
    "frozen": lambda model: model.requires_grad_(False),
}


@pytest.mark.parametrize("name", PARAMETRISED)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_parametrised_weights(name: str) -> None:
    model = small()
    PARAMETRISED[name](model)
    with torch.no_grad():
        model(noise(SIZE))  # the old functions compute the weight here; before, PyTorch itself cannot deep-copy the model
    assert check_network(model, SIZE, occlusion=True) == {}


def double_output(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return output * 2


def shift_input(module: nn.Module, args: Any) -> Any:
    return (args[0] + 0.5, *args[1:])


def test_hooks_of_others_are_part_of_the_model_and_stay() -> None:
    """Forward hooks change what the model computes; backward hooks do not run in the user's place, and neither is removed."""
    calls: list[str] = []
    model = small()
    handles = [
        model.conv.register_forward_hook(double_output),
        model.deep.register_forward_pre_hook(shift_input),
        model.pool.register_full_backward_hook(lambda module, given, received: calls.append("backward")),
    ]
    truth = small()
    truth.conv.register_forward_hook(double_output)
    truth.deep.register_forward_pre_hook(shift_input)
    plain, batch = Plain(truth), noise(SIZE)
    with nothing_changes(model, batch):
        network = Network.of(model, SIZE)
        check_layers(plain, network, batch)
        assert check_projections(plain, network, batch) == {}
    assert calls == []
    handles[0].remove()
    del truth.conv._forward_hooks[next(iter(truth.conv._forward_hooks))]
    check_layers(Plain(truth), Network.of(model, SIZE), batch)  # traced anew without the hook


def test_a_hook_that_counts_may_be_called_but_changes_no_answer() -> None:
    model, seen = small(), list[int]()
    model.relu.register_forward_hook(lambda module, args, output: seen.append(output.shape[1]))
    check_layers(Plain(small()), Network.of(model, SIZE), noise(SIZE))


def test_models_made_in_inference_mode() -> None:
    with torch.inference_mode():
        model = small()
        batch = noise(SIZE)
    plain, truth = Plain(small()), noise(SIZE)
    network = Network.of(model, SIZE)
    check_layers(plain, network, truth)
    found = engine.project(network, batch, "deep", unit=1, at=[[0, 0], [3, 4]], rule="gradient", seed=1.0)
    assert_close(found.full(*SIZE[1:]), plain.signal(truth, "deep", 1, [[0, 0], [3, 4]]), "gradient")


def bundle_of(model: nn.Module) -> ModelBundle:
    half = (0.5, 0.5, 0.5)
    return ModelBundle.from_module(model, transform=Preprocess(resize=28, crop=SIZE[1:], mean=half, std=half), name="small")


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, copy.copy, lambda value: pickle.loads(pickle.dumps(value))], ids=["deepcopy", "copy", "pickle"]
)
def test_copies_of_networks_bundles_and_indexes_answer_the_same(
    copied: Callable[[Any], Any], noise: Callable[..., Any], tmp_path: Path
) -> None:
    model, batch = small(torch.float32), torch.randn(2, *SIZE, generator=torch.Generator().manual_seed(0))
    network, bundle = Network.of(model, SIZE), bundle_of(model)
    index = ActivationIndex.build(bundle, noise(4), k=2, progress=False)
    arguments: dict[str, Any] = {"unit": 1, "at": [[0, 0], [3, 4]]}
    expected = engine.project(network, batch, "deep", **arguments).pixels
    other_network, other_bundle, other_index = copied(network), copied(bundle), copied(index)
    assert torch.equal(engine.project(other_network, batch, "deep", **arguments).pixels, expected)
    assert torch.equal(engine.project(other_bundle.network, batch, "deep", **arguments).pixels, expected)
    assert other_network.layers == network.layers
    assert other_network.digest("deep") == network.digest("deep")
    rebuilt = ActivationIndex.build(other_bundle, noise(4), k=2, progress=False)
    for layer in index.layers:
        for answers in (other_index, rebuilt):
            assert (answers.image_ids(layer.name) == index.image_ids(layer.name)).all()
            assert (answers.values(layer.name) == index.values(layer.name)).all()
    index.check(rebuilt.identity)


def test_half_precision_is_compared_with_a_tolerance_of_its_rounding() -> None:
    assert all(TOLERANCE[dtype] > torch.finfo(dtype).eps for dtype in (torch.bfloat16, torch.float16))
