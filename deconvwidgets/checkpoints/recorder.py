"""The recorder of checkpoints in a training loop of one's own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from torch import Tensor, nn

from deconvwidgets.arguments import describe, flag
from deconvwidgets.checkpoints.checkpoint_file import write_checkpoint
from deconvwidgets.checkpoints.description import TrainingDescription, write_description
from deconvwidgets.checkpoints.epochs import checked_epoch, checked_epochs
from deconvwidgets.checkpoints.log_file import append_epoch, read_log
from deconvwidgets.checkpoints.metrics import epoch_log
from deconvwidgets.checkpoints.recorded_model import is_writing_process, plain_model, plain_state, weight_rms
from deconvwidgets.checkpoints.recording_folder import prepare_folder
from deconvwidgets.errors import CheckpointError
from deconvwidgets.models.bundle_checks import checked_categories, checked_model, checked_name
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.transforms import Transform, transform_and_size
from deconvwidgets.paths import as_path

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
        Whether to continue the recording in the folder, if there is one.
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
        self._model = plain_model(checked_model(model))
        self._epochs = None if epochs is None else frozenset(checked_epochs(epochs))
        self.folder = as_path(folder, "folder", CheckpointError)
        self.epoch = 0
        self._seconds = 0.0
        self._writes = is_writing_process()
        options = {key: flag(value, key, CheckpointError) for key, value in (("resume", resume), ("overwrite", overwrite))}
        write_initial = flag(initial, "initial", CheckpointError)
        description = _describe(self._model, transform, categories, input_size, name, flag(pretrained, "pretrained", CheckpointError))
        state = plain_state(self._model)
        if self._writes:
            if prepare_folder(self.folder, description, state, **options):
                self._continue()
            else:
                write_description(self.folder, description)
                if write_initial:
                    write_checkpoint(self.folder, 0, state)
        self._started = time.monotonic()

    def end_epoch(
        self,
        epoch: int | None = None,
        *,
        train_loss: Number | None = None,
        train_top1: Number | None = None,
        train_top5: Number | None = None,
        validation_loss: Number | None = None,
        validation_top1: Number | None = None,
        validation_top5: Number | None = None,
        learning_rate: Number | None = None,
        images_per_second: Number | None = None,
        **metrics: Number,
    ) -> None:
        """Record the end of an epoch: a line in the log, and the weights if this is one of `epochs`.

        Parameters
        ----------
        epoch : int, optional
            The completed epochs: 1 after the first epoch. Counted by default.
        train_loss, train_top1, ..., images_per_second : float or 0-d Tensor, optional
            What was measured, see `EpochLog`. Top-k are shares from 0 to 1.
        **metrics : float or 0-d Tensor
            Anything else that was measured.

        Raises
        ------
        CheckpointError
            If a value is no number, or a file cannot be written. The model is unchanged, and the files before are kept.
        """
        number = self.epoch + 1 if epoch is None else checked_epoch(epoch, "epoch", low=1)
        named = {
            "train_loss": train_loss, "train_top1": train_top1, "train_top5": train_top5, "validation_loss": validation_loss,
            "validation_top1": validation_top1, "validation_top5": validation_top5, "learning_rate": learning_rate,
            "images_per_second": images_per_second,
        }  # fmt: skip
        seconds = self._seconds + time.monotonic() - self._started
        line = epoch_log(number, named, metrics, seconds=seconds, weight_rms=weight_rms(self._model))
        if self._writes:
            if self._epochs is None or number in self._epochs:
                write_checkpoint(self.folder, number, plain_state(self._model))
            append_epoch(self.folder, line)
        self.epoch = number

    def _continue(self) -> None:
        logged = read_log(self.folder).epochs
        if logged:
            self.epoch, self._seconds = logged[-1].epoch, logged[-1].seconds or 0.0

    def __repr__(self) -> str:
        """Return the folder, the epochs to save, and the completed ones."""
        which = "every epoch" if self._epochs is None else f"epochs {', '.join(map(str, sorted(self._epochs)))}"
        return f"CheckpointRecorder({str(self.folder)!r}, {which}, {self.epoch} completed)"


def _describe(
    model: nn.Module,
    transform: Transform | None,
    categories: Sequence[str] | None,
    input_size: tuple[int, int, int] | None,
    name: str | None,
    pretrained: bool,
) -> TrainingDescription:
    prepare, size, _ = transform_and_size(transform, input_size)
    known = transform is not None and isinstance(prepare, Preprocess)
    return TrainingDescription(
        name=checked_name(name, type(model).__name__),
        pretrained=pretrained,
        categories=checked_categories(categories),
        input_size=size if transform is not None or input_size is not None else None,
        transform=prepare if known and isinstance(prepare, Preprocess) else None,
        other_transform=None if transform is None or known else describe(transform),
    )
