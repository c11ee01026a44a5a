"""The TrainingPanel: starting and watching a training in a notebook (Zeiler & Fergus 2014, section 3)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.training.records import TrainingStatus
from deconvwidgets.instruments.training.service.protocol import TrainingService
from deconvwidgets.instruments.training.widget.messages import HANDLERS
from deconvwidgets.instruments.training.widget.state import MESSAGES, checked_state
from deconvwidgets.records.training_log import EpochLog, TrainingLog
from deconvwidgets.widgets.explorer import Explorer
from deconvwidgets.widgets.state import State, StateTrait


class TrainingPanel(Explorer):
    """Train a network and watch it: loss, accuracy, learning rate, and how much each layer changes.

    Everything goes through the folder of the training. So a panel also shows a training that runs in another kernel, in a script or under
    torchrun, and one that is finished; it can be cancelled from any panel; and closing the panel, or the page, does not end it. A training
    that was started here ends with its kernel, and can be resumed.

    A training that was started here runs on a thread, and seeds torch's global random generator, which the process shares, in each step:
    `torch.manual_seed` in other cells has no effect meanwhile, and their draws change the training of a network that draws random numbers
    otherwise than by dropout. To keep both apart, use a `torch.Generator` in those cells, or train in another process, by `dw.train` in a
    script or with ``engine="ray"``, and watch its folder.

    Source: Zeiler & Fergus 2014, section 3.

    Parameters
    ----------
    architecture : str, torch.nn.Module, callable or TrainingService
        What is trained, as for `dw.train`. Or the service of a training.
    images : ImageSet, optional
        Labelled photographs.
    recipe : Recipe, optional
        How it is trained; by default as in the paper. Its fields may also be given one by one.
    out : str or path, optional
        The folder of the training.
    folder : str or path, optional
        In place of all these: the folder of a training that was started elsewhere. It need not exist yet.
    state : mapping, optional
        A state, or a part of one, such as {"accuracy": "accuracy"}.
    height : int
        Height in CSS pixels. At widths below 900 pixels the widget is higher.
    **options
        Other arguments of `dw.train` (validation, input_size, name, overwrite, device) and fields of the recipe.

    Attributes
    ----------
    summary : dict
        The state of the training and the numbers of its last epoch. Read-only; empty before the first epoch.

    Raises
    ------
    TrainingError
        If it cannot be trained in this way; the message says why.
    ServiceError
        For an invalid part of the state.
    TypeError
        For an unknown argument.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> panel = dw.TrainingPanel(folder="runs/first")
    >>> panel
    TrainingPanel(runs/first, new)
    >>> panel.close()
    """

    FRONT_END = "training"
    MESSAGES = MESSAGES
    SERVICE = TrainingService
    SERVICE_EXAMPLE = "what to train, such as dw.TrainingPanel('zfnet', images, out='runs/first'), or folder=..."
    HAS_MODEL = False
    HANDLERS = HANDLERS
    EVENTS = SUMMARY_EVENTS = frozenset({"training"})
    FILES: ClassVar[Mapping[str, str]] = {
        ".csv": "training.csv",
        ".png": "training.png",
        ".svg": "training.svg",
        ".pdf": "training.pdf",
    }

    _service: TrainingService
    state = StateTrait(MESSAGES).tag(sync=True)

    def __init__(
        self,
        architecture: Any = None,
        images: Any = None,
        recipe: Any = None,
        out: str | os.PathLike[str] | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
        state: Mapping[str, Any] | None = None,
        height: int = 720,
        **options: Any,
    ) -> None:
        trained = {"images": images, "recipe": recipe, "out": out, "folder": folder}
        if all(value is None for value in trained.values()):
            self._require_service(architecture)
            service = architecture
        else:
            traits = type(self).class_trait_names()
            arguments = {name: options.pop(name) for name in list(options) if name not in traits}
            make = import_module("deconvwidgets").LocalTrainingService  # a widget never imports what computes
            service = make(architecture, **trained, **arguments)
        super().__init__(service, state, height=height, **options)

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        return checked_state(state, current)

    def _summarize(self) -> State:
        epochs, status = self._service.log().epochs, self._service.status()
        if not epochs:
            return {}
        last, names = epochs[-1], ("train_loss", "train_top1", "validation_loss", "validation_top1", "learning_rate")
        numbers = {name: _finite(getattr(last, name)) for name in names}
        return {"folder": status.folder, "phase": status.phase, "epoch": last.epoch, **numbers, "checkpoints": list(status.checkpoints)}

    @property
    def status(self) -> TrainingStatus:
        """What is trained on what, and how far it is."""
        return self._service.status()

    @property
    def epochs(self) -> tuple[EpochLog, ...]:
        """The numbers of each epoch."""
        return self._service.log().epochs

    @property
    def checkpoints(self) -> Any:
        """The checkpoints of the training, for an EvolutionExplorer. Raises CheckpointError if there are none."""
        return self._service.checkpoints()

    @property
    def bundle(self) -> Any:
        """The model of the last checkpoint, a ModelBundle. Raises CheckpointError if there is none."""
        return self._service.bundle()

    def start(self) -> None:
        """Start the training, or resume it, and return at once.

        Raises
        ------
        TrainingError
            If this panel only watches a folder, if a training is running there, or if it is complete.
        """
        self._service.start()

    def cancel(self) -> None:
        """Ask the training to save its state and to stop, in whichever process it runs. Raises TrainingError if none is running."""
        self._service.cancel()

    def wait(self, timeout: float | None = None) -> TrainingLog:
        """Wait until no training runs in the folder, and return its log.

        Raises
        ------
        ServiceError
            If one is still running after `timeout` seconds.
        """
        self._service.wait(timeout)
        self._update_summary()
        return self._service.log()

    def save(self, path: str | Path) -> Path:
        """Save the curves as PNG, SVG or PDF, or the numbers of each epoch as CSV, by the suffix.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        ServiceError
            For another suffix, before the first epoch, or if the file cannot be written.
        """

        def make(kind: Any) -> bytes:
            return self._service.file(kind)

        return self._save(path, make)

    def __repr__(self) -> str:
        status, epochs = self._service.status(), self._service.log().epochs
        epoch = f", epoch {epochs[-1].epoch}" if epochs else ""
        return f"TrainingPanel({status.folder}, {status.phase}{epoch})"

    def _wait_for_image(self) -> None:
        """Do not wait: a training may take days."""
        if not self._service.log().epochs:
            raise ServiceError("No epoch is complete yet: start the training with panel.start(), and wait with panel.wait().")

    def _static_image(self) -> bytes | None:
        """Return a PNG of the curves; None before the first epoch."""
        status = self._service.status()
        if not status.epochs:
            return None
        return self._cached_image((status.version, status.phase, status.checkpoints), lambda: self._service.file("training.png"))


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
