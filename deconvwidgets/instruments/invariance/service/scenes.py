"""Photographs that are transformed live: their features as they are are computed once, so that an amount costs one forward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.scores import scores_of
from deconvwidgets.instruments.invariance.compute.curves import FeatureDistances, class_name, target_of
from deconvwidgets.instruments.invariance.compute.features import FeaturePass
from deconvwidgets.instruments.invariance.compute.transformed import TransformedPhotograph, geometry_note
from deconvwidgets.instruments.invariance.records import ClassScore, InvarianceView, StrongUnit
from deconvwidgets.instruments.invariance.transforms import TransformKind
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.service.encoding import encode_image

_CLASSES = 5
Lease = Callable[[], object]


@dataclass(slots=True)
class _UnitMaps:
    """The map of the layer whose units are shown, of the last image that was run: (C, h, w)."""

    layer: str
    maps: Tensor = field(default_factory=lambda: torch.zeros(0, 1, 1))

    def __call__(self, name: str, value: Tensor) -> None:
        if name == self.layer:
            self.maps = (value[0] if value.dim() == 4 else value[0][:, None, None]).float().cpu().clone()

    def strongest(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the maximum of each unit over space, and its position in the flattened map."""
        values, places = self.maps.flatten(1).max(dim=1)
        return values.numpy(), places.numpy()


class Scene:
    """A photograph, the layers whose distances are measured, and the layer whose units are shown. Its methods need the device.

    Parameters
    ----------
    bundle : ModelBundle
    photograph : TransformedPhotograph
    caption : str
    label : str or None
        The photograph's true class.
    layers : tuple of LayerInfo
    unit_layer : LayerInfo
    """

    def __init__(
        self,
        bundle: ModelBundle,
        photograph: TransformedPhotograph,
        caption: str,
        label: str | None,
        layers: tuple[LayerInfo, ...],
        unit_layer: LayerInfo,
    ) -> None:
        self.bundle, self.photograph, self.unit_layer = bundle, photograph, unit_layer
        self._caption, self._layers = caption, layers
        self._maps = _UnitMaps(unit_layer.name)
        self._features = FeaturePass(bundle, [*(info.name for info in layers), unit_layer.name])
        self._distances = FeatureDistances(self._features, self._maps)
        unchanged = photograph.unchanged()
        self._original = encode_image(bundle.to_picture(unchanged))
        self._norms, outputs = self._distances.begin(unchanged)
        self._before, _ = self._maps.strongest()
        self._scores = self._scores_of(outputs)
        target: tuple[int | None, bool] = (None, False) if outputs is None else target_of(bundle, outputs, label)
        self._target, self._labelled = target

    def nbytes(self) -> int:
        """Return the approximate size in memory."""
        infos = [self.bundle.network.layer(name) for name in self._features.layers]
        image = self.photograph.image
        return 4 * sum(info.channels * info.height * info.width for info in infos) + 15 * image.width * image.height

    def view(self, kind: TransformKind, amount: float, top: int) -> InvarianceView:
        """Return what the model makes of the photograph with this amount."""
        pixels = self.photograph.input(kind, amount)
        distances, outputs = self._distances.run(pixels[None])
        units, kept = self._units(top)
        rows = {name: number for number, name in enumerate(self._features.layers)}
        places = [rows[info.name] for info in self._layers]
        relative = [float(distances[row, 0] / self._norms[row]) if self._norms[row] > 0 else None for row in places]
        return InvarianceView(
            caption=self._caption,
            original=self._original,
            picture=encode_image(self.bundle.to_picture(pixels)),
            distances=tuple(float(distances[row, 0]) for row in places),
            relative=tuple(relative),
            layer=self.unit_layer.short_name,
            units=units,
            kept=kept,
            classes=self._classes(self._scores_of(outputs)),
            quantity=self.bundle.quantity,
            labelled=self._labelled,
            note=geometry_note(self.bundle, kind),
        )

    def _scores_of(self, outputs: Tensor | None) -> NDArray[np.float64] | None:
        if outputs is None or self.bundle.quantity is None:
            return None
        scores: NDArray[np.float64] = scores_of(outputs, self.bundle.quantity, self.bundle.name)[0]
        return scores

    def _units(self, top: int) -> tuple[tuple[StrongUnit, ...], int]:
        """Return the strongest units, and how many of them are among as many strongest ones of the photograph as it is."""
        values, places = self._maps.strongest()
        before = np.argsort(-self._before, kind="stable")
        ranks = np.empty(len(before), np.int64)
        ranks[before] = np.arange(len(before))
        strongest = np.argsort(-values, kind="stable")[:top].tolist()
        columns = self._maps.maps.shape[2]
        units = tuple(
            StrongUnit(
                unit,
                float(values[unit]),
                float(self._before[unit]),
                int(ranks[unit]),
                self.bundle.network.box(self.unit_layer.name, *divmod(int(places[unit]), columns)),
            )
            for unit in strongest
        )
        return units, sum(unit.rank < len(units) for unit in units)

    def _classes(self, now: NDArray[np.float64] | None) -> tuple[ClassScore, ...]:
        """Return the target, then the most probable classes; of a regression the first outputs."""
        if now is None or self._scores is None or self._target is None:
            return ()
        is_value = self.bundle.quantity is not None and self.bundle.quantity.kind == "value"
        order = range(len(now)) if is_value else np.argsort(-now, kind="stable").tolist()
        labels = list(dict.fromkeys([self._target, *order[:_CLASSES]]))[:_CLASSES]
        return tuple(ClassScore(label, class_name(self.bundle, label), float(now[label]), float(self._scores[label])) for label in labels)
