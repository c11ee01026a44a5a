"""The checkpoints that come with the package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from deconvwidgets.models.small_convnet import SmallConvNet


@dataclass(frozen=True, slots=True)
class ShippedCheckpoints:
    """The folder of a training, and the network that was trained."""

    folder: Path
    build: Callable[[], nn.Module]


# benchmarks/make_evolution_checkpoints.py wrote them; the folder's README.md says how, and on what.
SHIPPED: Mapping[str, ShippedCheckpoints] = {"caltech14": ShippedCheckpoints(Path(__file__).with_name("caltech14"), SmallConvNet)}
