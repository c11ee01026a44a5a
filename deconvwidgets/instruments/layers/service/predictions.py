"""What the classifier says of the views, where the model has one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from deconvwidgets.compute.devices import to_model
from deconvwidgets.errors import ModelError
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceGate
from deconvwidgets.service.prepared_images import ViewStore
from deconvwidgets.service.snapshot import Snapshot

Answer = tuple[str, float]  # the most probable class and its softmax probability


class Predictions:
    """Most probable classes, computed in batches and kept; thread-safe."""

    def __init__(self, gate: DeviceGate, views: ViewStore) -> None:
        self._gate = gate
        self._views = views
        self._answers: ByteCache[Answer] = ByteCache(8 << 20, lambda answer: 100)

    def of(self, state: Snapshot, views: Sequence[int]) -> list[Answer | None]:
        """One answer a view; None for all where the model has no classifier.

        Raises ModelError where what the bundle calls a classifier does not answer (N, classes).
        """
        if state.bundle.classifier is None or not views:
            return [None] * len(views)
        found = {view: answer for view in views if (answer := self._answers.get((state.version, view))) is not None}
        missing = [view for view in dict.fromkeys(views) if view not in found]
        if missing:
            found.update(zip(missing, self._ask(state, missing), strict=True))
            for view in missing:
                self._answers.put((state.version, view), found[view])
        return [found[view] for view in views]

    def keep_only(self, version: int) -> None:
        """Forget what belongs to other versions."""
        self._answers.keep_only(lambda key: key[0] == version)

    def _ask(self, state: Snapshot, views: Sequence[int]) -> list[Answer]:
        batch = torch.stack([pixels for pixels, _ in self._views.get(state, views)])
        with self._gate.interactive(), torch.no_grad():
            logits = state.bundle.model(to_model(batch, state.bundle.model))
            if not isinstance(logits, torch.Tensor) or logits.dim() != 2:
                raise ModelError(f"{state.bundle.name} does not answer (N, classes): make its bundle without categories")
            probabilities, classes = logits.cpu().double().softmax(dim=1).max(dim=1)
            answers = list(zip(classes.tolist(), probabilities.tolist(), strict=True))
        names = state.bundle.categories or ()
        return [(names[number] if number < len(names) else f"class {number}", probability) for number, probability in answers]
