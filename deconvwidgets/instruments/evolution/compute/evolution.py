"""`feature_evolution` compares the units of a network at the checkpoints of its training (Zeiler & Fergus 2014, figure 4)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from deconvwidgets.arguments import flag, instance, integer
from deconvwidgets.checkpoints.checkpoint_set import Checkpoints
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.errors import CheckpointError, DeconvWidgetsError, JobCancelledError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.evolution.compute.describe import convergence_frame, sample_note
from deconvwidgets.instruments.evolution.compute.epoch_index import build_epoch_index, check_layers
from deconvwidgets.instruments.evolution.compute.epochs import IndexedEpochs
from deconvwidgets.instruments.evolution.records import LayerConvergence, StrongestActivations
from deconvwidgets.models.devices import checked_device, on_device
from deconvwidgets.records.layers import LayerInfo

if TYPE_CHECKING:
    import pandas as pd


class FeatureEvolution:
    """The units of a network at the checkpoints of its training. Create it with `dw.feature_evolution`.

    Attributes
    ----------
    name : str
        The name of the model.
    """

    def __init__(self, checkpoints: Checkpoints, images: ImageSet, layers: Sequence[str] | None, device: str) -> None:
        self.name = checkpoints.name
        self._checkpoints, self._images, self._layers, self._device = checkpoints, images, layers, device
        self._indexed = IndexedEpochs()
        self._failed: dict[int, str] = {}

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs of the checkpoints, ascending, without those that failed."""
        return self._indexed.epochs

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """The layers."""
        return self._indexed.layers

    @property
    def failed(self) -> Mapping[int, str]:
        """The epochs whose checkpoint could not be used, and why."""
        return MappingProxyType(self._failed)

    @property
    def note(self) -> str:
        """Over which crops the measures are, in words."""
        return sample_note(self._indexed.last)

    def index(self, epoch: int) -> ActivationIndex:
        """Return the activation index of a checkpoint. Raises CheckpointError for an epoch that has none."""
        number = integer(epoch, "epoch", 0, error=CheckpointError)
        if number in self._indexed.indexes:
            return self._indexed.indexes[number]
        if number in self._failed:
            raise CheckpointError(f"The checkpoint of epoch {number} could not be used: {self._failed[number]}")
        raise CheckpointError(f"There is no checkpoint of epoch {number}, only of {', '.join(map(str, self.epochs))}.")

    def strongest(self, layer: str) -> StrongestActivations:
        """Return the strongest activation of each unit of a layer at each checkpoint, and where its photograph changed.

        Raises
        ------
        LayerError
            For an unknown layer.
        """
        return self._indexed.strongest(layer)

    def convergence(self, layer: str) -> LayerConvergence:
        """Return how far a layer has converged at each checkpoint, against the last one: correlation, same strongest images, linear CKA.

        Raises
        ------
        LayerError
            For an unknown layer.
        """
        return self._indexed.convergence(layer)

    def units(
        self, layer: str, choose: Literal["random", "changed"] | Sequence[int] = "random", count: int = 4, seed: int = 0
    ) -> tuple[int, ...]:
        """Return units of a layer.

        Parameters
        ----------
        layer : str
            Its name or alias.
        choose : {"random", "changed"} or sequence of int
            Units that are active at some checkpoint, at random; those whose strongest photograph changed most often; or these.
        count : int
            How many.
        seed : int
            Of the random choice. A larger `count` adds units to it, and removes none.

        Raises
        ------
        LayerError
            For an unknown layer or unit, or an invalid choice.
        """
        return self._indexed.units(layer, choose, count, seed)

    def to_dataframe(self) -> pd.DataFrame:
        """Return a data frame of pandas: a row for each layer and epoch with the measures of how far the layer has converged.

        Raises
        ------
        CheckpointError
            If pandas is not installed.
        """
        return convergence_frame(self.layers, [self.convergence(info.name) for info in self.layers])

    def refresh(self, progress: bool = True, job: JobContext | None = None) -> tuple[int, ...]:
        """Add the checkpoints that were written since, one pass over the images each, and return their epochs.

        Those that failed are tried again. If the job is cancelled, JobCancelledError is raised, and what was built stays.
        """
        progress, context = flag(progress, "progress", CheckpointError), as_job(job)
        self._checkpoints.refresh()
        new = [epoch for epoch in self._checkpoints.epochs if epoch not in self._indexed.indexes]
        return tuple(epoch for epoch in new if self._add(epoch, context, progress))

    def _add(self, epoch: int, job: JobContext, progress: bool) -> bool:
        """Add the index of a checkpoint, and return whether that was possible."""
        job.check_cancelled(f"The evolution was cancelled before epoch {epoch}")
        try:
            bundle = on_device(self._checkpoints.bundle(epoch), self._device)
            index = build_epoch_index(bundle, self._images, self._layers, self._device, job, progress)
            self._indexed = self._indexed.with_index(epoch, index)
        except JobCancelledError:
            raise
        except DeconvWidgetsError as error:  # the other checkpoints are of use
            self._failed[epoch] = str(error)
            warnings.warn(f"The checkpoint of epoch {epoch} is left out: {error}", stacklevel=3)
            return False
        self._failed.pop(epoch, None)
        return True

    def __repr__(self) -> str:
        names = ", ".join(info.short_name for info in self.layers)
        failed = f"; failed: {', '.join(map(str, self._failed))}" if self._failed else ""
        return f"<FeatureEvolution of {self.name} on {self._images.name}: {names}; epochs {', '.join(map(str, self.epochs))}{failed}>"


