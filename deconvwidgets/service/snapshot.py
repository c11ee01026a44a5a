"""The state of a model service: one immutable value that is replaced as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from deconvwidgets.engine import Network
from deconvwidgets.errors import ServiceError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.progress import Progress


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one request reads, from its beginning to its end.

    Parameters
    ----------
    version : int
        Increases with every replacement.
    layers_version : int
        The version in which the layers or the index last changed. Whatever is computed from them alone, and not from the classifier, is
        cached by it.
    notes : tuple of str
        Sentences to show beside those of the bundle.
    """

    version: int
    bundle: ModelBundle
    images: ImageSet
    index: ActivationIndex | None = None
    notes: tuple[str, ...] = ()
    layers_version: int = 1

    @property
    def network(self) -> Network:
        """The bundle's traced network."""
        return self.bundle.network

    def require_index(self, progress: Progress | None) -> ActivationIndex:
        """Return the index. Raises ServiceError, which states the progress, while it is being built."""
        if self.index is not None:
            return self.index
        if progress is None or not progress.total:
            raise ServiceError("The index of strongest activations is not built yet: try again in a moment")
        share = 100 * progress.done // progress.total
        raise ServiceError(
            f"The index of strongest activations is being built: {progress.done} of {progress.total} crops ({share}%). "
            "Try again when it is complete"
        )

    def layers(self) -> list[LayerInfo]:
        """Return the layers that the explorers list: those of the index, if there is one."""
        return list(self.index.layers) if self.index is not None else self.network.feature_map_layers

    def skipped(self) -> tuple[SkippedImage, ...]:
        """Return the images that could not be read."""
        return self.index.skipped if self.index is not None else self.images.skipped
