"""Summarise what the engine knows of every classification network of torchvision and of 40 families of timm, with random weights.

Run it with `python benchmarks/sweep_summary.py [NAME ...]`. One line per network: the number of its layers, whether it
is traced or why not, the seconds for the first and the second trace (with the check against the model), its operations by kind, on how
many of its feature maps an activation is computed on its receptive field, how many have a known receptive field, and whether the rule
"deconvnet" is accepted for the last feature map or which operation is refused.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from deconvwidgets import engine
from deconvwidgets.engine.network import Network
from deconvwidgets.errors import DeconvWidgetsError

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.sweep.networks import TIMM, make_network, torchvision_names


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def deconvnet_answer(network: Network) -> str:
    """Return "accepted", or the first operation that is refused below the last feature map."""
    name = network.feature_map_layers[-1].name
    batch = torch.rand(1, *network.input_size)
    try:
        engine.project(network, batch, name, unit=0, at=[[0, 0]])
    except DeconvWidgetsError as error:
        reason = re.sub(r"^.*?deconvnet'?: ", "", str(error)).split(";")[0]
        return f"refused: {reason[:90]}"
    return "accepted"


def summary(name: str) -> str:
    """Return the line of a network."""
    model, size = make_network(name)
    torch._dynamo.reset()
    first = seconds(lambda: Network.of(model, (3, size, size)).graph)
    network = Network.of(model, (3, size, size))
    if network.graph is None:
        return f"{name} | {size} | {len(network.layers)} | no: {network.reason} | {first:.1f} | - | - | - | {deconvnet_answer(network)}"
    model, size = make_network(name)
    second = seconds(lambda: Network.of(model, (3, size, size)).graph)
    kinds = Counter(operation.kind for operation in network.graph.operations.values())
    whole = Counter(
        operation.name
        for operation in network.graph.operations.values()
        if operation.kind == "whole" and all(network.graph.operations[node].kind != "whole" for node in operation.node.all_input_nodes)
    )
    maps = network.feature_map_layers
    local = sum(network.plan(info.name) is not None for info in maps)
    known = sum(info.receptive_field is not None for info in maps)
    counts = ", ".join(f"{kinds[kind]} {kind}" for kind in ("window", "pointwise", "whole") if kinds[kind])
    first_whole = " ".join(f"{key}:{number}" for key, number in whole.most_common(4))
    traced = "one image" if network.single else "yes"
    return (
        f"{name} | {size} | {len(network.layers)} | {traced} | {first:.1f} | {second:.1f} | {counts} (whole: {first_whole}) | "
        f"{local}/{known}/{len(maps)} | {deconvnet_answer(network)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help='names of networks; those of timm begin with "timm/"')
    names = parser.parse_args().names or [*torchvision_names(), *(f"timm/{name}" for name in TIMM)]
    warnings.simplefilter("ignore")
    print("network | input | layers | traced | first trace, s | second, s | operations | maps local / receptive field / all | deconvnet")
    for name in names:
        try:
            print(summary(name), flush=True)
        except Exception as error:  # noqa: BLE001 - a fault of the engine: to be mended, and no reason to stop
            print(f"{name} | {type(error).__name__}: {str(error)[:300]}", flush=True)


if __name__ == "__main__":
    main()
