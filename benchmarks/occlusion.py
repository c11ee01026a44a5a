"""Time a whole occlusion map: deconvwidgets, Captum's Occlusion, and whole images in batches.

Run it with `python benchmarks/occlusion.py [--repeats 5] [--threads 2] [--models alexnet vgg16]`. Each case is a 224 x 224 image, a square
window and a stride. deconvwidgets computes every position, the others every second row and column (VGG16 at stride 4: every fourth); times
are per position. Captum runs with 8, 32 and 64 perturbations per evaluation. Whole images run at several batch sizes in both memory
formats, and the fastest of a first round is timed. All are timed in turn in one process. The medians are printed, and the median of the
pairwise ratios to the fastest other.

"multiplications" is the number of multiplications of whole images divided by that of deconvwidgets: with a tile per position of exactly
the affected region (the maximum), and with the tiles of deconvwidgets, which have a few sizes per map so that they can be batched. The
outputs are compared: the logits, averaged over the windows that cover a pixel as in Captum, with Captum's attribution; and the logits with
those of whole images at the positions of the others.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import Occlusion
from torch import Tensor, nn

import deconvwidgets as dw
from deconvwidgets.engine.occlusion.occluded_image import OccludedImage
from deconvwidgets.models.torchvision_import import import_torchvision

SIDE, TARGET = 224, 3
CASES = {("alexnet", 48, 8): 1.8, ("alexnet", 16, 4): 2.8, ("vgg16", 48, 8): 3.3, ("vgg16", 16, 4): 6.0}
EVALUATIONS = (8, 32, 64)
BATCHES = (8, 16, 32, 64)
FORMATS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}
warnings.filterwarnings("ignore")


@dataclass
class Case:
    bundle: dw.ModelBundle
    image: Tensor  # (1, 3, 224, 224)
    window: int
    stride: int
    sparse: int  # the stride of the others

    def boxes(self, stride: int) -> list[tuple[int, int, int, int]]:
        starts = range(0, SIDE - self.window + 1, stride)
        return [(column, row, column + self.window, row + self.window) for row in starts for column in starts]

    def incremental(self, stride: int) -> np.ndarray:
        maps = dw.occlude(self.bundle, self.image, self.window, stride, target=TARGET, logits=True)
        assert maps.method == "incremental"
        return maps.logits[:, :, TARGET]

    def whole(self, batch: int, memory_format: torch.memory_format, limit: int | None = None) -> Tensor:
        """Return the logits of the target from whole images in batches, for the first `limit` positions."""
        boxes, logits = self.boxes(self.sparse)[:limit], []
        with torch.no_grad():
            for first in range(0, len(boxes), batch):
                images = self.image.repeat(len(boxes[first : first + batch]), 1, 1, 1)
                for image, (left, top, right, bottom) in zip(images, boxes[first : first + batch], strict=True):
                    image[:, top:bottom, left:right] = 0
                logits.append(self.bundle.model(images.contiguous(memory_format=memory_format))[:, TARGET])
        return torch.cat(logits)

    def captum(self, evaluations: int) -> Tensor:
        with torch.no_grad():
            return Occlusion(self.bundle.model).attribute(
                self.image, (3, self.window, self.window), (3, self.sparse, self.sparse), baselines=0, target=TARGET,
                perturbations_per_eval=evaluations,
            )  # fmt: skip


def attribution(case: Case, logits: np.ndarray, before: float) -> np.ndarray:
    """Return the attribution as Captum defines it: for each pixel, the mean drop of the logit over the windows that cover it."""
    total, count = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    for (left, top, right, bottom), logit in zip(case.boxes(case.sparse), logits.flatten(), strict=True):
        total[top:bottom, left:right] += before - logit
        count[top:bottom, left:right] += 1
    return total / np.maximum(count, 1)


def make_case(name: str, window: int, stride: int) -> Case:
    torch.manual_seed(0)
    if name == "alexnet":
        bundle = dw.load_model("alexnet")  # with the Caltech-101 head on pool5
    else:
        net = import_torchvision().models.get_model(name, weights=None).eval()
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # so that occlusion changes the logits
        bundle = dw.ModelBundle.from_module(net, categories=[str(number) for number in range(1000)], name=name)
    image = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    sparse = stride * (4 if (name, stride) == ("vgg16", 4) else 2)
    return Case(bundle, image, window, stride, sparse)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def fastest_whole(case: Case) -> tuple[str, Callable[[], object]]:
    variants = {f"whole, {batch}, {name}": (batch, memory_format) for name, memory_format in FORMATS.items() for batch in BATCHES}
    times = {name: seconds(lambda variant=variant: case.whole(*variant, max(BATCHES))) for name, variant in variants.items()}
    fastest = min(times, key=lambda name: times[name])
    return fastest, lambda: case.whole(*variants[fastest])


def compare(name: str, window: int, stride: int, repeats: int) -> None:
    case = make_case(name, window, stride)
    other_count, count = len(case.boxes(case.sparse)), len(case.boxes(stride))
    whole_name, whole = fastest_whole(case)
    variants: dict[str, Callable[[], object]] = {
        whole_name: whole,
        **{f"Captum, {size}": lambda size=size: case.captum(size) for size in EVALUATIONS},
    }
    check_outputs(case)
    case.incremental(stride)
    times: dict[str, list[float]] = {"deconvwidgets": [], **{variant: [] for variant in variants}}
    for _ in range(repeats):
        times["deconvwidgets"].append(seconds(lambda: case.incremental(stride)) / count)
        for variant, run in variants.items():
            times[variant].append(seconds(run) / other_count)
    fastest = min(variants, key=lambda variant: statistics.median(times[variant]))
    ratio = statistics.median(other / own for other, own in zip(times[fastest], times["deconvwidgets"], strict=True))
    occluded = OccludedImage(case.bundle.network, case.image, torch.zeros(3, 1, 1), case.bundle.network.feature_map_layers[-1].name, 0)
    exact, grouped = occluded.saving([[box] for box in case.boxes(stride)])
    print(f"{name} {window}/{stride}: {count} positions in {statistics.median(times['deconvwidgets']) * count:.2f} s")
    for variant, measured in times.items():
        print(f"    {variant:28} {statistics.median(measured) * 1e3:7.2f} ms per position")
    print(
        f"    ratio {ratio:.2f}x (target {CASES[name, window, stride]}x) to {fastest}; multiplications {exact:.2f}x with exact tiles, "
        f"{grouped:.2f}x with batched tiles, of which {100 * ratio / grouped:.0f}% are reached",
        flush=True,
    )


def check_outputs(case: Case) -> None:
    logits, expected = case.incremental(case.sparse), case.whole(16, torch.contiguous_format)
    with torch.no_grad():
        before = float(case.bundle.model(case.image)[0, TARGET])
    against_whole = np.abs(logits.flatten() - expected.numpy()).max() / np.abs(expected.numpy()).max()
    captum = case.captum(32)[0, 0].numpy()
    covered = SIDE - (SIDE - case.window) % case.sparse  # beyond it, Captum shifts its last windows to the border
    against_captum = np.abs(attribution(case, logits, before) - captum)[:covered, :covered]
    inner = slice(0, covered - case.window)
    share = against_captum[inner, inner].max() / np.abs(captum).max()
    print(f"    largest difference: {against_whole:.1e} of the logits, {share:.1e} of Captum's attribution")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="*", default=["alexnet", "vgg16"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name, window, stride in CASES:
        if name in arguments.models:
            compare(name, window, stride, arguments.repeats if name == "alexnet" else max(2, arguments.repeats // 2))


if __name__ == "__main__":
    main()
