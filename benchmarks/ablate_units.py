"""Times `dw.ablate_units` beside the naive loop, which zeroes a channel by a forward hook and runs the whole model.

The naive loop runs on a few photographs and units only; its outputs are compared, and its time is extrapolated. Two models are measured:
AlexNet with the bundled head (the outputs depend linearly on pool5), and AlexNet with fc6 to fc8 above pool5. Weights of fc6 to fc8 are not
on the package index: they are random here, with biases that leave a fifth of each layer's units active, as is typical of trained ones.

    python benchmarks/ablate_units.py --photographs 2000
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import Tensor, nn

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.contributions.compute.ablate import ablation_of
from deconvwidgets.instruments.contributions.compute.outputs import OutputsAbove

LAYER, MODULE = "pool5", "features.12"


class WithLinearLayers(nn.Module):
    """AlexNet's convolutions, with fc6, fc7 and fc8."""

    def __init__(self, trunk: nn.Module, classes: int = 1000) -> None:
        super().__init__()
        self.features, self.avgpool = trunk.features, trunk.avgpool
        torch.manual_seed(0)
        linear = [nn.Linear(9216, 4096), nn.Linear(4096, 4096), nn.Linear(4096, classes)]
        self.classifier = nn.Sequential(nn.Dropout(), linear[0], nn.ReLU(), nn.Dropout(), linear[1], nn.ReLU(), linear[2])

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, classes)."""
        logits: Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits

    def make_sparse(self, batch: Tensor, active: float = 0.2) -> None:
        """Lower the biases, so that a share of each layer's units is active."""
        with torch.no_grad():
            values = self.avgpool(self.features(batch)).flatten(1)
            for layer in (self.classifier[1], self.classifier[4]):
                layer.bias -= layer(values).quantile(1 - active)
                values = layer(values).relu()


def evenly(images: ImageSet, count: int) -> ImageSet:
    """Return photographs that are evenly spaced in the set."""
    count = min(count, images.source_count)
    return images.subset([number * images.source_count // count for number in range(count)])


def naive(bundle: dw.ModelBundle, batch: Tensor, units: list[int]) -> Tensor:
    """Return the outputs (units, N, K) with each unit zeroed by a forward hook, running the whole model."""
    found = []
    for unit in units:

        def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor, unit: int = unit) -> Tensor:
            changed = output.clone()
            changed[:, unit] = 0
            return changed

        handle = bundle.model.get_submodule(MODULE).register_forward_hook(hook)
        with torch.no_grad():
            found.append(bundle.model(batch))
        handle.remove()
    return torch.stack(found)


def compare(bundle: dw.ModelBundle, images: ImageSet, photographs: int, units: int) -> tuple[float, float]:
    """Return the largest difference of outputs relative to the largest output, and the naive loop's seconds per unit and photograph."""
    batch = torch.stack([bundle.prepare(images.open_source(source)) for source in range(photographs)])
    above, started = OutputsAbove(bundle, LAYER), time.perf_counter()
    expected = naive(bundle, batch, list(range(units)))
    seconds = (time.perf_counter() - started) / (units * photographs)
    saved, worst = above.save(batch), 0.0
    with torch.no_grad():
        for which, rows, outputs in ablation_of(above).changed(saved, above.outputs(saved)):
            for unit, row, found in zip(which.tolist(), rows.tolist(), outputs, strict=True):
                if unit < units:
                    worst = max(worst, float((found - expected[unit, row]).abs().max()))
    return worst / float(expected.abs().max()), seconds


def measure(name: str, bundle: dw.ModelBundle, images: ImageSet, photographs: int, units: int) -> None:
    """Print one row of the table."""
    difference, per_pair = compare(bundle, images, photographs, units)
    started, processor = time.perf_counter(), time.process_time()
    found = dw.ablate_units(bundle, images, LAYER, progress=True, device="cpu")
    wall, cpu = time.perf_counter() - started, time.process_time() - processor
    loop = per_pair * len(found.accuracies) * images.source_count
    print(f"{name}: {found}")
    print(
        f"  {images.source_count:,} photographs, {len(found.accuracies)} units: {wall:.0f} s ({cpu:.0f} s of processor time); the naive "
        f"loop would take {loop / 3600:.1f} h ({loop / wall:,.0f} times as long); outputs differ by {difference:.1e} of the largest"
    )


def main() -> None:
    """Measure both models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=2000)
    parser.add_argument("--naive", type=int, nargs=2, default=(4, 16), metavar=("PHOTOGRAPHS", "UNITS"))
    parser.add_argument("--models", nargs="*", default=["head", "fc"], choices=["head", "fc"])
    options = parser.parse_args()
    bundle, images = dw.load_model("alexnet"), evenly(dw.open_images("caltech101"), options.photographs)
    if "head" in options.models:
        measure("AlexNet with the Caltech-101 head", bundle, images, *options.naive)
    if "fc" in options.models:
        net = WithLinearLayers(bundle.with_head(None).model).eval()
        net.make_sparse(
            torch.stack([bundle.prepare(images.open_source(source)) for source in range(0, images.source_count, images.source_count // 16)])
        )
        names = [f"class {number}" for number in range(1000)]
        full = dw.ModelBundle.from_module(net, transform=bundle.transform, input_size=bundle.input_size, categories=names, name="alexnet")
        measure("AlexNet with fc6 to fc8", full, images, *options.naive)


if __name__ == "__main__":
    main()
