"""The network of Zeiler & Fergus 2014, figure 3, and the variants of their table 3. No weights are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from deconvwidgets.errors import ModelError

MAPS = (96, 256, 384, 384, 256)
HIDDEN = (4096, 4096)


def _contrast_norm() -> nn.Module:
    """Return the normalisation over five neighbouring maps of Krizhevsky et al. 2012, section 3.3.

    nn.LocalResponseNorm divides `alpha` by the number of maps, so it is 5 * 1e-4 here.
    """
    return nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0)


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _features(maps: Sequence[int]) -> nn.Sequential:
    first = [nn.Conv2d(3, maps[0], 7, stride=2, padding=1), nn.ReLU(inplace=True), _pool(), _contrast_norm()]
    second = [nn.Conv2d(maps[0], maps[1], 5, stride=2), nn.ReLU(inplace=True), _pool(), _contrast_norm()]
    later: list[nn.Module] = []
    for below, above in pairwise(maps[1:]):
        later += [nn.Conv2d(below, above, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*first, *second, *later, _pool())


class ZFNet(nn.Module):
    """ZFNet. The input is (N, 3, height, width); the output is logits (N, classes).

    At 224 x 224, the feature maps are conv1 96 x 110 x 110, pool1 96 x 55 x 55, conv2 256 x 26 x 26, pool2 256 x 13 x 13, conv3 and conv4
    384 x 13 x 13, conv5 256 x 13 x 13 and pool5 256 x 6 x 6.

    Parameters
    ----------
    num_classes : int
        The number of classes.
    input_size : tuple of (int, int)
        (height, width). The size of pool5, and with it the input of fc6, depends on it.
    maps : sequence of int
        The number of maps of each convolution, at least three.
    hidden : sequence of int
        The number of units of fc6 and fc7; fewer than two leave layers out.

    Raises
    ------
    ModelError
        If the input is too small.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        input_size: tuple[int, int] = (224, 224),
        maps: Sequence[int] = MAPS,
        hidden: Sequence[int] = HIDDEN,
    ) -> None:
        super().__init__()
        self.features = _features(maps)
        layers: list[nn.Module] = []
        inputs = _pooled_values(maps, input_size)
        for units in hidden:
            layers += [nn.Linear(inputs, units), nn.ReLU(inplace=True), nn.Dropout()]
            inputs = units
        self.classifier = nn.Sequential(*layers, nn.Linear(inputs, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, classes)."""
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits


# Zeiler & Fergus 2014, table 3. The layers that are left out there are those of the replication of Krizhevsky et al.
VARIANTS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "zfnet_without_3_4": ((96, 256, 256), HIDDEN),
    "zfnet_without_7": (MAPS, (4096,)),
    "zfnet_without_6_7": (MAPS, ()),
    "zfnet_without_3_4_6_7": ((96, 256, 256), ()),
    "zfnet_fc2048": (MAPS, (2048, 2048)),
    "zfnet_fc8192": (MAPS, (8192, 8192)),
    "zfnet_512_1024_512": ((96, 256, 512, 1024, 512), HIDDEN),
    "zfnet_512_1024_512_fc8192": ((96, 256, 512, 1024, 512), (8192, 8192)),
}


def build_variant(name: str, num_classes: int, input_size: tuple[int, int]) -> ZFNet:
    """Return "zfnet" or one of `VARIANTS` for a size of inputs. Raises ModelError if the inputs are too small."""
    maps, hidden = VARIANTS.get(name, (MAPS, HIDDEN))
    return ZFNet(num_classes, input_size, maps, hidden)


def _pooled_values(maps: Sequence[int], input_size: tuple[int, int]) -> int:
    """Return the number of values of the last pooling layer."""
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        try:
            return int(_features(maps)(torch.empty(1, 3, *input_size)).numel())
        except RuntimeError as error:
            raise ModelError(f"zfnet cannot take inputs of {input_size[0]} x {input_size[1]} pixels: they are too small.") from error
