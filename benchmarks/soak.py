"""Measure the memory of a model service under random requests: it must reach a plateau.

    python benchmarks/soak.py [requests] [threads]

10,000 random requests (mosaics, tables, details, sources, scenes, patches, maps, images, projections, files, retraining, heads, uploads)
from 4 threads on one service, with the real AlexNet and the default photographs, after the caches were filled. The resident memory is
sampled at every percent, between two requests, after the C allocator's free memory was returned to the operating system (as the service
does after its last job): it is the memory in use. The script fails if it grows by 5% or more over the second half, or if a request raises
anything but a DeconvWidgetsError. Then 40 services whose widgets are neither shown nor closed are created and deleted: their threads must
end.
"""

from __future__ import annotations

import gc
import io
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

import deconvwidgets as dw
from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.instruments.transfer.records import TestsRequest, TransferSettings
from deconvwidgets.records.mosaics import MosaicRequest
from deconvwidgets.service.memory import release_free_memory

LIMIT = 0.05  # growth over the second half
SERVICES = 40
STATE = {"patches": [[112, 112]], "window": [48, 48]}
TILES = (40, 54, 72)  # sides of mosaic tiles in pixels
MAX_RUNS = 64  # that a service keeps
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")


class Requests:
    """Random requests to a service."""

    def __init__(self, service: dw.LocalModelService) -> None:
        self.service = service
        self.channels = {summary.info.short_name: summary.info.channels for summary in service.overview().layers}
        self.crops = service.overview().crops

    def kinds(self) -> dict[str, tuple[int, Callable[[random.Random], object]]]:
        """Kind -> (weight, request)."""
        layers, occlusion, transfer = self.service.layers, self.service.occlusion, self.service.transfer
        return {
            "mosaics": (
                30,
                lambda draw: layers.mosaics(MosaicRequest(*self.unit(draw), tile=draw.choice(TILES)), draw.random() < 0.5),
            ),
            "unit_table": (5, lambda draw: layers.unit_table(draw.choice(LAYERS))),
            "unit_detail": (10, lambda draw: layers.unit_detail(*self.unit(draw))),
            "source": (5, lambda draw: layers.source(*self.unit(draw), draw.randrange(9))),
            "scene": (5, lambda draw: occlusion.scene(self.request(draw))),
            "patch": (30, lambda draw: occlusion.answer(self.request(draw), [self.box(draw)])),
            "maps": (2, self.maps),
            "images": (2, lambda draw: occlusion.images(draw.randrange(20), 10)),
            "projections": (2, lambda draw: occlusion.projections(self.request(draw))),
            "figure": (0.3, lambda draw: occlusion.file("figure.png", self.request(draw), None, STATE)),
            "layer figure": (0.3, lambda draw: layers.figure("layer.png", {"layer": draw.choice(LAYERS), "units": 2})),
            "upload": (2, self.upload),
            "start": (0.3, lambda draw: transfer.start(TransferSettings("photo-crops", "pool5", 2, 1, seed=draw.randrange(99)))),
            "status": (3, lambda draw: transfer.status()),
            "results": (1, lambda draw: transfer.results(draw.randrange(1, 60))),
            "photographs": (1, lambda draw: transfer.photographs(draw.randrange(1, 60), TestsRequest())),
            "use_head": (0.2, lambda draw: transfer.use_head(draw.randrange(1, 60))),
            "undo_head": (0.2, lambda draw: transfer.undo_head()),
        }

    def mosaics(self, draw: random.Random) -> object:
        request = MosaicRequest(*self.unit(draw), tile=draw.choice(TILES))
        return self.service.layers.mosaics(request, background=draw.random() < 0.5)

    def unit(self, draw: random.Random) -> tuple[str, int]:
        layer = draw.choice(LAYERS)
        return layer, draw.randrange(self.channels[layer])

    def request(self, draw: random.Random) -> OcclusionRequest:
        layer, unit = self.unit(draw)
        image = f"crop:{draw.randrange(self.crops)}"
        return OcclusionRequest(image, layer, unit, fill=draw.choice(("gray", "mean", "blur", "#7f7f7f")))

    def box(self, draw: random.Random) -> tuple[int, int, int, int]:
        left, top, side = draw.randrange(-20, 200), draw.randrange(-20, 200), draw.choice((16, 48, 64))
        return left, top, left + side, top + side

    def maps(self, draw: random.Random) -> None:
        run = self.service.occlusion.start_maps(self.request(draw), MapsSettings((64, 64), (32, 32)), f"view {draw.randrange(8)}")
        if draw.random() < 0.3:
            self.service.occlusion.stop_maps(run)
        else:
            self.service.occlusion.colours(self.service.occlusion.maps(run))

    def upload(self, draw: random.Random) -> str:
        pixels = np.random.default_rng(draw.randrange(1 << 30)).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        data, occlusion = buffer.getvalue(), self.service.occlusion
        upload = occlusion.begin_upload("noise.png", len(data))
        if draw.random() < 0.2:
            return ""  # never finished
        occlusion.add_chunk(upload, 0, data)
        return occlusion.finish_upload(upload)


