"""Tokens of a grid and channels-last maps are layers, with the positions of the image; other tokens are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deconvwidgets import engine
from deconvwidgets.engine.map_views import with_map_views
from deconvwidgets.engine.tracing import trace_model
from deconvwidgets.errors import LayerError, RuleError
from deconvwidgets.models.torchvision_import import import_torchvision
from tests.engine.token_models import SIZE, TRANSFORMERS, randomised, torchvision_swin, torchvision_vit


def output_of(model: nn.Module, layer: str, batch: Tensor) -> Tensor:
    """Return the output of a module, seen by a forward hook."""
    outputs: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(lambda module, args, output: outputs.append(output))
    model(batch)
    handle.remove()
    return outputs[0]


def as_map(output: Tensor, before: int | None, grid: tuple[int, int]) -> Tensor:
    """Return tokens (N, L, C) or maps (N, H, W, C) as maps (N, C, H, W)."""
    if before is None:
        return output.permute(0, 3, 1, 2)
    return output[:, before:].transpose(1, 2).reshape(len(output), output.shape[2], *grid)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_maps_of_a_block_and_their_gradients(name: str) -> None:
    make, layer, before = TRANSFORMERS[name]
    model, batch = make(), torch.randn(2, *SIZE, dtype=torch.float64)
    network = engine.Network.of(model, SIZE)
    info = network.layer(layer)
    leaf = batch.clone().requires_grad_()
    expected = as_map(output_of(model, layer, leaf), before, (info.height, info.width))
    assert (info.height, info.width) == (4, 4)
    assert (info.channels, info.receptive_field) == (expected.shape[1], None)
    torch.testing.assert_close(network.map(batch, layer), expected.detach(), rtol=0, atol=1e-12)
    assert network.feature_map_layers[-1] == info
    (gradient,) = torch.autograd.grad(expected[0, 3, 0, 1] + expected[1, 5, 3, 2], leaf)
    projected = engine.project(network, batch, layer, unit=[3, 5], at=[[0, 1], [3, 2]], rule="gradient", seed=1.0)
    torch.testing.assert_close(projected.full(*SIZE[1:]), gradient, rtol=0, atol=1e-12)


def test_names_are_those_of_modules() -> None:
    network = engine.Network.of(torchvision_vit(), SIZE)
    names = [info.name for info in network.layers]
    assert names[:3] == ["conv_proj", "encoder.dropout", "encoder.layers.encoder_layer_0.ln_1"]
    assert [info.name for info in network.feature_map_layers] == [
        "conv_proj", "encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_1",
    ]  # fmt: skip
    assert network.layer("encoder.layers").name == "encoder.layers.encoder_layer_1", "another name of the same output"
    assert network.layer("encoder.layers.encoder_layer_0.mlp.0").alias is None
    assert "encoder.layers.encoder_layer_0.self_attention" not in names


def test_blocks_of_swin_are_feature_maps() -> None:
    network = engine.Network.of(torchvision_swin(), SIZE)
    found = [(info.name, info.channels, info.height) for info in network.feature_map_layers]
    assert found == [("features.0.0", 12, 8), ("features.1.0", 12, 8), ("features.1.1", 12, 8), ("features.3.0", 24, 4)]
    assert network.layer("features.2.norm").channels == 48, "four neighbours, joined"


class Tokens(nn.Module):
    """Patches of 16 x 16 pixels as tokens, which functions may reorder, each followed by a linear layer of its name."""

    def __init__(self, **steps: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.norm, self.steps = nn.Conv2d(3, 8, 16, 16), nn.LayerNorm(8), steps
        self.end, self.mix = nn.Parameter(torch.randn(1, 2, 8)), nn.ModuleDict({name: nn.Linear(8, 8) for name in steps})

    def forward(self, batch: Tensor) -> Tensor:
        patches, means = self.norm(self.patches(batch).flatten(2).transpose(1, 2)), []
        for name, step in self.steps.items():
            tokens = torch.cat([step(patches), self.end.expand(len(batch), -1, -1)], 1)
            means.append(self.mix[name](tokens).mean(1))
        return torch.stack(means).sum(0)


def test_position_of_a_token_is_that_of_its_patch() -> None:
    """A change in one patch of an image that is not square changes the map at one position, before attention."""
    model, size = Tokens(same=lambda tokens: tokens).double().eval(), (3, 96, 160)
    network, batch = engine.Network.of(model, size), torch.randn(1, *size, dtype=torch.float64)
    assert [(info.name, info.height, info.width) for info in network.layers[1:3]] == [("norm", 6, 10), ("mix.same", 6, 10)]
    before = network.map(batch, "mix.same")
    for row, column in ((0, 1), (2, 7), (5, 9)):
        changed = batch.clone()
        changed[:, :, 16 * row + 3, 16 * column + 5] += 1
        difference = (network.map(changed, "mix.same") - before).abs().amax((0, 1))
        assert difference.nonzero().tolist() == [[row, column]]


def _by_index(tokens: Tensor) -> Tensor:
    return tokens[:, torch.arange(tokens.shape[1]).flip(0)]


def _attended(tokens: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(tokens, tokens, tokens)


OTHER_ORDERS: dict[str, Callable[[Tensor], Tensor]] = {
    "by an index": _by_index,
    "flipped": lambda tokens: tokens.flip(1),
    "rolled": lambda tokens: tokens.roll(1, 1),
    "sorted": lambda tokens: tokens.sort(1).values,
    "shuffled as channels": lambda tokens: F.channel_shuffle(tokens[..., None], 4)[..., 0],
    "pooled": lambda tokens: F.max_pool1d(tokens.transpose(1, 2), 3, 1, 1).transpose(1, 2),
    "mixed by a linear map": lambda tokens: torch.einsum("nlc,lk->nkc", tokens, torch.eye(tokens.shape[1]).flip(0).to(tokens)),
    "another reshape": lambda tokens: tokens.transpose(1, 2).reshape(tokens.shape),
    "column by column": lambda tokens: tokens.unflatten(1, (4, 6)).transpose(1, 2).flatten(1, 2),
    "another grid": lambda tokens: tokens.unflatten(1, (6, 4)).transpose(1, 2).flatten(1, 2),
    "some dropped": lambda tokens: tokens[:, 1:],
    "every second": lambda tokens: tokens[:, ::2],
    "twice": lambda tokens: torch.cat([tokens, tokens], 1),
    "attention without a residual sum": _attended,
    "windows": lambda tokens: tokens.reshape(-1, 2, 2, 3, 2, 8).permute(0, 1, 3, 2, 4, 5).reshape(len(tokens), 24, 8),
}


def test_tokens_in_another_order_are_no_layers() -> None:
    network = engine.Network.of(Tokens(**OTHER_ORDERS).double().eval(), (3, 64, 96))
    assert network.graph is not None
    assert [info.name for info in network.layers] == ["patches", "norm"]
    with pytest.raises(LayerError, match=r"no layer 'mix\.flipped'"):
        network.layer("mix.flipped")


SAME_ORDER: dict[str, Callable[[Tensor], Tensor]] = {
    "residual sum": lambda tokens: tokens + _attended(tokens),
    "class token added and removed": lambda tokens: torch.cat([tokens.mean(1, keepdim=True), tokens], 1)[:, 1:],
    "maps and back": lambda tokens: F.gelu(tokens.transpose(1, 2).unflatten(2, (4, 6))).permute(0, 2, 3, 1).flatten(1, 2),
    "the same shape": lambda tokens: tokens.reshape(len(tokens), tokens.shape[1], -1).view(len(tokens), -1, 8),
    "scaled": lambda tokens: 2 * tokens * torch.sigmoid(tokens.mean(1, keepdim=True)),
    "heads and back": lambda tokens: tokens.unflatten(2, (2, 4)).transpose(1, 2).transpose(1, 2).flatten(2),
}


def test_tokens_in_the_same_order_are_layers() -> None:
    model, batch = Tokens(**SAME_ORDER).double().eval(), torch.randn(2, 3, 64, 96, dtype=torch.float64)
    network = engine.Network.of(model, (3, 64, 96))
    assert [info.name for info in network.layers] == ["patches", "norm", *(f"mix.{name}" for name in SAME_ORDER)]
    for name in SAME_ORDER:
        expected = output_of(model, f"mix.{name}", batch)[:, :-2].transpose(1, 2).reshape(2, 8, 4, 6)
        torch.testing.assert_close(network.map(batch, f"mix.{name}"), expected, rtol=0, atol=1e-12)


class PatchesByReshape(nn.Module):
    """Patches that are cut without a convolution, and tokens joined by fours, as in Swin."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.joined, self.classify = nn.Linear(192, 6), nn.Linear(24, 8), nn.Linear(8, 5)

    def forward(self, batch: Tensor) -> Tensor:
        count, _, height, width = batch.shape
        rows, columns = height // 8, width // 8
        patches = batch.reshape(count, 3, rows, 8, columns, 8).permute(0, 2, 4, 3, 5, 1).reshape(count, rows * columns, 192)
        maps = self.patches(patches).view(count, rows // 2, 2, columns // 2, 2, 6).permute(0, 1, 3, 4, 2, 5).flatten(3)
        return self.classify(self.joined(maps).mean((1, 2)))


def test_patches_without_a_convolution() -> None:
    model, size = PatchesByReshape().double().eval(), (3, 32, 48)
    network, batch = engine.Network.of(model, size), torch.randn(1, *size, dtype=torch.float64)
    sizes = [(info.name, info.channels, info.height, info.width) for info in network.layers]
    assert sizes == [("patches", 6, 4, 6), ("joined", 8, 2, 3), ("classify", 5, 1, 1)]
    for layer, side in (("patches", 8), ("joined", 16)):
        changed = batch.clone()
        changed[:, :, side + 3, 2 * side + 5] += 1
        difference = (network.map(changed, layer) - network.map(batch, layer)).abs().amax((0, 1))
        assert difference.nonzero().tolist() == [[1, 2]]


@pytest.mark.parametrize("name", ["resnet18", pytest.param("alexnet", marks=pytest.mark.slow)])
def test_nothing_is_added_to_convolutional_networks(name: str) -> None:
    """Their names, digests and saved indexes remain as they are."""
    trace = trace_model(import_torchvision().models.get_model(name, weights=None).eval(), (3, 64, 64))
    assert with_map_views(trace) is trace


def test_views_are_not_run_for_the_output() -> None:
    network = engine.Network.of(torchvision_vit(), SIZE)
    graph = network.graph
    assert graph is not None
    assert graph.trace.views
    output = graph.trace.outputs[0]
    assert not {operation.node for operation in graph.ancestors([output])} & graph.trace.added


@pytest.mark.parametrize("extended", [False, True])
def test_deconvnet_is_refused_with_what_does_work(extended: bool) -> None:
    model, batch = torchvision_vit(), torch.randn(1, *SIZE, dtype=torch.float64)
    with pytest.raises(RuleError) as error:
        engine.project(model, batch, "encoder.layers.encoder_layer_1", unit=0, beyond_paper=extended)
    message = str(error.value)
    operation = "scaled_dot_product_attention" if extended else "layer_norm (in LayerNorm 'encoder.layers.encoder_layer_0.ln_1')"
    assert operation in message
    assert "rule='gradient'" in message
    assert "top activations, occlusion and a head for new classes" in message
    assert "beyond_paper" not in message, "it does not support attention"


def test_channels_last_maps_of_convolutional_networks() -> None:
    models: Any = import_torchvision().models
    setting = models.convnext.CNBlockConfig
    model = randomised(models.ConvNeXt([setting(8, 12, 1), setting(12, None, 1)], num_classes=5))
    network, batch = engine.Network.of(model, (3, 32, 48)), torch.randn(2, 3, 32, 48, dtype=torch.float64)
    expected = output_of(model, "features.1.0.block.3", batch).permute(0, 3, 1, 2)
    torch.testing.assert_close(network.map(batch, "features.1.0.block.3"), expected, rtol=0, atol=1e-12)
    kinds = {info.kind for info in network.feature_map_layers}
    assert kinds == {"conv"}, "the maps that explorers show are those of the convolutions, as before"
