"""The models of the checkpoints of a training, on a device. They have one architecture, which is traced once."""

from __future__ import annotations

from deconvwidgets.checkpoints.checkpoint_set import Checkpoints
from deconvwidgets.engine.model_copy import unwrapped
from deconvwidgets.engine.structure import SameArchitecture
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device


class EpochBundles:
    """Reads the models of checkpoints. Thread-safe. It keeps none of them.

    Parameters
    ----------
    checkpoints : Checkpoints
    device : str
        "auto" or the name of a device.
    """

    def __init__(self, checkpoints: Checkpoints, device: str) -> None:
        self._checkpoints, self._device = checkpoints, device
        self._architecture = SameArchitecture()

    def bundle(self, epoch: int) -> ModelBundle:
        """Return the model of an epoch.

        Raises
        ------
        CheckpointError
            If there is no checkpoint of that epoch, or its file is damaged or does not fit the model.
        """
        bundle = on_device(self._checkpoints.bundle(epoch), self._device)
        self._architecture.join(unwrapped(bundle.model), bundle.input_size)
        return bundle
