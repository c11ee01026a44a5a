"""Peak memory of building an activation index, at 2,000 and at 50,000 photographs.

    python benchmarks/index_memory.py [--counts 2000 50000] [--files FOLDER] [--workers N]

Every build runs in a process of its own, with a small network. The photographs are links under other names to the files of a folder (small
ones are made if none is given), and then a set without files whose content ids all differ. The memory is that of the process and its
children together, sampled every 20 milliseconds; it must not differ by more than 5 %.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.images.folders import image_paths
from deconvwidgets.images.image_set import ImageSet

SIDE = 32
LIMIT = 1.05


class DifferentPictures(ImageSet):
    """`count` pictures that differ in their first pixels."""

    def __init__(self, count: int) -> None:
        super().__init__("different pictures", f"different-{count}")
        self._count = count

    @property
    def source_count(self) -> int:
        return self._count

    def source_name(self, source: int) -> str:
        return f"picture {source}"

    def label(self, source: int) -> int | None:
        return source % 100

    def open_source(self, source: int) -> Image.Image:
        pixels = np.random.default_rng(source % 64).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        pixels[0, 0] = source // 65536, source // 256 % 256, source % 256
        return Image.fromarray(pixels)


def build(kind: str, count: int, folder: str, workers: str) -> None:
    """Build an index, in this process."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten()
    )
    bundle = dw.ModelBundle.from_module(net.eval(), input_size=(3, SIDE, SIDE), task=None, name="small")
    images = DifferentPictures(count) if kind == "different" else dw.open_images(folder)
    assert images.source_count == count
    with tempfile.TemporaryDirectory() as place:
        settings = {} if workers == "auto" else {"workers": int(workers)}
        index = dw.ActivationIndex.build(bundle, images, path=Path(place) / "index", progress=False, device="cpu", **settings)
    print(json.dumps({"crops": sum(stop - first for first, stop in index.crop_ranges), "contents": len(np.unique(index.contents))}))


def link(files: list[Path], folder: Path, count: int) -> None:
    """Make links under other names, in a hundred class folders."""
    for number, file in enumerate(islice(cycle(files), count)):
        place = folder / f"class {number % 100:02}" / f"link {number}{file.suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(file.resolve())


def measured(arguments: list[str]) -> tuple[float, float, dict[str, int]]:
    """Return the peak memory (MiB) of a process and its children, its seconds, and what it printed."""
    started, peak = time.monotonic(), 0
    process = subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True)
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peak = max(peak, sum(one.memory_info().rss for one in (watched, *watched.children(recursive=True))))
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.02)
    if process.returncode or process.stdout is None:
        raise SystemExit(f"The build failed with exit code {process.returncode}.")
    return peak / 2**20, time.monotonic() - started, json.loads(process.stdout.read())


def main() -> None:
    """Measure every kind of image set at every count, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[2_000, 50_000])
    parser.add_argument("--files", type=Path)
    parser.add_argument("--workers", default="auto")
    parser.add_argument("--build", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build is not None:
        kind, count, folder = options.build
        build(kind, int(count), folder, options.workers)
        return
    with tempfile.TemporaryDirectory() as place:
        files = [options.files / path for path in image_paths(options.files)] if options.files else made(Path(place) / "files")
        for kind in ("links", "different"):
            peaks = []
            for count in options.counts:
                folder = Path(place) / str(count)
                if kind == "links":
                    link(files, folder, count)
                peak, seconds, found = measured(["--workers", options.workers, "--build", kind, str(count), str(folder)])
                peaks.append(peak)
                print(f"{kind:10} {count:7,} photographs: {peak:7.1f} MiB, {seconds:6.1f} s, {found['contents']:,} contents", flush=True)
            print(f"{kind:10} ratio {peaks[-1] / peaks[0]:.3f} (at most {LIMIT})", flush=True)


def made(folder: Path) -> list[Path]:
    """Make 500 small JPEG files."""
    folder.mkdir()
    generator, paths = np.random.default_rng(0), [folder / f"{number}.jpg" for number in range(500)]
    for path in paths:
        Image.fromarray(generator.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)
    return paths


if __name__ == "__main__":
    main()
