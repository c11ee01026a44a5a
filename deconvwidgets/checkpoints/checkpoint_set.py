"""The checkpoints of a training, as one sequence of models."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload
from weakref import WeakValueDictionary

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.checkpoints.found_files import FileSource, Scan, scan
from deconvwidgets.checkpoints.log_file import read_log
from deconvwidgets.checkpoints.model_series import ModelSeries
from deconvwidgets.checkpoints.state_file import StateFile, Unit, described_again, read_state
from deconvwidgets.errors import CheckpointError, ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.state_fitting import StateDict
from deconvwidgets.records.training_log import TrainingLog

_MAX_LISTED = 12


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint of a training.

    Attributes
    ----------
    epoch : int
        The completed epochs; the completed steps where the files tell only those. 0 is before training in folders that deconvwidgets
        wrote, and where epochs were given.
    label : str
        "epoch 5", or "step 500".
    path : pathlib.Path
        The file, or the folder of Hugging Face's Trainer.
    digest : str
        The SHA-256 of its tensors, hexadecimal.
    known_by : str
        How the epoch is known: "deconvwidgets", "given", "file name", "entry 'epoch'", ...
    trained : bool
        Whether the weights are trained. Those at epoch 0 are random, unless the training started from trained ones.
    """

    epoch: int
    label: str
    path: Path
    digest: str
    known_by: str = "deconvwidgets"
    trained: bool = True


