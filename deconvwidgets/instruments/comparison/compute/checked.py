"""What a check works with."""

from __future__ import annotations

from dataclasses import dataclass

from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.comparison.check_limits import CheckLimits
from deconvwidgets.instruments.comparison.compute.descriptors import InputCache
from deconvwidgets.instruments.comparison.compute.same_images import PhotographNumbers
from deconvwidgets.instruments.comparison.frozen_records import FrozenLayer, FrozenUnits
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """The frozen units, the new model and its index, and which layer and which photograph is which."""

    frozen: FrozenUnits
    bundle: ModelBundle
    images: ImageSet
    index: ActivationIndex
    photographs: PhotographNumbers
    pairs: tuple[tuple[FrozenLayer, LayerInfo], ...]
    limits: CheckLimits
    inputs: InputCache
