"""The classifier's predictions for crops of the image set."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from deconvwidgets.compute.devices import to_model
from deconvwidgets.errors import ModelError
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.snapshot import Snapshot

Prediction = tuple[str, float]  # the most probable class and its softmax probability


class Predictions:
    """Computes predictions in batches, and caches them. Thread-safe."""

    def __init__(self, device_lock: DeviceLock, images: PreparedImageCache) -> None:
        self._device_lock = device_lock
        self._images = images
        self._cache: ByteCache[Prediction] = ByteCache(8 << 20, lambda prediction: 100)

    def get(self, snapshot: Snapshot, crops: Sequence[int]) -> list[Prediction | None]:
        """Return the prediction for each crop, or None for each if the model has no classifier.

        Raises
        ------
        ModelError
            If the model does not return logits (N, classes).
        """
        if snapshot.bundle.classifier is None or not crops:
            return [None] * len(crops)
        found = {crop: cached for crop in crops if (cached := self._cache.get((snapshot.version, crop))) is not None}
        missing = [crop for crop in dict.fromkeys(crops) if crop not in found]
        if missing:
            found.update(zip(missing, self._predict(snapshot, missing), strict=True))
            for crop in missing:
                self._cache.put((snapshot.version, crop), found[crop])
        return [found[crop] for crop in crops]

    def keep_only(self, version: int) -> None:
        """Remove the entries of all other versions of the snapshot."""
        self._cache.keep_only(lambda key: key[0] == version)

    def _predict(self, snapshot: Snapshot, crops: Sequence[int]) -> list[Prediction]:
        batch = torch.stack([pixels for pixels, _ in self._images.get(snapshot, crops)])
        bundle = snapshot.bundle
        with self._device_lock.request(), torch.no_grad():
            logits = bundle.model(to_model(batch, bundle.model))
            if not isinstance(logits, torch.Tensor) or logits.dim() != 2:
                raise ModelError(f"{bundle.name} does not return logits (N, classes): make its bundle without categories")
            probabilities, classes = logits.cpu().double().softmax(dim=1).max(dim=1)
            best = list(zip(classes.tolist(), probabilities.tolist(), strict=True))
        names = bundle.categories or ()
        return [(names[number] if number < len(names) else f"class {number}", probability) for number, probability in best]
