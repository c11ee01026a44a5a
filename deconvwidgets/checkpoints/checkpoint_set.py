"""The checkpoints of a training, as one sequence of models."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload
from weakref import WeakValueDictionary

from torch import nn

from deconvwidgets.checkpoints.checkpoint_file import epoch_of, read_checkpoint_file
from deconvwidgets.checkpoints.description import TrainingDescription, read_description
from deconvwidgets.checkpoints.log_file import read_log
from deconvwidgets.errors import CheckpointError
from deconvwidgets.models import architectures
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.checkpoints import fit_into
from deconvwidgets.models.transforms import Transform
from deconvwidgets.paths import as_path
from deconvwidgets.records.training_log import TrainingLog

Build = str | Callable[[], nn.Module] | nn.Module | ModelBundle


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint of a training.

    Attributes
    ----------
    epoch : int
        The completed epochs (or steps, where the training was saved by steps); 0: before training.
    label : str
        "epoch 5", or "step 500".
    path : pathlib.Path
        The file.
    digest : str
        The SHA-256 of its tensors, hexadecimal.
    """

    epoch: int
    label: str
    path: Path
    digest: str


class Checkpoints(Sequence[Checkpoint]):
    """The checkpoints of a training, ordered by epoch. Create them with `open_checkpoints`.

    Attributes
    ----------
    name : str
        The name of the model.
    folder : pathlib.Path or None
        The folder of the checkpoints; None for a list of files.
    """

    def __init__(
        self, name: str, folder: Path | None, found: Sequence[Checkpoint], build: Callable[[Checkpoint], ModelBundle],
        look: Callable[[], Sequence[Checkpoint]],
    ) -> None:  # fmt: skip
        self.name = name
        self.folder = folder
        self._found = tuple(sorted(found, key=lambda checkpoint: checkpoint.epoch))
        self._build = build
        self._look = look
        self._bundles: WeakValueDictionary[int, ModelBundle] = WeakValueDictionary()

    @overload
    def __getitem__(self, index: int) -> Checkpoint: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Checkpoint, ...]: ...
    def __getitem__(self, index: int | slice) -> Checkpoint | tuple[Checkpoint, ...]:
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Checkpoint]:
        return iter(self._found)

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs of the checkpoints, ascending."""
        return tuple(checkpoint.epoch for checkpoint in self._found)

    @property
    def log(self) -> TrainingLog | None:
        """The log of the training, read from the folder; None for a list of files."""
        return None if self.folder is None else read_log(self.folder)

    @property
    def categories(self) -> tuple[str, ...] | None:
        """The names of the classes; None if they are unknown."""
        return self.bundle(self.epochs[-1]).categories

    @property
    def input_size(self) -> tuple[int, int, int]:
        """(channels, height, width) of the model's input."""
        return self.bundle(self.epochs[-1]).input_size

    def checkpoint(self, epoch: int) -> Checkpoint:
        """Return the checkpoint of an epoch. Raises CheckpointError if there is none."""
        for checkpoint in self._found:
            if checkpoint.epoch == epoch:
                return checkpoint
        raise CheckpointError(f"There is no checkpoint of epoch {epoch!r}, only of {', '.join(map(str, self.epochs))}.")

    def bundle(self, epoch: int) -> ModelBundle:
        """Return the model at an epoch, with parameters of its own. It is read again only if it is not in use.

        Raises
        ------
        CheckpointError
            If there is no checkpoint of that epoch, or its file is damaged or does not fit the model.
        """
        checkpoint = self.checkpoint(epoch)
        bundle = self._bundles.get(epoch)
        if bundle is None:
            bundle = self._bundles[epoch] = self._build(checkpoint)
        return bundle

    def refresh(self) -> tuple[Checkpoint, ...]:
        """Look for new checkpoints in the folder, and return them. Files that are still being written are left for the next time."""
        known = set(self.epochs)
        new = tuple(sorted((one for one in self._look() if one.epoch not in known), key=lambda one: one.epoch))
        self._found = tuple(sorted((*self._found, *new), key=lambda one: one.epoch))
        return new

    def __repr__(self) -> str:
        return f"Checkpoints({self.name}, epochs {', '.join(map(str, self.epochs))})"


def open_checkpoints(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    build: Build | None = None,
    *,
    transform: Transform | None = None,
    categories: Sequence[str] | None = None,
    input_size: tuple[int, int, int] | None = None,
    name: str | None = None,
    epochs: Sequence[int] | None = None,
) -> Checkpoints:
    """Open the checkpoints of a training.

    Parameters
    ----------
    source : str, path, or a sequence of them
        The folder of a training, or files of state dicts.
    build : str, callable, torch.nn.Module or ModelBundle, optional
        The model whose state dicts these are: a name of `load_model`, a function without arguments that returns it, the model, or a bundle.
        A folder that `dw.train` wrote needs none.
    transform, categories, input_size, name
        As for `ModelBundle.from_module`. By default those of the folder's training.json.
    epochs : sequence of int, optional
        The epochs of the files, where neither their content nor their names tell them.

    Returns
    -------
    Checkpoints

    Raises
    ------
    CheckpointError
        If a file is damaged, does not fit the model, or its epoch is unknown.
    """
    folder = as_path(source, "source", CheckpointError)  # type: ignore[arg-type]
    described = read_description(folder) or TrainingDescription()
    model = build or described.architecture
    if model is None:
        raise CheckpointError("build is missing.")
    called = name or described.name or "model"
    size = input_size or described.input_size

    def bundle_of(checkpoint: Checkpoint) -> ModelBundle:
        state = dict(read_checkpoint_file(checkpoint.path).state)
        net = _model(model, state)
        label = "random weights, untrained" if checkpoint.epoch == 0 else f"after {checkpoint.label}"
        made = ModelBundle.from_module(
            net, transform or described.transform, categories or described.categories, size, f"{called}, {checkpoint.label}"
        )
        return replace(made, trained=checkpoint.epoch != 0 or described.pretrained, weights=label)

    def look() -> Sequence[Checkpoint]:
        return tuple(_found(folder.iterdir()))

    return Checkpoints(called, folder, look(), bundle_of, look)


def _found(files: Iterable[Path]) -> Iterator[Checkpoint]:
    for path in files:
        epoch = epoch_of(path)
        if epoch is not None:
            yield Checkpoint(epoch, f"epoch {epoch}", path, read_checkpoint_file(path).digest)


def _model(build: Build, state: dict[str, object]) -> nn.Module:
    if isinstance(build, str):
        return fit_into(lambda classes: architectures.build_random(build, classes), state, build).eval()  # type: ignore[arg-type]
    net = build.model if isinstance(build, ModelBundle) else build
    made = copy.deepcopy(net) if isinstance(net, nn.Module) else net()
    made.load_state_dict(state)
    return made.eval()
