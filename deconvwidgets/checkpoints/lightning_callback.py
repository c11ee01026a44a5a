"""A callback of PyTorch Lightning that records checkpoints."""

from __future__ import annotations

import os
import sys
from typing import Any

from torch import nn

from deconvwidgets.checkpoints.partial_epoch import warn_of_partial_epoch
from deconvwidgets.checkpoints.recorder import CheckpointRecorder
from deconvwidgets.checkpoints.recorder_options import RecorderOptions
from deconvwidgets.errors import CheckpointError
from deconvwidgets.models.libraries import import_library


def lightning_callback(folder: str | os.PathLike[str], module: str | None = None, **options: Any) -> Any:
    """Return a callback of PyTorch Lightning that records checkpoints: `Trainer(callbacks=[...])`.

    Epoch 0 is recorded when the training starts, and each epoch when it ends, with the metrics that were logged for it, the learning
    rate and the time. A training that Lightning resumes continues the recording. One that ends within an epoch, as by `max_steps`, is
    recorded up to the epoch before, with a warning.

    Parameters
    ----------
    folder : str or path
        Where to write.
    module : str, optional
        The attribute of the LightningModule that is the network, such as "model". By default the whole LightningModule.
    **options
        As for `CheckpointRecorder`: epochs, transform, categories, input_size, name, initial, pretrained, resume, overwrite.

    Returns
    -------
    lightning.pytorch.Callback
        Of the package `pytorch_lightning` if the program has imported only that one.

    Raises
    ------
    CheckpointError
        If an option is invalid, or, when the training starts, as for `CheckpointRecorder`.
    ModelError
        If Lightning is not installed: it is the extra `lightning`.

    Examples
    --------
    >>> callback = lightning_callback("checkpoints", epochs=[1, 2, 5, 10])
    >>> from lightning.pytorch import Trainer
    >>> trainer = Trainer(accelerator="cpu", max_epochs=10, callbacks=[callback], logger=False, enable_checkpointing=False)
    >>> callback in trainer.callbacks
    True
    """
    checked = RecorderOptions.of(folder, options)
    if module is not None and (not isinstance(module, str) or not module):
        raise CheckpointError(f"module must be the name of an attribute of the LightningModule, such as 'model', not {module!r}.")
    base = _callback_class()

    class CheckpointRecording(base):  # type: ignore[misc, valid-type]
        """Records the checkpoints of a training. `recorder` is its CheckpointRecorder, None before the training starts."""

        recorder: CheckpointRecorder | None = None

        def on_train_start(self, trainer: Any, pl_module: nn.Module) -> None:
            self.recorder = _start(trainer, _network(pl_module, module), checked)

        def on_train_epoch_end(self, trainer: Any, pl_module: nn.Module) -> None:
            assert self.recorder is not None  # on_train_start was called
            if not trainer.is_last_batch:  # the training stops within the epoch, as by max_steps
                warn_of_partial_epoch(trainer.current_epoch + (trainer.fit_loop.batch_idx + 1) / trainer.num_training_batches)
                return
            self.recorder.end_epoch(trainer.current_epoch + 1, **_measured(trainer))

    return CheckpointRecording()


def _callback_class() -> Any:
    name = "pytorch_lightning" if "pytorch_lightning" in sys.modules and "lightning" not in sys.modules else "lightning"
    library = import_library(name, "lightning")
    return library.pytorch.Callback if name == "lightning" else library.Callback


def _network(pl_module: nn.Module, attribute: str | None) -> nn.Module:
    if attribute is None:
        return pl_module
    found = getattr(pl_module, attribute, None)
    if isinstance(found, nn.Module):
        return found
    names = ", ".join(name for name, _ in pl_module.named_children())
    raise CheckpointError(f"{type(pl_module).__name__} has no module {attribute!r}: choose one of {names}, or leave module out.")


def _start(trainer: Any, network: nn.Module, options: RecorderOptions) -> CheckpointRecorder:
    return CheckpointRecorder.with_options(network, options.resumed() if trainer.current_epoch > 0 else options)


def _measured(trainer: Any) -> dict[str, Any]:
    """Return the metrics of an epoch: those that were logged, without their values in single steps, and the learning rate."""
    logged = {name: value for name, value in trainer.callback_metrics.items() if not name.endswith("_step")}
    metrics = {name.replace("/", "_"): value for name, value in logged.items() if getattr(value, "shape", ()) == ()}
    if trainer.optimizers:
        metrics.setdefault("learning_rate", trainer.optimizers[0].param_groups[0]["lr"])
    return {name: value for name, value in metrics.items() if name != "epoch"}
