"""Time nine deconvnet projections of one unit, on nine different images: deconvwidgets and Captum's NeuronDeconvolution.

Run it with `python benchmarks/projection.py [--repeats 15] [--threads 2]`. Both are warmed up and timed in turn in one process. The call
is the plain one, with a module: it is traced in the first call only. The medians of the times and of the pairwise ratios are printed, and
the largest difference of the outputs. Captum gets the model truncated at the layer, and is timed in the faster of two variants: nine
calls, or one call with a function that selects the position of each image. The weights are random, which does not change the number of
operations. Positions are those of the strongest activations ("strongest"), or drawn uniformly from the map ("spread"); crops at the border
need fewer operations.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from captum.attr import NeuronDeconvolution
from torch import Tensor, nn

from deconvwidgets import engine
from deconvwidgets.models.torchvision_import import import_torchvision

CASES = {
    "alexnet": ("conv1", "conv2", "conv3", "conv4", "conv5"),
    "vgg16": ("conv2", "conv4", "conv7", "conv10"),
    "resnet50": ("layer2", "layer3"),
}
TARGET_RATIOS = {("alexnet", "conv2"): 14, ("alexnet", "conv5"): 3.6, ("vgg16", "conv7"): 60}
UNIT = 3
warnings.filterwarnings("ignore", module="captum")


class SeparateReLUs(nn.Module):
    """A bottleneck of ResNet whose three rectifiers are modules of their own, as Captum requires. Weights are shared."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.first = nn.Sequential(block.conv1, block.bn1, nn.ReLU(), block.conv2, block.bn2, nn.ReLU(), block.conv3, block.bn3)
        self.shortcut, self.last = block.downsample or nn.Identity(), nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        return self.last(self.first(maps) + self.shortcut(maps))


def truncated(model: nn.Module, layer: str) -> nn.Sequential:
    """Return the layers up to this one, with ReLUs that are not in place, as Captum requires. Weights are shared."""
    if hasattr(model, "layer4"):
        blocks = [SeparateReLUs(block) for number in range(1, int(layer[-1]) + 1) for block in getattr(model, f"layer{number}")]
        return nn.Sequential(model.conv1, model.bn1, nn.ReLU(), model.maxpool, *blocks).eval()
    parts = list(model.features.children())[: int(layer.split(".")[-1]) + 1]
    return nn.Sequential(*(nn.ReLU() if isinstance(part, nn.ReLU) else part for part in parts)).eval()


def captum_variants(model: nn.Sequential, batch: Tensor, at: Tensor) -> dict[str, Callable[[], Tensor]]:
    deconvolution = NeuronDeconvolution(model, model[-1])
    images = torch.arange(len(batch))

    def one_by_one() -> Tensor:
        neurons = [(UNIT, int(row), int(column)) for row, column in at]
        return torch.cat([deconvolution.attribute(image[None], neuron) for image, neuron in zip(batch, neurons, strict=True)])

    def in_one_batch() -> Tensor:
        return deconvolution.attribute(batch, lambda maps: maps[images, UNIT, at[:, 0], at[:, 1]])

    return {"one by one": one_by_one, "one batch": in_one_batch}


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def positions_of(network: engine.Network, batch: Tensor, layer: str, spread: bool) -> Tensor:
    """Return a position per image, (N, 2): of its strongest activation (with random weights often at the border), or drawn uniformly."""
    info = network.layer(layer)
    if spread:
        generator = torch.Generator().manual_seed(2)
        return torch.stack([torch.randint(size, (len(batch),), generator=generator) for size in (info.height, info.width)], dim=1)
    with torch.no_grad():
        strongest = network.map(batch, layer)[:, UNIT].flatten(1).argmax(1)
    return torch.stack([strongest // info.width, strongest % info.width], dim=1)


def compare(name: str, layer: str, repeats: int, spread: bool) -> None:
    model = getattr(import_torchvision().models, name)(weights=None).eval()
    network = engine.Network.of(model, (3, 224, 224))
    info = network.layer(layer)
    batch = torch.randn(9, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    at = positions_of(network, batch, layer, spread)

    def project() -> engine.Projected:
        return engine.project(model, batch, layer, unit=UNIT, at=at, seed=1.0)

    variants = captum_variants(truncated(model, layer if name == "resnet50" else info.name), batch, at)
    projected, references = project().full(224, 224), [run().detach() for run in variants.values()]  # also the warm-up
    difference = max(float((projected - reference).abs().max() / reference.abs().max()) for reference in references)
    project()
    times: dict[str, list[float]] = {"deconvwidgets": [], **{variant: [] for variant in variants}}
    for _ in range(repeats):
        times["deconvwidgets"].append(seconds(project))
        for variant, run in variants.items():
            times[variant].append(seconds(run))
    fastest = min(variants, key=lambda variant: statistics.median(times[variant]))
    ratio = statistics.median(captum / own for captum, own in zip(times[fastest], times["deconvwidgets"], strict=True))
    plan = network.plan(layer)
    bound = 1 / plan.cost if plan else 1.0  # multiplications of the whole image over those of the crop
    own, captum = statistics.median(times["deconvwidgets"]) * 1e3, statistics.median(times[fastest]) * 1e3
    target = TARGET_RATIOS.get((name, layer))
    positions = "spread" if spread else "strongest"
    print(
        f"{name:8} {layer:7} {positions:9} deconvwidgets {own:8.1f} ms   Captum {captum:8.1f} ms ({fastest})   ratio {ratio:6.1f}x"
        f"{f' (target {target}x)' if target else '':17} multiplications {bound:7.1f}x   largest difference {difference:.1e}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--models", nargs="*", default=list(CASES))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name in arguments.models:
        for layer in CASES[name]:
            for spread in (False, True):
                compare(name, layer, arguments.repeats if name == "alexnet" else max(3, arguments.repeats // 3), spread)


if __name__ == "__main__":
    main()
