"""Thirty notebooks on one service: memory per session, and how long a click takes, alone and while one of them trains.

    python benchmarks/sessions.py --sessions 30 --seconds 40

A click is what a LayerExplorer asks for when a unit is selected: its details and its nine projections and patches, of a unit that nobody
has asked for before. The clients wait so long between two clicks that together they ask for a share (`--load`) of what the machine can
compute: a click takes its time alone, divided by 1 - load if they came at random, however fast the machine is.
"""

from __future__ import annotations

import argparse
import random
import statistics
import threading
import time

import deconvwidgets as dw
from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.transfer.records import TransferSettings
from deconvwidgets.records.mosaics import MosaicRequest


def click(service, unit: int) -> float:
    began = time.perf_counter()
    service.layers.unit_detail("conv5", unit)
    service.layers.mosaics(MosaicRequest("conv5", unit))
    return time.perf_counter() - began


def clicks(services, units, seconds: float, think: float) -> list[float]:
    """Let all services click for some seconds, and return the times of their clicks."""
    taken, end = [], time.monotonic() + seconds

    def student(service, seed: int) -> None:
        generator = random.Random(seed)
        time.sleep(generator.uniform(0, think))
        while time.monotonic() < end:
            taken.append(click(service, next(units)))
            time.sleep(generator.uniform(0.5, 1.5) * think)

    threads = [threading.Thread(target=student, args=(service, seed)) for seed, service in enumerate(services)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def report(name: str, taken: list[float]) -> None:
    ordered = sorted(taken)
    p95 = ordered[int(0.95 * (len(ordered) - 1))]
    print(
        f"{name}: {len(taken)} clicks, median {1000 * statistics.median(taken):.0f} ms, 95 % {1000 * p95:.0f} ms, worst {ordered[-1]:.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="local")
    parser.add_argument("--sessions", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--load", type=float, default=0.5)
    options = parser.parse_args()
    served = dw.serve("alexnet", "photos", name="benchmark", address=options.address)
    first = dw.connect(first_address(options), name="benchmark").wait()
    order = list(range(256))
    random.Random(0).shuffle(order)
    for unit in order[:3]:
        click(first, unit)
    began, memory = time.perf_counter(), served.memory
    others = [dw.connect(first_address(options), name="benchmark") for _ in range(options.sessions - 1)]
    print(f"{len(others)} sessions more: {(time.perf_counter() - began) / len(others):.3f} s each", end=", ")
    print(f"{(served.memory - memory) / len(others) / 2**20:.2f} MiB each (of {memory / 2**20:.0f} MiB)")
    everyone, endless = [first, *others], iter(order[3:] * 1000)
    alone = clicks([first], endless, options.seconds / 2, 1)
    report("one client", alone)
    think = len(everyone) * statistics.mean(alone) / options.load
    print(f"each of {len(everyone)} clients clicks every {think:.1f} s")
    report(f"{len(everyone)} clients", clicks(everyone, endless, options.seconds, think))
    print(f"after clicking: {(served.memory - memory) / 2**20:.0f} MiB more than with one session")
    for number, service in enumerate(everyone):
        service.set_head("caltech101")
        service.set_units({("conv5", number): 0.0})
    print(f"with a head and a unit off: {(served.memory - memory) / 2**20:.0f} MiB more")
    report(f"{len(everyone)} clients, a unit off and a head each", clicks(everyone, endless, options.seconds, think))
    print(f"after clicking with them: {(served.memory - memory) / 2**20:.0f} MiB more")
    run = everyone[-1].transfer.start(TransferSettings("photo-crops", "pool5", images_per_class=4, folds=100))
    report(f"{len(everyone)} clients, while one trains", clicks(everyone[:-1], endless, options.seconds, think))
    print("the training:", everyone[-1].transfer.status().runs[-1].phase, len(everyone[-1].transfer.status().runs[-1].per_fold), "folds")
    everyone[-1].transfer.stop()
    try:
        everyone[-1].transfer.wait(run, 60)
    except ServiceError as error:
        print(error)
    for service in others:
        service.close()
    time.sleep(2)
    print(
        f"after {len(others)} were closed: {served.sessions} session, {(served.memory - memory) / 2**20:.0f} MiB more than at the beginning"
    )
    served.close()


def first_address(options: argparse.Namespace) -> str:
    return "auto" if options.address == "local" else options.address


if __name__ == "__main__":
    main()
