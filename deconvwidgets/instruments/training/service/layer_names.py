"""The aliases of the layers of a training, found once, when its log has layers."""

from __future__ import annotations

from threading import Lock

from deconvwidgets.checkpoints.description import TrainingDescription
from deconvwidgets.instruments.training.compute.layer_names import layer_aliases
from deconvwidgets.instruments.training.service.plan import Training


class LayerNames:
    """Finds the aliases of layers: of the network that the service trains, or of the architecture that the folder names."""

    def __init__(self, training: Training | None) -> None:
        self._training = training
        self._lock = Lock()
        self._found: tuple[tuple[str, str], ...] | None = None

    @property
    def known(self) -> tuple[tuple[str, str], ...]:
        """(dotted name, alias) of each layer that has an alias; empty before `find`."""
        return self._found or ()

    def find(self, described: TrainingDescription | None) -> None:
        """Find the aliases, unless that was done or nothing tells how the network is built. It takes seconds."""
        with self._lock:
            if self._found is not None:
                return
            if self._training is not None:
                plan, architecture = self._training.plan, self._training.architecture
                classes, size = len(plan.classes), plan.input_size
            elif described is not None and described.architecture is not None:
                architecture, classes, size = described.architecture, len(described.categories or ()), described.input_size
            else:
                return
            self._found = ()  # also if it fails: it is not tried again
            if size is not None and classes:
                self._found = tuple(layer_aliases(architecture, classes, size).items())
