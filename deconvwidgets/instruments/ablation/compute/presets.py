"""Sets of variants by name: those of Zeiler & Fergus 2014, table 3, and the first layers of its section 4.1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from deconvwidgets.errors import AblationError
from deconvwidgets.instruments.ablation.records import PaperErrors
from deconvwidgets.instruments.training.compute.architecture import Architecture
from deconvwidgets.models.zfnet import ZFNet

_REPLICATION, _ZFNET = (0.405, "replication of Krizhevsky et al. 2012"), (0.384, "ZFNet")


@dataclass(frozen=True, slots=True)
class Preset:
    """A variant of a preset: what it is in words, and what the paper found.

    `build`, for a network that has no name of its own, makes it from the number of classes and the (height, width) of inputs.
    """

    description: str
    paper: PaperErrors | None = None
    build: type[nn.Module] | None = None


def _paper(train: float, top1: float, top5: float, baseline: tuple[float, str]) -> PaperErrors:
    return PaperErrors(train / 100, top1 / 100, top5 / 100, *baseline)


class KrizhevskyFirstLayers(ZFNet):
    """ZFNet with the first two convolutions of Krizhevsky et al. 2012: 11 x 11 at stride 4, and 5 x 5 at stride 1.

    Maps, later layers and the size of pool5 are those of ZFNet, so that only the first layers differ (section 4.1).
    """

    def __init__(self, num_classes: int = 1000, input_size: tuple[int, int] = (224, 224)) -> None:
        super().__init__(num_classes, input_size)
        first, second = self.features[0], self.features[4]
        assert isinstance(first, nn.Conv2d)
        assert isinstance(second, nn.Conv2d)
        self.features[0] = nn.Conv2d(3, first.out_channels, 11, stride=4, padding=2)
        self.features[4] = nn.Conv2d(second.in_channels, second.out_channels, 5, padding=2)
        with torch.no_grad():
            values = self.features(torch.zeros(1, 3, *input_size)).numel()
        hidden = self.classifier[0]
        assert isinstance(hidden, nn.Linear)
        if values != hidden.in_features:
            self.classifier[0] = nn.Linear(values, hidden.out_features)


LAYERS: Mapping[str, Preset] = {
    "zfnet": Preset("ZFNet", _paper(33.1, 38.4, 16.5, _ZFNET)),
    "zfnet_without_3_4": Preset("without layers 3 and 4", _paper(41.8, 45.4, 22.1, _REPLICATION)),
    "zfnet_without_7": Preset("without layer 7", _paper(27.4, 40.0, 18.4, _REPLICATION)),
    "zfnet_without_6_7": Preset("without layers 6 and 7", _paper(27.4, 44.8, 22.4, _REPLICATION)),
    "zfnet_without_3_4_6_7": Preset("without layers 3, 4, 6 and 7", _paper(71.1, 71.3, 50.1, _REPLICATION)),
}
SIZES: Mapping[str, Preset] = {
    "zfnet": LAYERS["zfnet"],
    "zfnet_fc2048": Preset("layers 6 and 7 of 2048 units", _paper(38.2, 40.2, 17.6, _ZFNET)),
    "zfnet_fc8192": Preset("layers 6 and 7 of 8192 units", _paper(22.0, 38.8, 17.0, _ZFNET)),
    "zfnet_512_1024_512": Preset("layers 3, 4 and 5 of 512, 1024 and 512 maps", _paper(18.8, 37.5, 16.0, _ZFNET)),
    "zfnet_512_1024_512_fc8192": Preset(
        "layers 3, 4 and 5 of 512, 1024 and 512 maps, 6 and 7 of 8192 units", _paper(10.0, 38.3, 16.9, _ZFNET)
    ),
}
# The paper changed its replication of Krizhevsky et al. 2012 into ZFNet: that is the baseline, and neither has a difference of the paper.
FIRST_LAYERS: Mapping[str, Preset] = {
    "zfnet_first_two_11x11_4_5x5_1": Preset(
        "first two layers: 11 x 11 / 4 and 5 x 5 / 1", _paper(35.1, 40.5, 18.1, _REPLICATION), KrizhevskyFirstLayers
    ),
    "zfnet": LAYERS["zfnet"],
}
PRESETS: Mapping[str, Mapping[str, Preset]] = {
    "table3": {**LAYERS, **SIZES},
    "table3_layers": LAYERS,
    "table3_sizes": SIZES,
    "first_layer": FIRST_LAYERS,
}


def preset(name: str) -> Mapping[str, Preset]:
    """Return the variants of a preset by name. Raises AblationError for an unknown one."""
    found = PRESETS.get(name)
    if found is None:
        raise AblationError(
            f"There is no preset of variants {name!r}: they are {', '.join(PRESETS)}. Or give the variants: "
            "{'zfnet': 'zfnet', 'without 7': 'zfnet_without_7'}."
        )
    return found


def known_variant(name: str) -> Preset | None:
    """Return what is known of a variant by its name in a preset; None if it is in none."""
    return next((variants[name] for variants in PRESETS.values() if name in variants), None)


def architecture_of(name: str, input_size: tuple[int, int] | None) -> Architecture:
    """Return what `dw.train` takes for a variant of a preset: its name, or a function of the number of classes."""
    found = known_variant(name)
    if found is None or found.build is None:
        return name
    return partial(found.build, input_size=input_size or (224, 224))
