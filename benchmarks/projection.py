"""Nine deconvnet projections of one unit, on nine different images: deconvwidgets against Captum's NeuronDeconvolution.

Run it with `python benchmarks/projection.py [--repeats 15] [--threads 2]`. Both are warmed up and timed in turn in one process; the
medians of the times and of the pairwise ratios are printed, beside the largest difference of the outputs. Captum gets the model
truncated at the layer, and is timed in the better of its two ways of asking: nine calls, or one call with a function that picks each
image's own position. The weights are random: the arithmetic is the same. Positions are each image's strongest, and once more spread evenly:
crops at the border need less, so that they are faster.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from captum.attr import NeuronDeconvolution
from torch import Tensor, nn

from deconvwidgets import engine
from deconvwidgets.models.torchvision_import import import_torchvision

CASES = {"alexnet": ("conv1", "conv2", "conv3", "conv4", "conv5"), "vgg16": ("conv2", "conv4", "conv7", "conv10")}
WANTED = {("alexnet", "conv1"): 12, ("alexnet", "conv2"): 12, ("alexnet", "conv3"): 7, ("alexnet", "conv5"): 3.5,
          ("vgg16", "conv4"): 80, ("vgg16", "conv10"): 12}  # fmt: skip
UNIT = 3
warnings.filterwarnings("ignore", module="captum")


def truncated(features: nn.Sequential, layer: str) -> nn.Sequential:
    """The trunk up to the layer, its rectifiers out of place as Captum needs them (weights shared)."""
    parts = list(features.children())[: int(layer.split(".")[-1]) + 1]
    return nn.Sequential(*(nn.ReLU() if isinstance(part, nn.ReLU) else part for part in parts)).eval()


def captum_ways(model: nn.Sequential, batch: Tensor, at: Tensor) -> dict[str, Callable[[], Tensor]]:
    peer = NeuronDeconvolution(model, model[-1])
    everyone = torch.arange(len(batch))

    def one_by_one() -> Tensor:
        parts = [peer.attribute(image[None], (UNIT, int(row), int(column))) for image, (row, column) in zip(batch, at, strict=True)]
        return torch.cat(parts)

    def together() -> Tensor:
        return peer.attribute(batch, lambda maps: maps[everyone, UNIT, at[:, 0], at[:, 1]])

    return {"one by one": one_by_one, "one batch": together}


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def positions_of(network: engine.Network, batch: Tensor, layer: str, spread: bool) -> Tensor:
    """Nine positions (N, 2): each image's strongest, which random weights like to have at the border, or spread evenly over the map."""
    info = network.layer(layer)
    if spread:
        generator = torch.Generator().manual_seed(2)
        return torch.stack([torch.randint(size, (len(batch),), generator=generator) for size in (info.height, info.width)], dim=1)
    with torch.no_grad():
        best = network.map(batch, layer)[:, UNIT].flatten(1).argmax(1)
    return torch.stack([best // info.width, best % info.width], dim=1)


def compare(name: str, layer: str, repeats: int, spread: bool) -> None:
    models = import_torchvision().models
    trunk = nn.Sequential()
    trunk.add_module("features", getattr(models, name)(weights=None).features)
    trunk.eval()
    network = engine.Network.of(trunk, (3, 224, 224))
    info = network.layer(layer)
    batch = torch.randn(9, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    at = positions_of(network, batch, layer, spread)

    def ours() -> engine.Projected:
        return engine.project(network, batch, layer, unit=UNIT, at=at, seed=1.0)

    ways = captum_ways(truncated(trunk.features, info.name), batch, at)
    mine, theirs = ours().full(224, 224), {way: run().detach() for way, run in ways.items()}  # also the warm-up
    difference = max(float((mine - other).abs().max() / other.abs().max()) for other in theirs.values())
    ours()
    times: dict[str, list[float]] = {"ours": [], **{way: [] for way in ways}}
    for _ in range(repeats):
        times["ours"].append(seconds(ours))
        for way, run in ways.items():
            times[way].append(seconds(run))
    way = min(ways, key=lambda each: statistics.median(times[each]))
    ratio = statistics.median(peer / own for peer, own in zip(times[way], times["ours"], strict=True))
    plan = network.plan(layer)
    bound = 1 / plan.cost if plan else 1.0  # multiplications of the whole image over those of the crop
    own, peer, wanted = statistics.median(times["ours"]) * 1e3, statistics.median(times[way]) * 1e3, WANTED.get((name, layer))
    place = "spread" if spread else "strongest"
    print(
        f"{name:8} {layer:7} {place:9} ours {own:8.1f} ms   Captum {peer:8.1f} ms ({way})   ratio {ratio:6.1f}x"
        f"{f' (wanted {wanted}x)' if wanted else '':17} arithmetic {bound:7.1f}x   largest difference {difference:.1e}",
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
