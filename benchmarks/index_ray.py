"""The index on a Ray cluster: two CPU workers against one process with one thread, and the efficiency of more workers, simulated.

    python benchmarks/index_ray.py rates --photographs 1500 --rounds 3     # measured: takes minutes, on two free cores
    python benchmarks/index_ray.py costs                                   # measured costs of a part, and the simulation from them

Both sides of a rate run in turn, over the same photographs, and must give the same bytes. The rate is that between a fifth and nine tenths
of the crops: the start of processes (printed apart) does not grow with the number of photographs.
"""

from __future__ import annotations

import argparse
import heapq
import multiprocessing
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

TARGET = 1.7
IMAGENET = 1_281_167  # photographs
PART = 2048  # crops


@dataclass(frozen=True)
class Run:
    rate: float  # crops a second, between a fifth and nine tenths
    seconds: float  # all, with the start
    digest: str


def build(folder: str, photographs: int, address: str | None) -> Run:
    """Build an index in this process on one thread, or on a cluster."""
    import hashlib

    import torch

    import deconvwidgets as dw
    from deconvwidgets.compute.job import JobContext

    torch.set_num_threads(1)
    images = dw.open_images(folder)
    images = images.subset(range(0, images.source_count, max(1, images.source_count // photographs))[:photographs])
    bundle, seen = dw.load_model("alexnet"), [(time.monotonic(), 0)]
    job = JobContext(on_progress=lambda progress: seen.append((time.monotonic(), progress.done)))
    where: dict[str, Any] = {"workers": 0} if address is None else {"engine": "ray", "ray_address": address}
    index = dw.ActivationIndex.build(bundle, images, device="cpu", progress=False, job=job, **where)
    total = len(images)
    middle = np.array([(at, done) for at, done in seen if 0.2 * total <= done <= 0.9 * total])
    rate = float(np.polyfit(middle[:, 0] - middle[0, 0], middle[:, 1], 1)[0])
    return Run(rate, time.monotonic() - seen[0][0], hashlib.sha256(index.to_bytes()).hexdigest())


def in_new_process(*arguments: Any) -> Run:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(build, arguments)


@contextmanager
def two_nodes() -> Iterator[str]:
    """A cluster of two nodes with one CPU each, on this machine."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}  # Ray's workers have a low priority otherwise
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=256 << 20, include_dashboard=False)
        yield cluster.address
    finally:
        cluster.shutdown()


def measure_rates(folder: str, photographs: int, rounds: int) -> None:
    ratios = []
    with two_nodes() as address:
        for number in range(rounds):
            one, two = in_new_process(folder, photographs, None), in_new_process(folder, photographs, address)
            assert one.digest == two.digest, "the cluster gave other bytes"
            ratios.append(two.rate / one.rate)
            print(f"round {number + 1}: one process {one.rate:.1f} images/s ({one.seconds:.0f} s in all), ", end="")
            print(f"two workers {two.rate:.1f} ({two.seconds:.0f} s in all): {ratios[-1]:.2f}x", flush=True)
    median = statistics.median(ratios)
    met = "met" if median >= TARGET else "NOT met"
    print(f"median {median:.2f}x of {rounds} rounds; target {TARGET}x: {met}; equal bytes in all rounds")


@dataclass(frozen=True)
class Costs:
    """Measured costs of one model. Seconds are of one core."""

    name: str
    units: int
    decode: float  # a crop
    model: float  # a crop
    data: int  # bytes of the index of a part
    merge: float  # seconds to read two indexes, merge them and write the bytes: on the cluster
    add: float  # seconds to read an index and merge it: in the process that asked for it


def seconds_of(call: Callable[[], Any], rounds: int = 2) -> float:
    """The shortest of some times of this process on its core, so that what else the machine does hardly matters."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return min(times)


def costs_of(name: str, weights: Any, every_convolution: bool, crops: int) -> Costs:
    """Measure a model. The bytes of an index do not depend on the size of the input, so those are measured with a small one."""
    import torch

    import deconvwidgets as dw
    from deconvwidgets.compute.decoded import DecodedBatch
    from deconvwidgets.compute.decoder import CropDecoder
    from deconvwidgets.index.activation_index import ActivationIndex
    from deconvwidgets.index.blocks import block_size
    from deconvwidgets.index.options import IndexOptions
    from deconvwidgets.index.part_pass import PartPass, merged_bytes
    from deconvwidgets.models.preprocess import Preprocess

    torch.set_num_threads(1)
    bundle, images = dw.load_model(name, weights=weights), dw.open_images("photos")
    network = bundle.network
    modules = dict(bundle.model.named_modules())
    convolutions = [info for info in network.layers if isinstance(modules.get(info.name), torch.nn.Conv2d)]
    infos = convolutions if every_convolution else list(network.feature_map_layers)
    print(f"Measuring {name}: {sum(info.channels for info in infos):,} units", flush=True)
    decoder = CropDecoder.of(bundle, images)
    sources = range(min(block_size(network), len(images)))
    decoded = decoder.decode(sources)
    empty = ActivationIndex.empty(bundle, images, infos, IndexOptions())
    index_of = PartPass(bundle, empty, "cpu").begin()
    index_of(decoded)  # a warm-up
    model = seconds_of(lambda: index_of(decoded)) / len(decoded)
    decode = seconds_of(lambda: decoder.decode(sources)) / len(decoded)

    generator = np.random.default_rng(0)
    many = images.subset([0] * (2 * crops))
    small = replace(bundle, input_size=(3, 64, 64), transform=Preprocess(64, (64, 64), mean=(0.5,) * 3, std=(0.25,) * 3))
    infos = [small.network.layer(info.name) for info in infos]
    empty = ActivationIndex.empty(small, many, infos, IndexOptions())
    index_of = PartPass(small, empty, "cpu").begin()

    def part(first: int) -> bytes:
        numbers = np.arange(first, first + crops)
        pixels = generator.integers(0, 256, (crops, *small.input_size), dtype=np.uint8)
        contents = generator.integers(1, 1 << 62, crops).astype(np.uint64)
        return index_of(DecodedBatch(numbers, numbers, np.zeros(crops, np.int64), contents, np.full(crops, -1), pixels))

    left, right = part(0), part(crops)
    whole = ActivationIndex.from_bytes(left)
    merge = seconds_of(lambda: merged_bytes(left, right))
    add = seconds_of(lambda: whole.merge(ActivationIndex.from_bytes(right)))
    return Costs(name, sum(info.channels for info in infos), decode, model, len(left), merge, add)


@dataclass(frozen=True)
class Machine:
    """The assumptions of the simulation beside the measured costs."""

    start: float = 20.0  # seconds until the first crops are decoded
    bandwidth: float = 1.25e9 / 2  # bytes a second between two machines: half of 10 Gbit/s
    spread: float = 0.1  # parts take up to this much longer or shorter
    group: int = 8  # parts that a task on the cluster merges
    wait: float = 1.0  # seconds between two indexes that the asking process takes
    merges: bool = True  # whether merging takes time of the workers: beside a GPU, CPUs do it


def efficiency(costs: Costs, workers: int, crops: int, seconds_per_crop: float, machine: Machine) -> float:
    """The time that the crops would take if nothing but decoding and the model took any, by the simulated time.

    Workers take parts until there are none, and merge them in groups; one process merges the groups that come, one after the other; the
    asking process takes what is merged, and adds it to its own index.
    """
    generator = random.Random(0)
    free = [machine.start] * workers
    finished = []
    for first in range(0, crops, PART):
        started = heapq.heappop(free)
        spread = 1 + machine.spread * (2 * generator.random() - 1)
        work = min(PART, crops - first) * seconds_per_crop * spread
        merging = costs.merge * (machine.group - 1) / machine.group + costs.data / machine.bandwidth
        finished.append(started + work + merging)
        heapq.heappush(free, finished[-1] if machine.merges else started + work)
    finished.sort()
    ends = range(machine.group, len(finished) + machine.group, machine.group)
    groups = [finished[min(end, len(finished)) - 1] for end in ends]
    collected = 0.0
    for at in groups:
        collected = max(collected, at) + costs.data / machine.bandwidth + costs.merge
    done = collected + machine.wait + costs.data / machine.bandwidth + costs.add
    return crops * seconds_per_crop / (workers * done)


def simulate(all_costs: list[Costs]) -> None:
    machine = Machine()
    print("\nMeasured on one core (the index of a part; merging two indexes on the cluster; adding one to the index of the asking process)")
    print(f"{'model':<10} {'units':>7} {'decode ms':>10} {'model ms':>9} {'index MB':>9} {'merge ms':>9} {'add ms':>7}")
    for costs in all_costs:
        of_crop = f"{1e3 * costs.decode:>10.1f} {1e3 * costs.model:>9.1f}"
        of_part = f"{costs.data / 1e6:>9.2f} {1e3 * costs.merge:>9.0f} {1e3 * costs.add:>7.0f}"
        print(f"{costs.name:<10} {costs.units:>7,} {of_crop} {of_part}")
    print(f"\nSimulated: {IMAGENET:,} photographs, parts of {PART}. Assumed: {machine.start:.0f} s to start,", end=" ")
    print(f"{machine.bandwidth / 1e6:.0f} MB/s between machines,\nparts that take up to {machine.spread:.0%} more or less,", end=" ")
    print(f"groups of {machine.group} parts merged by CPUs, and the groups by one process.")
    print("A CPU worker is one core that decodes and computes, at the measured speed.")
    print("A GPU worker's speed is assumed, with enough CPUs to feed it.")
    print(f"{'model':<10} {'worker':<24} {'8 workers':>10} {'64 workers':>11}")
    for costs in all_costs:
        own = costs.decode + costs.model
        for label, seconds in ((f"CPU, {1 / own:.0f} images/s", own), ("GPU, 1,000 images/s", 1e-3), ("GPU, 4,000 images/s", 2.5e-4)):
            merging = replace(machine, merges=seconds == own)
            found = [efficiency(costs, workers, IMAGENET, seconds, merging) for workers in (8, 64)]
            print(f"{costs.name:<10} {label:<24} {found[0]:>10.1%} {found[1]:>11.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rates", "costs"])
    parser.add_argument("--images", default="caltech101")
    parser.add_argument("--photographs", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.what == "rates":
        measure_rates(options.images, options.photographs, options.rounds)
    else:
        simulate([costs_of("alexnet", "default", False, 512), costs_of("resnet50", None, True, 272)])


if __name__ == "__main__":
    main()
