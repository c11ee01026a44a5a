"""Models that cannot be traced, or in which no signal passes backwards: the reasons are in words of the model's author."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deconvwidgets import engine
from deconvwidgets.engine.network import Network
from deconvwidgets.errors import LayerError, RuleError
from tests.sweep.checks import check_layers, check_refusal, noise, nothing_changes
from tests.sweep.plain import Plain

pytestmark = pytest.mark.slow

SIZE = (3, 20, 18)


class Model(nn.Module):
    """Two convolutions with a function of the maps (N, 4, 18, 16) in between."""

    def __init__(self, function: Callable[[Model, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.function = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), function
        self.embed, self.recurrent = nn.Embedding(256, 4), nn.GRU(4, 4, batch_first=True)
        self.encoder = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, batch: Tensor) -> Tensor:
        return self.second(self.function(self, F.relu(self.first(batch)))).mean((2, 3))


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x * x

    @staticmethod
    def backward(ctx: object, *signals: Tensor) -> Tensor:
        return signals[0]


def halve_while_large(model: Model, maps: Tensor) -> Tensor:
    while maps.abs().max() > 1:
        maps = maps / 2
    return maps


def as_tokens(model: Model, maps: Tensor) -> Tensor:
    return maps.flatten(2).transpose(1, 2)


def as_maps(tokens: Tensor, maps: Tensor) -> Tensor:
    return tokens.transpose(1, 2).reshape(maps.shape)


def gated(model: Model, maps: Tensor) -> Tensor:
    """Multiply the maps by numbers that a recurrent network computes from a few of their positions: each step of it is traced."""
    return maps * model.recurrent(as_tokens(model, maps[:, :, :2, :3]))[0].mean((1, 2))[:, None, None, None]


def doubled_where_positive(model: Model, maps: Tensor) -> Tensor:
    places, doubled = tuple((maps > 0).nonzero().T), maps.clone()
    doubled[places] = doubled[places] * 2
    return doubled


UNTRACEABLE: dict[str, tuple[str, Callable[[Model, Tensor], Tensor]]] = {
    "a loop": ("its forward pass branches on the values of tensors", halve_while_large),
    "NumPy": ("its forward pass converts tensors to NumPy arrays", lambda model, maps: torch.from_numpy(maps.detach().numpy() * 2)),
    "a custom function": ("calls a custom autograd function (Square)", lambda model, maps: Square.apply(maps)),
    "dropout in eval mode": ("it draws random numbers", lambda model, maps: F.dropout(maps, 0.5)),
    "noise": ("it draws random numbers", lambda model, maps: maps + torch.rand_like(maps)),
}


@pytest.mark.parametrize("name", UNTRACEABLE)
def test_reasons_why_a_model_cannot_be_traced(name: str) -> None:
    reason, function = UNTRACEABLE[name]
    model, batch = Model(function).double().eval(), noise(SIZE)
    with nothing_changes(model, batch):
        network = Network.of(model, SIZE)
        assert network.graph is None
        assert network.reason is not None
        assert reason in network.reason
        assert "projections run on whole images" in network.notes[0]
        with pytest.raises(LayerError, match=r"cannot be projected locally.*use method='auto' or 'full'"):
            engine.project(network, batch, "second", unit=0, method="local")
        with torch.no_grad():
            assert torch.equal(network.map(batch, "first"), Plain(model).maps(batch)[0]["first"])


REFUSED: dict[str, tuple[str, Callable[[Model, Tensor], Tensor]]] = {
    "GRU": ("gru", gated),
    "transformer": ("scaled_dot_product_attention", lambda model, maps: as_maps(model.encoder(as_tokens(model, maps)), maps)),
    "sorting": ("sort", lambda model, maps: maps.sort(1).values),
    "Fourier transform": ("fft_fft2", lambda model, maps: torch.fft.ifft2(torch.fft.fft2(maps) * 1.5).real),
    "median": ("median", lambda model, maps: maps * (maps > maps.flatten(1).median(1).values[:, None, None, None])),
    "indices of values": ("nonzero", doubled_where_positive),
    "embedding": ("embedding", lambda model, maps: model.embed((maps[:, 0] * 10).abs().long().clamp(0, 255)).permute(0, 3, 1, 2)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_operations_without_a_backward_rule_are_named(name: str) -> None:
    operation, function = REFUSED[name]
    model, batch = Model(function).double().eval(), noise(SIZE)
    with nothing_changes(model, batch):
        network = Network.of(model, SIZE)
        assert network.graph is not None, network.reason
        check_layers(Plain(model, network.layers), network, batch)
        with pytest.raises(RuleError) as refused:
            engine.project(network, batch, "second", unit=0)
    check_refusal(str(refused.value))
    assert operation in str(refused.value)


@pytest.mark.parametrize("name", ["NumPy", "embedding"])
def test_layers_without_a_derivative_are_refused(name: str) -> None:
    function = {**UNTRACEABLE, **REFUSED}[name][1]
    with pytest.raises(LayerError, match=r"does not depend on the image: no differentiable operation.*Choose another layer"):
        engine.project(Model(function).double().eval(), noise(SIZE), "second", unit=0, rule="gradient")


def count_calls(model: Model, maps: Tensor) -> Tensor:
    model.count.add_(1)  # type: ignore[operator]
    return maps * model.count


@pytest.mark.parametrize("function", [count_calls, lambda model, maps: halve_while_large(model, count_calls(model, maps))])
def test_a_buffer_that_the_forward_pass_writes_to_is_not_changed(function: Callable[[Model, Tensor], Tensor]) -> None:
    model, batch = Model(function).double().eval(), noise(SIZE)
    with nothing_changes(model, batch):
        network = Network.of(model, SIZE)
        check_layers(Plain(model, network.layers), network, batch)
        engine.project(network, batch, "second", unit=0, rule="gradient")
    assert int(model.count) == 0
