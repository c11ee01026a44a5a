"""The recorder of checkpoints in a training loop of one's own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from torch import Tensor, nn

from deconvwidgets.checkpoints.checkpoint_file import write_checkpoint
from deconvwidgets.checkpoints.description import write_description
from deconvwidgets.checkpoints.epochs import checked_epoch
from deconvwidgets.checkpoints.log_file import append_epoch, read_log
from deconvwidgets.checkpoints.metrics import measured
from deconvwidgets.checkpoints.recorded_model import is_writing_process, plain_model, plain_state, weight_rms
from deconvwidgets.checkpoints.recorder_options import RecorderOptions
from deconvwidgets.checkpoints.recording_folder import prepare_folder
from deconvwidgets.errors import CheckpointError
from deconvwidgets.models.bundle_checks import checked_model
from deconvwidgets.models.transforms import Transform
from deconvwidgets.records.training_log import EpochLog

Number = float | Tensor


class CheckpointRecorder:
    """Write a model's weights, and what is measured, at chosen epochs of a training loop. `open_checkpoints` reads them.

    The model, its mode, its device and the state of the random generators are not changed. Models in torch.compile, DataParallel and
    DistributedDataParallel and averaged models are written under their own names; of several processes, the one of rank 0 writes.

    Parameters
    ----------
    folder : str or path
        Where to write. It is created, and must be empty unless `resume` or `overwrite` is given.
    model : torch.nn.Module
        The model that is trained, on any device.
    epochs : iterable of int, optional
        The completed epochs after which the weights are written. Every epoch by default. Epoch 0, before training, is written now; an
        iterable without 0 leaves it out only if `initial` is False.
    transform : callable, optional
        Maps a PIL image to the model's input, without augmentation, as for `ModelBundle.from_module`.
    categories : sequence of str, optional
        The names of the classes.
    input_size : tuple of (int, int, int), optional
        (channels, height, width).
    name : str, optional
        The name of the model; its class by default.
    initial : bool
        Whether to write epoch 0.
    pretrained : bool
        Whether the weights at epoch 0 are trained, as in fine-tuning. Otherwise they are labelled as random.
    resume : bool
        Whether to continue the recording in the folder, if there is one, with its transform, categories and input size, which may be left
        out. It counts on from the last epoch there: a loop that goes on from
        an earlier one passes `epoch` to `end_epoch`, and what was recorded of later epochs stays until they are reached again.
    overwrite : bool
        Whether to replace the recording in the folder. Other files in it are not touched.

    Raises
    ------
    CheckpointError
        If the folder holds something else, or cannot be written, or the model has values that cannot be stored.

    Examples
    --------
    >>> import tempfile, torch
    >>> import deconvwidgets as dw
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 28 * 28, 2))
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    >>> folder = tempfile.mkdtemp()
    >>> recorder = dw.CheckpointRecorder(folder, net, epochs=[1, 2], input_size=(3, 32, 32))
    >>> for epoch in range(3):
    ...     loss = nn.functional.cross_entropy(net(torch.rand(8, 3, 32, 32)), torch.arange(8) % 2)
    ...     optimizer.zero_grad(); loss.backward(); optimizer.step()
    ...     recorder.end_epoch(train_loss=loss)
    >>> dw.open_checkpoints(folder, build=net).epochs
    (0, 1, 2)
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        model: nn.Module,
        epochs: Iterable[int] | None = None,
        *,
        transform: Transform | None = None,
        categories: Sequence[str] | None = None,
        input_size: tuple[int, int, int] | None = None,
        name: str | None = None,
        initial: bool = True,
        pretrained: bool = False,
        resume: bool = False,
        overwrite: bool = False,
    ) -> None:
        given = {
            "epochs": epochs, "transform": transform, "categories": categories, "input_size": input_size, "name": name,
            "initial": initial, "pretrained": pretrained, "resume": resume, "overwrite": overwrite,
        }  # fmt: skip
        self._start(model, RecorderOptions.of(folder, given))

    @classmethod
    def with_options(cls, model: nn.Module, options: RecorderOptions) -> CheckpointRecorder:
        """Return the recorder of a model. Raises as `CheckpointRecorder` does."""
        recorder = cls.__new__(cls)
        recorder._start(model, options)
        return recorder

    def _start(self, model: nn.Module, options: RecorderOptions) -> None:
        self.folder = options.folder
        self.epoch = 0
        self._model = plain_model(checked_model(model, "model"))
        self._epochs = options.epochs
        self._line: EpochLog | None = None
        self._writes = is_writing_process()
        if self._writes:
            self._prepare(options)
        before = 0.0 if self._line is None else self._line.seconds or 0.0
        self._started = time.monotonic() - before

    def end_epoch(self, epoch: int | None = None, **metrics: Number | None) -> None:
        """Record the end of an epoch: a line in the log, and the weights if this is one of `epochs`.

        Parameters
        ----------
        epoch : int, optional
            The completed epochs: 1 after the first epoch. Counted by default.
        **metrics : float or 0-d Tensor
            What was measured. `train_loss`, `train_top1`, `train_top5`, `validation_loss`, `validation_top1`, `validation_top5`,
            `learning_rate` and `images_per_second` are the fields of `EpochLog`; top-k are shares from 0 to 1. Their usual other names,
            such as `val_loss`, `val_acc` and `lr`, are known. Anything else is kept under its name.

        Raises
        ------
        CheckpointError
            If a value is no number, or a file cannot be written. The model is unchanged, and the files before are kept.
        """
        number = self.epoch + 1 if epoch is None else checked_epoch(epoch, "epoch", low=1)
        seconds = time.monotonic() - self._started
        line = EpochLog(epoch=number, seconds=seconds, weight_rms=weight_rms(self._model), **measured(metrics))
        if self._writes:
            if self._epochs is None or number in self._epochs:
                write_checkpoint(self.folder, number, plain_state(self._model))
            append_epoch(self.folder, line)
        self.epoch, self._line = number, line

    def add_metrics(self, **metrics: Number | None) -> None:
        """Add measurements to the epoch that ended last, such as those of a validation that runs later. Raises as `end_epoch` does."""
        if self._line is None:
            raise CheckpointError("No epoch has ended yet: call end_epoch() first.")
        added = measured(metrics)
        self._line = replace(self._line, **{**added, "metrics": {**self._line.metrics, **added["metrics"]}})
        if self._writes:
            append_epoch(self.folder, self._line)

    def _prepare(self, options: RecorderOptions) -> None:
        description, state = options.describe(self._model), plain_state(self._model)
        if prepare_folder(self.folder, description, state, resume=options.resume, overwrite=options.overwrite):
            if logged := read_log(self.folder).epochs:
                self.epoch, self._line = logged[-1].epoch, logged[-1]
            return
        write_description(self.folder, description)
        if options.initial:
            write_checkpoint(self.folder, 0, state)

    def __repr__(self) -> str:
        """Return the folder, the epochs to save, and the completed ones."""
        which = "every epoch" if self._epochs is None else f"epochs {', '.join(map(str, self._epochs))}"
        return f"CheckpointRecorder({str(self.folder)!r}, {which}, {self.epoch} completed)"