def feature_evolution(
    checkpoints: Checkpoints,
    images: ImageSet,
    layers: Sequence[str] | None = None,
    *,
    device: str = "auto",
    progress: bool = True,
    job: JobContext | None = None,
) -> FeatureEvolution:
    """Compare the units of a network at the checkpoints of its training (Zeiler & Fergus 2014, section 4, figure 4).

    Builds one activation index per checkpoint, in one pass over the images each. The indexes are kept in the cache: a second call reads
    them, one more checkpoint costs one pass, and an interrupted pass is resumed.

    Parameters
    ----------
    checkpoints : Checkpoints
        From `dw.open_checkpoints`.
    images : ImageSet
        The photographs. The strongest activations are over all of them, the measures of convergence over up to 2,048 different crops.
    layers : str or sequence of str, optional
        Names or aliases; by default the convN feature maps.
    device : str
        "auto" (the first available one of CUDA, MPS and the CPU) or the name of a device.
    progress : bool
        Show a progress bar for each checkpoint.
    job : JobContext, optional
        Progress, cancellation and the device lease.

    Returns
    -------
    FeatureEvolution
        Checkpoints that cannot be used, because a file is damaged or of another architecture, are left out with a warning, and listed in
        `failed`.

    Raises
    ------
    CheckpointError
        If no checkpoint can be used.
    LayerError
        If one of `layers` does not exist.
    JobCancelledError
        If the job is cancelled.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> checkpoints, images = dw.open_checkpoints("caltech14"), dw.open_images("photos", limit=6)
    >>> evolution = dw.feature_evolution(checkpoints, images, progress=False)
    >>> evolution.epochs
    (0, 1, 2, 5, 10, 15, 20, 30)
    >>> evolution.strongest("conv2").values.shape  # units, epochs
    (48, 8)
    >>> float(evolution.convergence("conv1").correlation[-1])  # the last checkpoint agrees with itself
    1.0
    """
    instance(checkpoints, Checkpoints, "checkpoints", CheckpointError)
    require_images(images)
    checked_device(device)
    check_layers(checkpoints, layers)
    evolution = FeatureEvolution(checkpoints, images, layers, device)
    evolution.refresh(progress, job)
    if not evolution.epochs:
        failed = [f"epoch {epoch}: {reason}" for epoch, reason in evolution.failed.items()]
        reasons = "; ".join([*failed, *checkpoints.unreadable.values()])
        raise CheckpointError(f"No checkpoint of {checkpoints.name} can be used. {reasons or 'There is none.'}")
    return evolution
