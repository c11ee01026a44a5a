"""Small networks with planted faults, and photographs with edges of all directions."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import nn

from deconvwidgets.images.image_set import ImageSet, digest_of
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess

SIDE = 32
TRANSFORM = Preprocess(resize=40, crop=(SIDE, SIDE), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


class SmoothPhotographs(ImageSet):
    """Photographs of coloured noise that fades with frequency, as in nature. Class 0 is reddish, class 1 bluish."""

    def __init__(self, count: int = 60, seed: int = 0, side: int = 48) -> None:
        generator = np.random.default_rng(seed)
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij")) + 1 / side
        self.pixels = []
        for number in range(count):
            noise = np.fft.ifft2(np.fft.fft2(generator.normal(size=(3, side, side))) / frequency).real
            noise = noise / noise.std() * 40 + 127
            noise[0 if number % 2 == 0 else 2] += 50
            self.pixels.append(noise.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
        super().__init__("smooth", digest_of([str(count), str(seed), str(side)]), ["red", "blue"])

    @property
    def source_count(self) -> int:
        return len(self.pixels)

    def source_name(self, source: int) -> str:
        return f"smooth-{source}"

    def label(self, source: int) -> int | None:
        return source % 2

    def open_source(self, source: int) -> Image.Image:
        return Image.fromarray(self.pixels[source])


def network(kernel: int = 5, stride: int = 2, norm: bool = False, seed: int = 0) -> nn.Sequential:
    """Return two convolutions and a classifier with random weights whose first filters are smooth, so that nothing is wrong with it."""
    torch.manual_seed(seed)
    first = nn.Conv2d(3, 12, kernel, stride=stride, padding=kernel // 2)
    middle: list[nn.Module] = [nn.BatchNorm2d(12)] if norm else []
    second = nn.Conv2d(12, 16, 3, padding=1)
    top = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2))
    return nn.Sequential(first, *middle, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU(), *top).eval()


DEEP_OUTPUTS = {  # the number of modules of `deep_network` up to each layer
    "conv1": 2, "conv2": 5, "conv3": 7, "conv4": 9, "conv5": 11, "conv6": 13, "conv7": 15, "fc8": 18, "fc9": 20, "fc10": 21,
}  # fmt: skip


def deep_network(side: int = SIDE, classes: int = 3) -> nn.Sequential:
    """Return seven convolutions, two hidden fully connected layers and one of classes, with random weights."""
    torch.manual_seed(0)
    convolutions: list[nn.Module] = [nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2)]
    for channels in (6, 5, 4, 8, 7, 5):
        convolutions += [nn.LazyConv2d(channels, 3, padding=1), nn.ReLU()]
    net = nn.Sequential(*convolutions, nn.Flatten(), nn.LazyLinear(9), nn.ReLU(), nn.Linear(9, 7), nn.ReLU(), nn.Linear(7, classes)).eval()
    net(torch.zeros(1, 3, side, side))
    return net


def bundle_of(model: nn.Sequential, transform: Preprocess = TRANSFORM, name: str = "planted") -> ModelBundle:
    return ModelBundle.from_module(model, transform=transform, categories=["red", "blue"], name=name)


def inputs(bundle: ModelBundle, images: ImageSet) -> torch.Tensor:
    return torch.stack([bundle.prepare(images.open_source(source)) for source in range(images.source_count)])


def train_statistics(model: nn.Sequential, batch: torch.Tensor) -> nn.Sequential:
    """Let the batch norm record the statistics of a batch."""
    model[1].train().momentum = None
    with torch.no_grad():
        model(batch)
    model[1].eval()
    return model
