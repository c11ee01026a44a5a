"""The model's predictions for crops of the image set."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.scores import most_probable, require_outputs, scores_of
from deconvwidgets.errors import PictureError
from deconvwidgets.records.quantity import SOFTMAX, Quantity
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.snapshot import Snapshot

_MAX_VALUES = 3
Prediction = tuple[str, float | None]  # the most probable class and its probability; the values of a regression in words, and None


class Predictions:
    """Computes predictions in batches, and caches them. Thread-safe."""

    def __init__(self, device_lock: DeviceLock, images: PreparedImageCache) -> None:
        self._device_lock = device_lock
        self._images = images
        self._cache: ByteCache[Prediction] = ByteCache(8 << 20, lambda prediction: 100)

    def get(self, snapshot: Snapshot, crops: Sequence[int]) -> list[Prediction | None]:
        """Return the prediction for each crop; None for each if the model predicts nothing, and for those that can no longer be read.

        Raises
        ------
        ModelError
            If the model does not return outputs (N, classes).
        """
        if snapshot.bundle.classifier is None or not crops:
            return [None] * len(crops)
        found = {crop: cached for crop in crops if (cached := self._cache.get((snapshot.bundle_version, crop))) is not None}
        missing = [crop for crop in dict.fromkeys(crops) if crop not in found]
        if missing:
            inputs = zip(missing, self._images.each(snapshot, missing), strict=True)
            readable = {crop: entry[0] for crop, entry in inputs if not isinstance(entry, PictureError)}
            for crop, prediction in zip(readable, self._predict(snapshot, list(readable.values())), strict=True):
                found[crop] = prediction
                self._cache.put((snapshot.bundle_version, crop), prediction)
        return [found.get(crop) for crop in crops]

    def keep_only(self, bundle_version: int) -> None:
        """Remove the entries of all other versions of the bundle."""
        self._cache.keep_only(lambda key: key[0] == bundle_version)

    def _predict(self, snapshot: Snapshot, inputs: list[Tensor]) -> list[Prediction]:
        if not inputs:
            return []
        batch, bundle = torch.stack(inputs), snapshot.bundle
        with self._device_lock.request(), torch.no_grad():
            outputs = require_outputs(bundle.model(to_model(batch, bundle.model)), bundle)
        names, quantity = bundle.categories or (), bundle.quantity or SOFTMAX
        scores = scores_of(outputs, quantity, bundle.name)
        if quantity.kind == "value":
            return [(_values(values, names, quantity), None) for values in scores.tolist()]
        best = most_probable(scores).tolist()
        return [
            (names[number] if number < len(names) else f"class {number}", float(probabilities[number]))
            for number, probabilities in zip(best, scores, strict=True)
        ]


def _values(values: Sequence[float], names: Sequence[str], quantity: Quantity) -> str:
    """Return the values of a regression: "1.25 m", or the first three with their names."""
    if len(values) == 1:
        return quantity.format(values[0])
    shown = [f"{name} {quantity.format(value)}" for name, value in zip(names, values, strict=False)][:_MAX_VALUES]
    return ", ".join(shown) + (", …" if len(values) > _MAX_VALUES else "")
