"""The engine, on whole images and on receptive fields, against the literal deconvnet on random small architectures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st

from deconvwidgets.engine import project
from deconvwidgets.engine.projection.rules import Rule
from deconvwidgets.errors import LayerError
from tests.engine.projection import literal_deconvnet as literal
from tests.engine.projection.backward import RULES
from tests.engine.projection.literal_deconvnet import AvgPool, Chain, Concat, LocalResponseNorm, MaxPool, Rectifier, Sum
from tests.engine.projection.literal_to_torch import to_torch
from tests.engine.random_steps import batch_norm, conv


@dataclass(frozen=True)
class Experiment:
    network: Chain  # up to the layer
    later: Chain  # the steps after it, which must not affect the projection
    images: literal.Maps = field(repr=False)  # (N, C, H, W)
    unit: int
    positions: list[tuple[int, int]]
    seed: float | None
    inplace: bool


@st.composite
def convolutions(draw: st.DrawFn, rng: np.random.Generator, channels: int) -> literal.Conv:
    kernel = draw(st.sampled_from([3, 1, 2]))
    groups = draw(st.sampled_from([1, 2])) if channels % 2 == 0 else 1
    return conv(
        rng,
        channels,
        groups * draw(st.integers(1, 2)),
        kernel,
        bias=draw(st.booleans()),
        groups=groups,
        stride=draw(st.sampled_from([1, 1, 2])),
        padding=draw(st.integers(0, kernel // 2 + 1)),
        dilation=draw(st.sampled_from([1, 1, 2])),
    )


@st.composite
def poolings(draw: st.DrawFn) -> MaxPool | AvgPool:
    kernel = draw(st.sampled_from([3, 2]))
    stride, padding, ceil = draw(st.integers(1, 3)), draw(st.integers(0, kernel // 2)), draw(st.booleans())
    if draw(st.booleans()):
        return MaxPool(kernel, stride, padding, draw(st.sampled_from([1, 1, 2])), ceil)
    return AvgPool(kernel, stride, padding, ceil, draw(st.booleans()))


@st.composite
def branchings(draw: st.DrawFn, rng: np.random.Generator, channels: int) -> Sum | Concat:
    """Draw branches that keep the size and begin with a convolution, so that rectifiers may work in place."""
    wide = [conv(rng, channels, channels, 3, padding=1), Rectifier(), conv(rng, channels, channels, 1)]
    dilated = [conv(rng, channels, channels, 3, padding=2, dilation=2), batch_norm(rng, channels)]
    body = Chain(draw(st.sampled_from([wide, dilated])))
    kind = draw(st.sampled_from(["residual", "projection", "concat"]))
    if kind == "residual":
        return Sum([body, Chain([])])
    other = Chain([conv(rng, channels, channels, 1), *([Rectifier()] if kind == "concat" else [])])
    return Sum([body, other]) if kind == "projection" else Concat([body, other])


@st.composite
def layers(draw: st.DrawFn, rng: np.random.Generator, channels: int) -> literal.Step:
    kinds = ["conv", "conv", "rectifier", "pool", "batch norm", "response norm", "branches"]
    match draw(st.sampled_from(kinds)):
        case "conv":
            return draw(convolutions(rng, channels))
        case "pool":
            return draw(poolings())
        case "batch norm":
            return batch_norm(rng, channels)
        case "response norm":
            return LocalResponseNorm(draw(st.integers(2, 3)), 0.7, 0.75, 1.5)
        case "branches":
            return draw(branchings(rng, channels))
    return draw(st.sampled_from([Rectifier(), Rectifier(), Rectifier(ceiling=6.0), Rectifier(slope=0.1)]))


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    images = rng.normal(size=(draw(st.integers(2, 3)), draw(st.integers(1, 3)), draw(st.integers(9, 15)), draw(st.integers(9, 15)))) * 2
    steps: list[literal.Step] = []
    shape = images.shape[1:]
    for _ in range(draw(st.integers(1, 6))):
        step = draw(layers(rng, shape[0]))
        shape = shape_after(step, shape)
        if min(shape[1:]) < 1:
            break
        steps.append(step)
    depth = draw(st.integers(max(1, len(steps) - 1), max(1, len(steps))))
    assume(steps)
    network = Chain(steps[:depth])
    units, height, width = network.forward(images[0]).shape
    rows, columns = (st.sampled_from([0, size - 1, *range(size)]) for size in (height, width))
    return Experiment(
        network=network,
        later=Chain(steps[depth:]),
        images=images,
        unit=draw(st.integers(0, units - 1)),
        positions=[(draw(rows), draw(columns)) for _ in images],
        seed=draw(st.sampled_from([None, 1.0, -1.0])),
        inplace=draw(st.booleans()),
    )


def shape_after(step: literal.Step, shape: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(step, Concat):
        return (2 * shape[0], *shape[1:])
    if isinstance(step, literal.Conv):
        kernel, dilation, ceil, channels = step.weight.shape[2], step.dilation, False, len(step.weight)
    elif isinstance(step, (MaxPool, AvgPool)):
        kernel, dilation, ceil, channels = step.kernel, getattr(step, "dilation", 1), step.ceil, shape[0]
    else:
        return shape
    return (channels, *(literal.output_size(size, kernel, step.stride, step.padding, dilation, ceil) for size in shape[1:]))


def assert_close(found: torch.Tensor, expected: literal.Maps) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=1e-10 * max(1.0, float(np.abs(expected).max())))


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(experiment=experiments())
def test_projections_equal_the_literal_deconvnets(rule: Rule, experiment: Experiment) -> None:
    maps = [experiment.network.forward(image) for image in experiment.images]
    assume(all(np.isfinite(image_maps).all() for image_maps in maps))  # a window may lie in the padding altogether
    model = to_torch(
        Chain([*experiment.network.steps, *experiment.later.steps]), experiment.inplace and rule != "gradient"
    )  # autograd rejects relu_ after relu
    layer, at = str(len(experiment.network.steps) - 1), torch.tensor(experiment.positions)
    batch = torch.from_numpy(experiment.images)
    size = experiment.images.shape[2:]
    seed: str | float = "activation" if experiment.seed is None else experiment.seed
    full = project(model, batch, layer, unit=experiment.unit, at=at, rule=rule, method="full", seed=seed)
    try:
        local = project(model, batch, layer, unit=experiment.unit, at=at, rule=rule, method="local", seed=seed)
        event("on the receptive field")
    except LayerError:
        local = project(model, batch, layer, unit=experiment.unit, at=at, rule=rule, seed=seed)
        event("on the whole image")
    assert torch.equal(full.boxes, local.boxes)
    assert_close(full.pixels, local.pixels.detach().numpy())
    for number, (row, column) in enumerate(experiment.positions):
        expected = literal.project(experiment.network, experiment.images[number], experiment.unit, row, column, rule, experiment.seed)
        value = maps[number][experiment.unit, row, column]
        for projected in (full, local):
            assert_close(projected.full(*size)[number], expected)
            assert_close(projected.values[number], value)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_local_projections_are_exact_at_every_position(rule: Rule) -> None:
    """Corners and borders included, with a bias, a batch norm and a padded max pool of negative values."""
    rng = np.random.default_rng(11)
    network = Chain(
        [
            conv(rng, 2, 3, 3, padding=1),
            batch_norm(rng, 3),
            MaxPool(3, 2, padding=1),
            conv(rng, 3, 2, 3, padding=1),
            Rectifier(),
            conv(rng, 2, 2, 1),
        ]
    )
    image = rng.normal(size=(2, 17, 15))
    positions = [(row, column) for row in range(9) for column in range(8)]
    batch = torch.from_numpy(image)[None].expand(len(positions), -1, -1, -1)
    local = project(to_torch(network), batch, "5", unit=1, at=torch.tensor(positions), rule=rule, method="local")
    assert tuple(local.pixels.shape[2:]) == (9, 9)
    for projection, (row, column) in zip(local.full(17, 15), positions, strict=True):
        assert_close(projection, literal.project(network, image, 1, row, column, rule))
