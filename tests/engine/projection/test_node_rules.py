"""At the nodes of a traced model, the same operations are rejected and accepted as in the forward pass of a model that cannot be traced."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from deconvwidgets.engine import Network
from deconvwidgets.engine.executor import Executor
from deconvwidgets.engine.projection.node_rules import NodeRules
from deconvwidgets.engine.projection.rules import Rule
from deconvwidgets.errors import RuleError
from tests.engine.projection.backward import Lambda, run_backward
from tests.engine.projection.test_rectifier_spellings import SPELLINGS
from tests.engine.projection.test_rejections import ALLOWED, MAPS, REJECTED

NOT_OF_A_GRAPH = {
    "buffer", "half overwritten", "through a buffer", "channel shuffle", "shapes",  # for two images only
    "split and joined",  # reads the first image of the batch
    "training batch norm", "training dropout", "functional dropout", "training channel dropout", "training rrelu",  # refused before
    "custom autograd function", "custom autograd function in NumPy", "custom autograd function in NumPy as the layer", "scripted",
    "sets by mask", "masked set", "half detached", "detached", "data", "no_grad", "slice in place",
    "batch norm without statistics", "signal as a filter", "divided by itself", "norm", "metadata",
}  # fmt: skip


def signal_of_graph(function: Callable[[Tensor], Tensor], images: Tensor, signal: Tensor | None, rule: Rule) -> Tensor | None:
    """Return the signal at the pixels, or of ones at the output; None if the function cannot be traced for any number of images."""
    module = Lambda(function).eval()
    module.register_buffer("sets_the_type", torch.zeros((), dtype=images.dtype))
    network = Network.of(module, images.shape[1:])
    graph = network.graph
    if graph is None or network.single:
        return None
    (output,) = graph.trace.outputs
    rules, leaf = NodeRules(graph, output, rule), images.clone().requires_grad_()
    maps = leaf
    for _, value in Executor(graph, graph.ancestors([output]), graph.trace.bind(network.model), rules).execute(leaf):
        maps = value
    rules.check("conv9")
    return torch.autograd.grad(maps, leaf, torch.ones_like(maps) if signal is None else signal)[0]


@pytest.mark.parametrize("name", [name for name in REJECTED if name not in NOT_OF_A_GRAPH])
def test_rejected(name: str) -> None:
    with pytest.raises(RuleError, match="'conv9'"):
        signal_of_graph(REJECTED[name][0], MAPS, None, "deconvnet")


@pytest.mark.parametrize("rule", ["deconvnet", "guided"])
@pytest.mark.parametrize("name", [name for name in ALLOWED if name not in NOT_OF_A_GRAPH])
def test_allowed(name: str, rule: Rule) -> None:
    signal = torch.randn(ALLOWED[name](MAPS.clone()).shape)
    found = signal_of_graph(ALLOWED[name], MAPS, signal, rule)
    assert found is not None
    torch.testing.assert_close(found, run_backward(Lambda(ALLOWED[name]), MAPS, signal, rule)[1])


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["deconvnet", "guided", "gradient"])
@pytest.mark.parametrize("name", SPELLINGS)
def test_rectifiers(name: str, rule: Rule) -> None:
    images = MAPS.double() * 4
    signal = torch.randn(images.shape, dtype=torch.float64)
    found = signal_of_graph(SPELLINGS[name][0], images, signal, rule)
    assert found is not None
    torch.testing.assert_close(found, run_backward(Lambda(SPELLINGS[name][0]), images, signal, rule)[1])
