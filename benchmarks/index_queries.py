"""Time the questions to an activation index: tables, conditions, near-copies and maps of the units.

Run it with `python benchmarks/index_queries.py`. The indexes are built first: all convolutional layers of AlexNet, and the last layer of
ResNet-50 with 2,048 units (random weights and small inputs: the times do not depend on them), over the default photographs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import deconvwidgets as dw
from deconvwidgets.models.torchvision_import import import_torchvision


def seconds(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(name: str, index: dw.ActivationIndex) -> None:
    units, layer, own = sum(info.channels for info in index.layers), index.layers[-1].name, index.layers[-1].channels
    print(f"{name}: {units:,} units, {len(index.sample)} sampled crops; of {layer}, {own:,} units:")
    questions: dict[str, tuple[Callable[[], object], int]] = {
        "to_dataframe(), all layers": (lambda: index.to_dataframe(), 5),
        "top_dataframe(), all layers": (lambda: index.top_dataframe(), 5),
        "units('selectivity > 5 and not dead')": (lambda: index.units(layer, "selectivity > 5 and not dead"), 5),
        "units('nearest_correlation > 0.9')": (lambda: index.units(layer, "nearest_correlation > 0.9"), 5),
        "near_copies(0.8)": (lambda: index.near_copies(layer, 0.8), 5),
        "whole_range()": (lambda: index.whole_range(layer, 0), 5),
        "unit_map('pca')": (lambda: index.unit_map(layer, "pca"), 5),
        "unit_map('tsne')": (lambda: index.unit_map(layer, "tsne"), 1),
    }
    for question, (work, repeats) in questions.items():
        print(f"  {question:40} {1000 * seconds(work, repeats):10,.1f} ms")


def resnet50() -> dw.ModelBundle:
    model = import_torchvision().models.resnet50(weights=None).eval()
    transform = dw.load_model("alexnet").transform.resized_to(64, 64)
    return dw.ModelBundle.from_module(model, transform=transform, input_size=(3, 64, 64), name="resnet50")


def main() -> None:
    images = dw.open_images("photos")
    measure("ResNet-50", dw.ActivationIndex.build(resnet50(), images, layers=["layer4"]))
    measure("AlexNet", dw.ActivationIndex.build(dw.load_model("alexnet"), images))


if __name__ == "__main__":
    main()
