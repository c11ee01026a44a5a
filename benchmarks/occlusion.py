"""A whole occlusion map: deconvwidgets against Captum's Occlusion and against whole images in batches.

Run it with `python benchmarks/occlusion.py [--repeats 5] [--threads 2] [--models alexnet vgg16]`. Each case is a 224 x 224 image, a square
window and a stride. Ours computes every position; the others every second row and column (VGG16 at stride 4: every fourth), and times are
per position. Captum runs at 8, 32 and 64 perturbations per evaluation, whole images at several batch sizes in both memory formats (the
fastest of a first round is timed). All take turns in one process; printed are medians, and the median of the pairwise ratios against the
fastest other.

"multiplications" says how many times fewer there are than on whole images: with each position's own tile (exactness allows no more), and
with our tiles, which share a few sizes a map so that they make batches. Outputs are compared: our logits, averaged over the windows that
cover a pixel as Captum does it, against Captum's attribution; and ours against whole images at each of the other's positions.
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
    sparse: int  # the others' stride

    def boxes(self, stride: int) -> list[tuple[int, int, int, int]]:
        starts = range(0, SIDE - self.window + 1, stride)
        return [(column, row, column + self.window, row + self.window) for row in starts for column in starts]

    def ours(self, stride: int) -> np.ndarray:
        maps = dw.occlude(self.bundle, self.image, self.window, stride, target=TARGET, logits=True)
        assert maps.method == "incremental"
        return maps.logits[:, :, TARGET]

    def whole(self, batch: int, form: torch.memory_format, most: int | None = None) -> Tensor:
        """Logits of the target, whole images in batches."""
        boxes, answers = self.boxes(self.sparse)[:most], []
        with torch.no_grad():
            for first in range(0, len(boxes), batch):
                some = self.image.repeat(len(boxes[first : first + batch]), 1, 1, 1)
                for one, (left, top, right, bottom) in zip(some, boxes[first : first + batch], strict=True):
                    one[:, top:bottom, left:right] = 0
                answers.append(self.bundle.model(some.contiguous(memory_format=form))[:, TARGET])
        return torch.cat(answers)

    def captum(self, evaluations: int) -> Tensor:
        with torch.no_grad():
            return Occlusion(self.bundle.model).attribute(
                self.image, (3, self.window, self.window), (3, self.sparse, self.sparse), baselines=0, target=TARGET,
                perturbations_per_eval=evaluations,
            )  # fmt: skip


def attribution(case: Case, logits: np.ndarray, before: float) -> np.ndarray:
    """Captum's: for each pixel, the mean loss of the logit over the windows that cover it."""
    total, count = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    for (left, top, right, bottom), logit in zip(case.boxes(case.sparse), logits.flatten(), strict=True):
        total[top:bottom, left:right] += before - logit
        count[top:bottom, left:right] += 1
    return total / np.maximum(count, 1)


def make_case(name: str, window: int, stride: int) -> Case:
    torch.manual_seed(0)
    if name == "alexnet":
        bundle = dw.load_model("alexnet")  # with its head on pool5
    else:
        net = import_torchvision().models.get_model(name, weights=None).eval()
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # so that the window still counts at the top
        bundle = dw.ModelBundle.from_module(net, categories=[str(number) for number in range(1000)], name=name)
    image = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    sparse = stride * (4 if (name, stride) == ("vgg16", 4) else 2)
    return Case(bundle, image, window, stride, sparse)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def fastest_whole(case: Case) -> tuple[str, Callable[[], object]]:
    ways = {f"whole, {batch}, {words}": (batch, form) for words, form in FORMATS.items() for batch in BATCHES}
    times = {words: seconds(lambda way=way: case.whole(*way, max(BATCHES))) for words, way in ways.items()}
    words = min(times, key=lambda each: times[each])
    return words, lambda: case.whole(*ways[words])


def compare(name: str, window: int, stride: int, repeats: int) -> None:
    case = make_case(name, window, stride)
    others, ours = len(case.boxes(case.sparse)), len(case.boxes(stride))
    words, whole = fastest_whole(case)
    ways: dict[str, Callable[[], object]] = {
        words: whole,
        **{f"Captum, {count}": lambda count=count: case.captum(count) for count in EVALUATIONS},
    }
    check_outputs(case)
    case.ours(stride)
    times: dict[str, list[float]] = {"ours": [], **{way: [] for way in ways}}
    for _ in range(repeats):
        times["ours"].append(seconds(lambda: case.ours(stride)) / ours)
        for way, run in ways.items():
            times[way].append(seconds(run) / others)
    best = min(ways, key=lambda each: statistics.median(times[each]))
    ratio = statistics.median(peer / own for peer, own in zip(times[best], times["ours"], strict=True))
    occluded = OccludedImage(case.bundle.network, case.image, torch.zeros(3, 1, 1), case.bundle.network.explorer_layers[-1].name, 0)
    exact, grouped = occluded.saving([[box] for box in case.boxes(stride)])
    print(f"{name} {window}/{stride}: {ours} positions in {statistics.median(times['ours']) * ours:.2f} s")
    for way, seen in times.items():
        print(f"    {way:28} {statistics.median(seen) * 1e3:7.2f} ms a position")
    print(
        f"    ratio {ratio:.2f}x (wanted {CASES[name, window, stride]}x) against {best}; multiplications {exact:.2f}x with own tiles, "
        f"{grouped:.2f}x with ours: {100 * ratio / grouped:.0f} % of that reached",
        flush=True,
    )


def check_outputs(case: Case) -> None:
    logits, wanted = case.ours(case.sparse), case.whole(16, torch.contiguous_format)
    with torch.no_grad():
        before = float(case.bundle.model(case.image)[0, TARGET])
    against_whole = np.abs(logits.flatten() - wanted.numpy()).max() / np.abs(wanted.numpy()).max()
    theirs = case.captum(32)[0, 0].numpy()
    covered = SIDE - (SIDE - case.window) % case.sparse  # where the stride leaves a rest, Captum shifts its last windows to the border
    against_captum = np.abs(attribution(case, logits, before) - theirs)[:covered, :covered]
    inner = slice(0, covered - case.window)
    share = against_captum[inner, inner].max() / np.abs(theirs).max()
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
