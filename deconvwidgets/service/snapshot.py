"""The service's state: one immutable value, replaced whole."""

from __future__ import annotations

from dataclasses import dataclass

from deconvwidgets.engine import Network
from deconvwidgets.errors import ServiceError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo, Progress, SkippedPicture


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a request reads, from its beginning to its end. `version` grows with every replacement; what comes from the layers and the
    index alone, whatever head answers, is kept by `layers_version`: the version in which these last changed."""

    version: int
    bundle: ModelBundle
    network: Network
    images: ImageSet
    index: ActivationIndex | None = None
    notes: tuple[str, ...] = ()  # sentences to show beside the bundle's own
    layers_version: int = 1

    def require_index(self, progress: Progress | None) -> ActivationIndex:
        """The index. Raises ServiceError saying how far it is while it is being built."""
        if self.index is not None:
            return self.index
        if progress is None or not progress.total:
            raise ServiceError("The index of strongest activations is not there yet: it is about to be built. Try again in a moment")
        share = 100 * progress.done // progress.total
        raise ServiceError(
            f"The index of strongest activations is being built: {progress.done} of {progress.total} views ({share} %). "
            "Try again when it stands"
        )

    def layers(self) -> list[LayerInfo]:
        """The layers of the explorers: the index's where it stands."""
        return list(self.index.layers) if self.index is not None else self.network.explorer_layers

    def skipped(self) -> tuple[SkippedPicture, ...]:
        """Pictures that could not be read."""
        return self.index.skipped if self.index is not None else self.images.skipped