def warm_up(requests: Requests) -> None:
    """Fill the caches, which are limited by bytes or entries, so that later growth is none of theirs."""
    layers, occlusion = requests.service.layers, requests.service.occlusion
    for tile in TILES:
        for layer, channels in requests.channels.items():
            for unit in range(channels):
                layers.mosaics(MosaicRequest(layer, unit, tile=tile))
    for seed in range(MAX_RUNS):
        requests.maps(random.Random(seed))
        occlusion.scene(requests.request(random.Random(seed)))


def run(requests: Requests, count: int, threads: int) -> tuple[list[float], Counter[str], list[str]]:
    """Make the requests; return the memory in MB at every percent, the number of each kind, and unexpected errors."""
    kinds = requests.kinds()
    names, weights = list(kinds), [weight for weight, _ in kinds.values()]
    made, failures, samples = Counter[str](), list[str](), list[float]()
    process = psutil.Process()

    def request(number: int) -> None:
        draw = random.Random(number)
        (name,) = draw.choices(names, weights)
        made[name] += 1
        try:
            kinds[name][1](draw)
        except DeconvWidgetsError as error:
            made[f"{name}: {type(error).__name__}"] += 1
        except Exception as error:  # noqa: BLE001 - reported at the end
            failures.append(f"{name}: {type(error).__name__}: {error}")

    with ThreadPoolExecutor(threads) as pool:
        for percent in range(1, 101):
            list(pool.map(request, range(count * (percent - 1) // 100, count * percent // 100)))
            gc.collect()
            release_free_memory()
            samples.append(process.memory_info().rss / 1e6)
            if percent % 10 == 0:
                print(f"{percent:3d}% {samples[-1]:6.0f} MB, {threading.active_count()} threads", flush=True)
    return samples, made, failures


def growth(samples: list[float]) -> float:
    """Return the relative growth of the mean from the first tenth of the second half to the last tenth."""
    half, tenth = len(samples) // 2, len(samples) // 10
    return float(np.mean(samples[-tenth:]) / np.mean(samples[half : half + tenth]) - 1)


def drop_services(bundle: dw.ModelBundle, images: object, index: dw.ActivationIndex) -> tuple[int, float]:
    """Create and delete services with unclosed widgets. Return the number of threads that are left, and the memory in MB per service."""
    process, threads = psutil.Process(), threading.active_count()
    before = process.memory_info().rss
    for _ in range(SERVICES):
        service = dw.LocalModelService(bundle, images, index=index, device="cpu")
        explorers = [dw.LayerExplorer(service), dw.OcclusionExplorer(service), dw.TransferPanel(service)]
        service.layers.mosaics(MosaicRequest("conv1", 0))
        service.occlusion.scene(OcclusionRequest("crop:0"))
        del service, explorers
        gc.collect()
    deadline = time.monotonic() + 30
    while threading.active_count() > threads and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.1)
    return threading.active_count() - threads, (process.memory_info().rss - before) / 1e6 / SERVICES


def main() -> int:
    count, threads = (int(value) for value in (*sys.argv[1:], "10000", "4")[:2]) if len(sys.argv) < 3 else map(int, sys.argv[1:3])
    os.environ.setdefault("DECONVWIDGETS_CACHE", str(Path(tempfile.gettempdir()) / "deconvwidgets-soak"))
    bundle, images = dw.load_model("alexnet", head="caltech101"), dw.open_images("photos")
    service = dw.LocalModelService(bundle, images, device="cpu").wait()
    service.subscribe(lambda event: None)
    requests = Requests(service)
    warm_up(requests)
    started = time.perf_counter()
    samples, made, failures = run(requests, count, threads)
    share = growth(samples)
    print(f"\n{count:,} requests from {threads} threads in {time.perf_counter() - started:.0f} s: {dict(sorted(made.items()))}")
    print(f"memory: {samples[len(samples) // 2]:.0f} MB in the middle, {samples[-1]:.0f} MB at the end, growth {100 * share:+.1f}%")
    print(f"unexpected errors: {failures[:10] or 'none'}")
    index = service.index
    service.close()
    left, megabytes = drop_services(bundle, images, index)
    print(f"{SERVICES} services with unclosed widgets: {left} threads left, {megabytes:.1f} MB per service")
    return int(share >= LIMIT or bool(failures) or left > 0)


if __name__ == "__main__":
    sys.exit(main())
