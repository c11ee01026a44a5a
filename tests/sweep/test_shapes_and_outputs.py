"""Networks that are no classifiers of 224 x 224 colour images: U-Net, FCN, autoencoders, other channels and sizes, several outputs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deconvwidgets.engine.network import Network
from tests.sweep.checks import check_network, randomised

pytestmark = pytest.mark.slow


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU(inplace=True),
    )  # fmt: skip


class UNet(nn.Module):
    """Two levels; what is joined comes from before the pooling. `up` is learnt, or interpolates."""

    def __init__(self, learnt: bool) -> None:
        super().__init__()
        self.down1, self.down2, self.bottom = block(3, 6), block(6, 8), block(8, 10)
        self.pool = nn.MaxPool2d(2)
        self.up2: nn.Module = nn.ConvTranspose2d(10, 8, 2, 2) if learnt else nn.Upsample(scale_factor=2, mode="bilinear")
        self.up1: nn.Module = nn.ConvTranspose2d(8, 6, 2, 2) if learnt else nn.Upsample(scale_factor=2)
        self.join2, self.join1 = block(16 if learnt else 18, 8), block(12 if learnt else 14, 6)
        self.head = nn.Conv2d(6, 2, 1)

    def forward(self, batch: Tensor) -> Tensor:
        first = self.down1(batch)
        second = self.down2(self.pool(first))
        maps = self.up2(self.bottom(self.pool(second)))
        maps = self.join2(torch.cat([second, maps], 1))
        return self.head(self.join1(torch.cat([first, self.up1(maps)], 1)))


class FCN(nn.Module):
    """Scores of three depths, interpolated to the size of the input, as a dictionary like torchvision's segmentation networks."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([block(3, 6), block(6, 8), block(8, 10)])
        self.scores = nn.ModuleList([nn.Conv2d(channels, 4, 1) for channels in (6, 8, 10)])

    def forward(self, batch: Tensor) -> dict[str, Tensor]:
        maps, sums = batch, batch.new_zeros(())
        for part, score in zip(self.parts, self.scores, strict=True):
            maps = F.max_pool2d(part(maps), 2)
            sums = sums + F.interpolate(score(maps), size=batch.shape[-2:], mode="bilinear", align_corners=False)
        return {"out": sums, "aux": maps}


def autoencoder(*up: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 6, 3, 2, 1), nn.LeakyReLU(0.1), *up, nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1)
    )  # fmt: skip


class SeveralOutputs(nn.Module):
    """Logits, a map, and a list; the weights of the second convolution are standardised."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.classify = nn.Conv2d(3, 6, 3, stride=2), nn.Conv2d(6, 8, 3), nn.Linear(8, 5)

    def forward(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor], list[Tensor]]:
        maps = F.relu(self.first(batch))
        weight = self.second.weight
        weight = (weight - weight.mean((1, 2, 3), keepdim=True)) / weight.std((1, 2, 3), keepdim=True)
        deep = F.conv2d(maps, weight, self.second.bias).relu()
        return self.classify(deep.mean((2, 3))), {"maps": maps}, [deep, batch]


MODELS: dict[str, Callable[[], nn.Module]] = {
    "U-Net with transposed convolutions": lambda: UNet(learnt=True),
    "U-Net with interpolation": lambda: UNet(learnt=False),
    "FCN": FCN,
    "autoencoder with transposed convolutions": lambda: autoencoder(nn.ConvTranspose2d(6, 4, 4, 4, bias=False), nn.BatchNorm2d(4)),
    "autoencoder with upsampling": lambda: autoencoder(nn.Upsample(scale_factor=4), nn.Conv2d(6, 4, 3, padding=1)),
    "autoencoder with pixel shuffle": lambda: autoencoder(nn.Conv2d(6, 64, 1), nn.PixelShuffle(4)),
    "several outputs": SeveralOutputs,
    "pixel unshuffle": lambda: nn.Sequential(nn.PixelUnshuffle(2), block(12, 6), nn.MaxPool2d(2), block(6, 8)),
    "padding by reflection": lambda: nn.Sequential(
        nn.ReflectionPad2d(2), nn.Conv2d(3, 6, 5), nn.ReLU(), nn.ReplicationPad2d(1), nn.Conv2d(6, 4, 3)
    ),
    "padding by zeros and cropping": lambda: nn.Sequential(nn.ZeroPad2d((1, 2, 0, 3)), block(3, 6), nn.ZeroPad2d(-1), nn.Conv2d(6, 4, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_networks_that_are_no_classifiers(name: str) -> None:
    torch.manual_seed(0)
    check_network(MODELS[name](), (3, 32, 24), occlusion=True, logits=False)


def classifier(channels: int) -> nn.Sequential:
    return nn.Sequential(
        block(channels, 6), nn.MaxPool2d(3, 2, 1), block(6, 8), nn.AvgPool2d(2), block(8, 8), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip


@pytest.mark.parametrize("size", [(1, 28, 28), (4, 32, 40), (12, 24, 24), (3, 96, 160), (3, 33, 61)], ids=str)
def test_other_channels_and_sizes(size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    assert check_network(classifier(size[0]), size, occlusion=True) == {}


@pytest.mark.parametrize("channels", [1, 3])
def test_index_of_grey_and_colour_images(channels: int, noise: Callable[..., object]) -> None:
    torch.manual_seed(0)
    check_network(classifier(channels), (channels, 16, 16), index=noise(4))


def test_receptive_fields_of_a_unet_end_at_its_bottom() -> None:
    """Interpolation has no window here: what follows it depends on the whole image, which is always right."""
    network = Network.of(randomised(UNet(learnt=True)), (3, 32, 32))
    assert network.layer("bottom").receptive_field is not None
    assert network.layer("join2").receptive_field is None
