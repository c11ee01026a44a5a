"""The extension of the rules beyond the paper, against signals that are propagated by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deconvwidgets import engine
from deconvwidgets.errors import RuleError
from deconvwidgets.models.torchvision_import import import_torchvision
from tests.engine.random_models import with_random_norms

SIZE = (3, 15, 14)


class Gated(nn.Module):
    """A smooth activation, a gate per channel, a gate per position, and a group norm."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.gate = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3), nn.Conv2d(6, 6, 1)
        self.norm, self.attention, self.last = nn.GroupNorm(2, 6), nn.Conv2d(6, 1, 1), nn.Conv2d(6, 4, 3)
        nn.init.normal_(self.norm.weight)

    def forward(self, batch: Tensor) -> Tensor:
        return self.last(self.scaled(self.parts(batch)[-1]))

    def parts(self, batch: Tensor) -> tuple[Tensor, ...]:
        maps = F.silu(self.first(batch))
        gated = maps * torch.sigmoid(self.gate(maps.mean((2, 3), keepdim=True)))
        return maps, gated, self.norm(self.second(gated))

    def scaled(self, maps: Tensor) -> Tensor:
        return maps * torch.sigmoid(self.attention(maps))


def test_activations_gates_and_normalisations() -> None:
    model = Gated().double().eval()
    batch = torch.randn(2, *SIZE, dtype=torch.float64)
    projected = engine.project(model, batch, "last", unit=1, at=[[4, 3], [0, 7]], seed=1.0, beyond_paper=True)
    maps, _, normed = model.parts(batch)
    seed = torch.zeros(2, 4, 9, 8, dtype=torch.float64)
    seed[0, 1, 4, 3] = seed[1, 1, 0, 7] = 1
    signal = F.conv_transpose2d(seed, model.last.weight) * torch.sigmoid(model.attention(normed))
    groups = model.second(maps * torch.sigmoid(model.gate(maps.mean((2, 3), keepdim=True)))).view(2, 2, -1)
    deviation = (groups.var(2, correction=0) + 1e-5).sqrt().repeat_interleave(3, 1)[:, :, None, None]
    signal = F.conv_transpose2d(signal * model.norm.weight[:, None, None] / deviation, model.second.weight)
    signal = (signal * torch.sigmoid(model.gate(maps.mean((2, 3), keepdim=True)))).clamp(min=0)
    expected = F.conv_transpose2d(signal, model.first.weight)
    torch.testing.assert_close(projected.full(15, 14), expected, rtol=0, atol=1e-12)


def test_it_is_refused_without_being_asked_for() -> None:
    with pytest.raises(RuleError, match=r"silu.* has no backward rule.*beyond_paper=True: our extension"):
        engine.project(Gated().eval(), torch.randn(1, *SIZE), "last", unit=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenet_v3_small", "convnext_tiny", "regnet_y_400mf"])
def test_architectures(name: str) -> None:
    model = with_random_norms(import_torchvision().models.get_model(name, weights=None))
    batch = torch.randn(2, 3, 96, 96, dtype=torch.float64)
    network = engine.Network.of(model, (3, 96, 96))
    layers = [info.name for info in network.feature_map_layers]
    for layer in (layers[1], layers[-1]):
        projected = engine.project(network, batch, layer, unit=0, seed=1.0, beyond_paper=True)
        assert torch.isfinite(projected.pixels).all()
        assert projected.pixels.abs().max() > 0
        if network.plan(layer) is not None:
            both = [engine.project(network, batch, layer, unit=0, seed=1.0, beyond_paper=True, method=m).pixels for m in ("local", "full")]
            torch.testing.assert_close(both[0], both[1], rtol=0, atol=1e-10 * float(both[1].abs().max()))


@pytest.mark.slow
def test_attention_is_refused() -> None:
    model = import_torchvision().models.vit_b_32(weights=None, image_size=64).eval()
    with pytest.raises(RuleError, match="has no backward rule"):
        engine.project(model, torch.randn(1, 3, 64, 64), "heads", unit=0, beyond_paper=True)
