"""Images per second of training ZFNet by dw.train, against a plain PyTorch loop that does the same work, epoch by epoch in turn.

    python benchmarks/train.py [--input-size 64] [--images 512] [--epochs 3] [--batch-size 128] [--architecture zfnet] [--no-dropout]

On a GPU, `--input-size 224 --images 8192` is the paper's size. The photographs are drawn, decoded once, and in memory in both. The plain
loop has the same network, order, crops, flips, dropout rate and filter limit, and no checkpoints, state, log, progress or checks. Both
start from the same weights; with dropout switched off (`--no-dropout`), their weights must agree at the end.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.checkpoints.checkpoint_file import checkpoint_path, read_checkpoint_file
from deconvwidgets.images.image_set import ImageSet, digest_of
from deconvwidgets.instruments.training.compute.batches import EpochPlan
from deconvwidgets.models.preprocess import IMAGENET_MEAN, IMAGENET_STD
from deconvwidgets.models.untrained import build_untrained

CLASSES = 10


class DrawnImages(ImageSet):
    """Smooth noise in memory, as large as the training needs."""

    def __init__(self, count: int, side: int) -> None:
        super().__init__("drawn", digest_of([str(count), str(side)]), [f"class {number}" for number in range(CLASSES)])
        generator = np.random.default_rng(0)
        small = generator.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
        self._pixels = [np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)) for image in small]

    @property
    def source_count(self) -> int:
        return len(self._pixels)

    def source_name(self, source: int) -> str:
        return f"image {source}"

    def label(self, source: int) -> int:
        return source % CLASSES

    def open_source(self, source: int) -> Image.Image:
        return Image.fromarray(self._pixels[source])

    def pixels(self) -> np.ndarray:
        """Return uint8 (images, 3, side, side)."""
        return np.ascontiguousarray(np.stack(self._pixels).transpose(0, 3, 1, 2))


class PlainLoop:
    """What one would write: a model, SGD, and a loop over batches of a tensor."""

    def __init__(self, model: nn.Module, pixels: np.ndarray, recipe: dw.Recipe, size: int, device: torch.device) -> None:
        self.model, self.recipe, self.size, self.device = model.to(device).train(), recipe, size, device
        self.pixels = torch.from_numpy(pixels)
        self.labels = torch.arange(len(pixels)) % CLASSES
        self.optimizer = torch.optim.SGD(
            model.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
        self.mean = torch.tensor(IMAGENET_MEAN, device=device).view(-1, 1, 1)
        self.std = torch.tensor(IMAGENET_STD, device=device).view(-1, 1, 1)

    def batch(self, plan: EpochPlan, start: int) -> tuple[torch.Tensor, torch.Tensor]:
        places = range(start, min(start + self.recipe.batch_size, len(self.labels)))
        images = []
        for place in places:
            top, left = plan.corners[place]
            image = self.pixels[plan.order[place], :, top : top + self.size, left : left + self.size]
            images.append(image.flip(2) if plan.flips[place] else image)
        inputs = torch.stack(images).to(self.device)
        return (inputs / 255 - self.mean) / self.std, self.labels[plan.order[places]].to(self.device)

    def epoch(self, number: int) -> None:
        margin = self.pixels.shape[2] - self.size
        plan = EpochPlan.of(self.recipe, number, len(self.labels), (margin, margin))
        for start in range(0, len(self.labels), self.recipe.batch_size):
            inputs, labels = self.batch(plan, start)
            self.optimizer.zero_grad()
            F.cross_entropy(self.model(inputs), labels).backward()
            self.optimizer.step()
            with torch.no_grad():
                for module in self.model.modules():
                    if isinstance(module, nn.Conv2d):
                        rms = module.weight.square().mean((1, 2, 3), keepdim=True).sqrt()
                        module.weight.mul_(torch.where(rms > 0.1, 0.1 / rms, 1.0))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="zfnet")
    parser.add_argument("--input-size", type=int, default=64)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--no-dropout", action="store_true")
    options = parser.parse_args()
    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if options.device == "auto" else options.device)
    images = DrawnImages(options.images, round(options.input_size * 256 / 224))
    with tempfile.TemporaryDirectory() as name:
        compare(images, Path(name), device, options)


def compare(images: DrawnImages, folder: Path, device: torch.device, options: argparse.Namespace) -> None:
    fields = {
        "batch_size": options.batch_size, "validation_share": 0, "initial_std": "he", "max_filter_rms": 0.1, "save_epochs": [0],
        "dropout": 0 if options.no_dropout else None, "input_size": options.input_size, "device": device, "progress": False,
    }  # fmt: skip
    dw.train(options.architecture, images, out=folder, epochs=1, **fields)  # also the warm-up of the device
    model = build_untrained(options.architecture, CLASSES, (3, options.input_size, options.input_size))
    model.load_state_dict(read_checkpoint_file(checkpoint_path(folder, 0)).state)
    if options.no_dropout:
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    plain = PlainLoop(model, images.pixels(), dw.Recipe(batch_size=options.batch_size), options.input_size, device)
    plain.epoch(0)
    own_rates, plain_rates = [], []
    for epoch in range(1, options.epochs + 1):
        trained = dw.train(options.architecture, images, out=folder, epochs=epoch + 1, **fields)  # resumes for one more epoch
        own_rates.append(trained.log.epochs[-1].images_per_second or 0.0)
        started = time.perf_counter()
        plain.epoch(epoch)
        plain_rates.append(len(images) / (time.perf_counter() - started))
        print(f"epoch {epoch}: dw.train {own_rates[-1]:,.0f} images/s, plain loop {plain_rates[-1]:,.0f} images/s", flush=True)
    ratio = statistics.median(own / other for own, other in zip(own_rates, plain_rates, strict=True))
    rates = f"{statistics.median(own_rates):,.0f} images/s, plain loop {statistics.median(plain_rates):,.0f} images/s"
    what = f"{options.architecture} at {options.input_size}, batch {options.batch_size}, {device}"
    print(f"{what}: dw.train {rates}; ratio in an epoch {ratio:.2f}")
    if options.no_dropout:
        other = plain.model.state_dict()
        own = trained.bundle.model.state_dict()
        difference = max(float((own[key] - other[key].cpu()).abs().max() / own[key].abs().max()) for key in own)
        print(f"largest difference of the weights after {options.epochs + 1} epochs, of the largest: {difference:.1e}")


if __name__ == "__main__":
    main()
