"""Time what comes before the first projection: tracing a model, checking the trace, and everything in a fresh process.

Run it with `python benchmarks/tracing.py [--models alexnet vgg16 resnet50]`. "Trace" is `Network.of`, "check" the comparison with the model
that is made once, before the first number is computed; "functional pass" is what `run_decompositions` would take instead of the
replacement of in-place operations; "again" is `Network.of` for a model that was traced before. Medians of several turns; the first trace of
a process, which loads torch.export, is printed apart.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import torch
from torch import nn

from deconvwidgets import engine
from deconvwidgets.engine.quiet_export import quiet_export
from deconvwidgets.models.torchvision_import import import_torchvision

FIRST_PROJECTION = """
import time
start = time.perf_counter()
import deconvwidgets as dw
imported = time.perf_counter()
bundle, photograph = dw.load_model("alexnet"), dw.open_images("photos").open_source(0)
loaded = time.perf_counter()
dw.project(bundle, photograph, "conv3", unit=3)
print(imported - start, loaded - imported, time.perf_counter() - loaded)
"""


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def functional_pass(model: nn.Module, size: tuple[int, int, int]) -> float:
    example = torch.rand(2, *size)
    with quiet_export():
        program = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), strict=False)
        return seconds(lambda: program.run_decompositions({}))


def measure(name: str, repeats: int) -> None:
    size = (3, 224, 224)
    times: dict[str, list[float]] = {"trace": [], "check": [], "again": [], "functional pass": [], "forward pass of one image": []}
    for _ in range(repeats):
        model = getattr(import_torchvision().models, name)(weights=None).eval()
        times["trace"].append(seconds(lambda model=model: engine.Network.of(model, size)))  # type: ignore[misc]
        network = engine.Network.of(model, size)
        times["check"].append(seconds(lambda network=network: network.graph))  # type: ignore[misc]
        times["again"].append(seconds(lambda model=model: engine.Network.of(model, size)))  # type: ignore[misc]
        times["functional pass"].append(functional_pass(model, size))
        with torch.no_grad():
            times["forward pass of one image"].append(seconds(lambda model=model: model(torch.rand(1, *size))))  # type: ignore[misc]
    parts = [f"{what} {1000 * statistics.median(values):.1f} ms" for what, values in times.items()]
    print(f"{name:10} {'   '.join(parts)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=["alexnet", "vgg16", "resnet50"])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    runs = [
        [
            float(part)
            for part in subprocess.run([sys.executable, "-c", FIRST_PROJECTION], check=True, capture_output=True, text=True).stdout.split()
        ]
        for _ in range(arguments.repeats)
    ]
    parts = [
        f"{what} {statistics.median(values):.2f} s"
        for what, values in zip(("import", "load_model", "project"), zip(*runs, strict=True), strict=True)
    ]
    print(f"fresh process: {', '.join(parts)}; in all {statistics.median(map(sum, runs)):.2f} s", flush=True)
    first = import_torchvision().models.alexnet(weights=None).eval()
    print(f"first trace of a process (alexnet): {seconds(lambda: engine.Network.of(first, (3, 224, 224))):.2f} s", flush=True)
    for name in arguments.models:
        measure(name, arguments.repeats)


if __name__ == "__main__":
    main()