class Checkpoints(Sequence[Checkpoint]):
    """The checkpoints of a training, ordered by epoch. Open them with `open_checkpoints`.

    Attributes
    ----------
    name : str
        The name of the model.
    folder : pathlib.Path or None
        The folder of the checkpoints; None for a list of files.
    unit : {"epoch", "step"}
        What the numbers count.
    pretrained : bool
        Whether the training started from trained weights.
    unreadable : dict of pathlib.Path to str
        Files that could not be read when they were last looked for, damaged or still being written, with the reason: `refresh` looks again.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> checkpoints = dw.open_checkpoints("caltech14")  # come with the package
    >>> checkpoints.epochs
    (0, 1, 2, 5, 10, 15, 20, 30)
    >>> checkpoints.bundle(30).network.layer("conv4").channels
    96
    """

    def __init__(
        self, name: str, source: FileSource, series: ModelSeries, unit: Unit, found: Scan, pretrained: bool, recording: Path | None
    ) -> None:
        self.name = name
        self.folder = source.folder
        self.unit = unit
        self.pretrained = pretrained
        self.unreadable = found.unreadable
        self._source = source
        self._recording = recording  # the folder of the log
        self._series = series
        self._lock = threading.RLock()
        self._files: dict[int, StateFile] = {}
        self._lost: dict[Path, str] = {}  # files that were replaced
        self._checkpoints: tuple[Checkpoint, ...] = ()
        self._bundles: WeakValueDictionary[int, ModelBundle] = WeakValueDictionary()
        self._add(found.read)

    @overload
    def __getitem__(self, index: int) -> Checkpoint: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Checkpoint, ...]: ...
    def __getitem__(self, index: int | slice) -> Checkpoint | tuple[Checkpoint, ...]:
        return self._checkpoints[index]

    def __len__(self) -> int:
        return len(self._checkpoints)

    def __iter__(self) -> Iterator[Checkpoint]:
        return iter(self._checkpoints)

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs (or steps) of the checkpoints, ascending."""
        return tuple(checkpoint.epoch for checkpoint in self._checkpoints)

    @property
    def log(self) -> TrainingLog | None:
        """The log of the training, read from its folder at each access; None for files that are not all of one recording."""
        return None if self._recording is None else read_log(self._recording)

    @property
    def categories(self) -> tuple[str, ...] | None:
        """The names of the classes; None if they are unknown."""
        return self._base().categories

    @property
    def input_size(self) -> tuple[int, int, int]:
        """(channels, height, width) of the model's input."""
        return self._base().input_size

    def checkpoint(self, epoch: int) -> Checkpoint:
        """Return the checkpoint of an epoch. Raises CheckpointError if there is none."""
        number = as_integer(epoch)
        for checkpoint in self._checkpoints:
            if checkpoint.epoch == number:
                return checkpoint
        raise CheckpointError(f"There is no checkpoint of {self.unit} {describe(epoch)}: choose one of {self._listed()}.")

    def bundle(self, epoch: int) -> ModelBundle:
        """Return the model at an epoch, with parameters of its own.

        Bundles that are in use are not read again. All share one trace, so that only the first one is traced.

        Parameters
        ----------
        epoch : int
            One of `epochs`.

        Returns
        -------
        ModelBundle
            Its name is that of the model and the epoch: "zfnet, epoch 5".

        Raises
        ------
        CheckpointError
            If there is no checkpoint of that epoch, or its file is damaged, has changed, or does not fit the model.
        """
        checkpoint = self.checkpoint(epoch)
        with self._lock:
            bundle = self._bundles.get(checkpoint.epoch)
            if bundle is None:
                bundle = self._bundles[checkpoint.epoch] = self._read_bundle(checkpoint)
            return bundle

    def refresh(self) -> tuple[Checkpoint, ...]:
        """Look for new files in the folder, and return their checkpoints. What is still being written is left for the next time.

        Raises
        ------
        CheckpointError
            If a checkpoint that deconvwidgets wrote was replaced by one with other weights: new files may be of another training. Other
            files that were replaced are `unreadable`.
        """
        with self._lock:
            replaced = self._replaced()
            known = {file.path for file in self._files.values()}
            found = scan([path for path in self._source.paths() if path not in known])
            self.unreadable = {**found.unreadable, **replaced}
            fresh = [file for file in found.read if self._is_new(file)]
            self._add(fresh)
            numbers = {file.numbers[self.unit].value for file in fresh}
            return tuple(checkpoint for checkpoint in self._checkpoints if checkpoint.epoch in numbers)

    def _replaced(self) -> dict[Path, str]:
        """Return the files that have other weights than when they were opened. Raises CheckpointError for one of deconvwidgets."""
        for number, file in self._files.items():
            now = file if file.path in self._lost else described_again(file)
            if now.digest == file.digest:
                self._files[number] = replace(file, stamp=now.stamp)
                continue
            if file.numbers[self.unit].known_by == "deconvwidgets":
                raise CheckpointError(
                    f"{file.path} was replaced since the checkpoints were opened, as by another training in the folder: open them again."
                )
            self._lost[file.path] = f"{file.path} has other weights than when it was opened: open the checkpoints again."
        return self._lost

    def _is_new(self, file: StateFile) -> bool:
        number = file.numbers.get(self.unit)
        if number is None:
            self.unreadable[file.path] = f"{file.path} does not tell its {self.unit}."
            return False
        same = self._files.get(number.value)
        if same is not None and same.digest != file.digest:
            self.unreadable[file.path] = f"{file.path} is of {self.unit} {number.value}, as {same.path.name} is, with other weights."
        return same is None

    def _add(self, files: Sequence[StateFile]) -> None:
        self._files |= {file.numbers[self.unit].value: file for file in files}
        self._checkpoints = tuple(self._checkpoint(number) for number in sorted(self._files))

    def _checkpoint(self, number: int) -> Checkpoint:
        file = self._files[number]
        told = file.numbers[self.unit]
        before = number == 0 and told.certain
        trained = self.pretrained or not before
        return Checkpoint(number, f"{self.unit} {number}", file.path, file.digest, told.known_by, trained)

    def _read_bundle(self, checkpoint: Checkpoint) -> ModelBundle:
        state, path = self._read(checkpoint)
        where = checkpoint.label if checkpoint.known_by == "deconvwidgets" else f"{checkpoint.label} ({checkpoint.known_by}) of {path.name}"
        weights = where if checkpoint.trained else f"random weights, before training ({where})"
        notes: tuple[str, ...] = ()
        if checkpoint.epoch == 0 and not self._files[0].numbers[self.unit].certain:
            notes = (_UNCERTAIN,)
        return self._series.bundle(state, path, checkpoint.label, weights, checkpoint.trained, notes)

    def _read(self, checkpoint: Checkpoint) -> tuple[StateDict, Path]:
        try:
            return read_state(self._files[checkpoint.epoch]), checkpoint.path
        except ModelError as error:
            raise CheckpointError(str(error)) from error

    def _base(self) -> ModelBundle:
        if not self._checkpoints:
            raise CheckpointError(f"{self.folder} has no checkpoint yet: wait for the first one, and call refresh().")
        return self._series.base(lambda: self._read(self._checkpoints[-1]))

    def _listed(self) -> str:
        shown = ", ".join(map(str, self.epochs[:_MAX_LISTED]))
        return shown + (f", ... {self.epochs[-1]}" if len(self) > _MAX_LISTED else "") if self._checkpoints else "none yet"

    def __repr__(self) -> str:
        where = f" in {str(self.folder)!r}" if self.folder is not None else ""
        left = f", {len(self.unreadable)} unreadable" if self.unreadable else ""
        return f"Checkpoints({self.name}, {self.unit}s {self._listed()}{where}{left})"


_UNCERTAIN = (
    "Whether epoch 0 is before training is unknown: many loops count from 0. If it is, pass epochs=[0, 1, ...], the completed epochs, to "
    "open_checkpoints."
)
