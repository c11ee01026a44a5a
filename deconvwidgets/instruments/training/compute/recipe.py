"""How a network is trained: the recipe of Zeiler & Fergus 2014, section 3, each part of which can be changed or switched off."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from torch import nn
from torch.optim import Optimizer

from deconvwidgets.arguments import describe, finite_number, flag, integer, integers
from deconvwidgets.errors import TrainingError
from deconvwidgets.instruments.training.compute.function_names import function_code, function_name

OptimizerOf = Callable[[Iterable[nn.Parameter]], Optimizer]
Schedule = Callable[[int], float]
Auto = Literal["auto"]

PAPER_EPOCHS = (0, 1, 2, 5, 10, 20, 30, 40, 64)  # those of figure 4, and the network before training
PAPER_STD = 1e-2
PAPER_RMS = 0.1
CROPS = ("random", "corners")
_OTHER_NAMES = {"lr": "learning_rate", "wd": "weight_decay", "num_epochs": "epochs", "max_epochs": "epochs", "bs": "batch_size"}
CHANGEABLE = ("epochs", "save_epochs", "state_seconds", "memory_share")  # on resuming: they do not change what has been computed so far


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained. The defaults are those of Zeiler & Fergus 2014, section 3, for networks of the paper's kind.

    What the paper does not say is our choice: weight decay, when the learning rate is annealed and by how much (the authors did it by
    hand), the share of the validation set, and that crops are at random places (the paper has five, of which "corners" chooses one).

    Parameters
    ----------
    epochs : int
        The number of passes over the training images. The paper's network had 70, over 1.3 million images.
    batch_size : int
        Images per step, of all processes together. The last batch of an epoch may be smaller.
    learning_rate : float
        The learning rate of the first epoch. Ignored with `optimizer` or `schedule`.
    momentum : float
        Momentum of SGD; 0 switches it off. Ignored with `optimizer`.
    weight_decay : float
        The L2 penalty of SGD, on all parameters; 0 switches it off. Ignored with `optimizer`. The paper gives none: 5e-4 is that of
        Krizhevsky et al. 2012, whose training it follows.
    dropout : float or None
        The probability of all dropout; 0 switches it off. None keeps the network's own, which is the paper's 0.5 for zfnet and alexnet.
    initial_std : float, "he", "auto" or None
        The standard deviation of the initial weights of convolutions and linear layers, with biases of 0. "he" is the square root of
        2 / inputs of the unit (He et al. 2015), with which a network of small inputs starts to learn much sooner than with the paper's
        1e-2. None keeps the initial weights that the network has. "auto" is the paper's 1e-2 for zfnet, its variants and alexnet, and
        None for others: networks that are deeper, or pretrained, need their own.
    max_filter_rms : float, "auto" or None
        Each filter of a convolution whose root mean square exceeds this is scaled to it, after each step. None switches it off. "auto" is
        the paper's 0.1 for zfnet, its variants and alexnet, and None for others.
    annealing_factor : float or None
        The learning rate is multiplied by it when the validation stalls, down to a millionth of the first one; None switches annealing off.
        The training goes on to its last epoch, although such small steps no longer change the weights.
    annealing_patience : int
        The number of epochs in a row that improve neither the lowest validation loss nor the lowest validation error, after which the
        learning rate is annealed.
    schedule : callable, optional
        The learning rate by epoch (0 for the first one), in place of annealing.
    crops : {"random", "corners"} or None
        Which crop of the photograph each epoch sees. "random": at a random place. "corners": a corner or the centre, as in the paper.
        None: always the centre, as in validation.
    flips : bool
        Whether photographs are mirrored at random.
    validation_share : float
        The share of each class that is held out for validation, if no validation set is given; 0 trains without validation.
    save_epochs : sequence of int
        The epochs after which a checkpoint is kept; 0 is the network before training. The last epoch is always kept.
    state_seconds : float
        The state for resuming is saved at the end of each epoch, and during an epoch when it is as old as this.
    memory_share : float
        The decoded photographs are kept in memory if they need at most this share of what is free; else they are decoded in each epoch.
    seed : int
        Decides the initial weights, the held-out photographs, the order, the crops, the flips and dropout.
    optimizer : callable, optional
        Returns an optimiser for the parameters, such as ``lambda parameters: torch.optim.AdamW(parameters, lr=1e-3)``, in place of SGD.

    Raises
    ------
    TrainingError
        If a value is invalid.

    Examples
    --------
    >>> recipe = Recipe(epochs=20, flips=False)
    >>> recipe.learning_rate, recipe.momentum, recipe.max_filter_rms
    (0.01, 0.9, 'auto')
    """

    epochs: int = 70
    batch_size: int = 128
    learning_rate: float = 1e-2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    dropout: float | None = None
    initial_std: float | Literal["he", "auto"] | None = "auto"
    max_filter_rms: float | Auto | None = "auto"
    annealing_factor: float | None = 0.1
    annealing_patience: int = 5
    schedule: Schedule | None = None
    crops: Literal["random", "corners"] | None = "random"
    flips: bool = True
    validation_share: float = 0.1
    save_epochs: Sequence[int] = PAPER_EPOCHS
    state_seconds: float = 60.0
    memory_share: float = 0.25
    seed: int = 0
    optimizer: OptimizerOf | None = None

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("batch_size", 1), ("annealing_patience", 1), ("seed", 0)):
            self._set(name, integer(getattr(self, name), name, low, error=TrainingError))
        self._set("learning_rate", _number(self.learning_rate, "learning_rate", "greater than 0", lambda value: value > 0))
        for name in ("momentum", "validation_share"):
            self._set(name, _number(getattr(self, name), name, "from 0 to less than 1", lambda value: 0 <= value < 1))
        self._set("weight_decay", _number(self.weight_decay, "weight_decay", "of at least 0", lambda value: value >= 0))
        self._set("state_seconds", _number(self.state_seconds, "state_seconds", "of at least 0", lambda value: value >= 0))
        self._set("memory_share", _number(self.memory_share, "memory_share", "from 0 to 1", lambda value: 0 <= value <= 1))
        if self.dropout is not None:
            self._set("dropout", _number(self.dropout, "dropout", "from 0 to less than 1, or None", lambda value: 0 <= value < 1))
        if self.annealing_factor is not None:
            expected = "between 0 and 1, or None"
            self._set("annealing_factor", _number(self.annealing_factor, "annealing_factor", expected, lambda value: 0 < value < 1))
        for name, words in (("initial_std", ("he", "auto")), ("max_filter_rms", ("auto",))):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value in words):
                expected = f"greater than 0, {', '.join(map(repr, words))} or None"
                self._set(name, _number(value, name, expected, lambda value: value > 0))
        if self.crops is not None and not (isinstance(self.crops, str) and self.crops in CROPS):
            raise TrainingError(f"crops must be 'random', 'corners' or None, not {describe(self.crops)}.")
        self._set("flips", flag(self.flips, "flips", TrainingError))
        self._set("save_epochs", _epochs(self.save_epochs))
        for name in ("optimizer", "schedule"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise TrainingError(f"{name} must be a function or None, not {describe(getattr(self, name))}.")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def resolved(self, of_paper: bool) -> Recipe:
        """Return the recipe with the value of each "auto", for a network of the paper's kind or another."""
        std = (PAPER_STD if of_paper else None) if self.initial_std == "auto" else self.initial_std
        rms = (PAPER_RMS if of_paper else None) if self.max_filter_rms == "auto" else self.max_filter_rms
        return replace(self, initial_std=std, max_filter_rms=rms)

    def saved_after(self, epoch: int) -> bool:
        """Return whether a checkpoint is kept after this epoch (0: before training)."""
        return epoch in self.save_epochs or epoch == self.epochs

    def to_plain(self) -> dict[str, Any]:
        """Return the fields as values of JSON. A schedule is represented by `function_name`, an optimiser by its name alone: on
        resuming, its settings are compared with those in the state, which says what differs. `schedule_code` is `function_code` of a
        schedule.
        """
        plain = {entry.name: _plain(getattr(self, entry.name)) for entry in fields(self)}
        if self.optimizer is not None:
            plain["optimizer"] = getattr(self.optimizer, "__qualname__", type(self.optimizer).__qualname__)
        if self.schedule is not None:
            plain["schedule_code"] = function_code(self.schedule)
        return plain


def recipe_with(recipe: Recipe | None, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with some fields changed; the default one for None.

    Raises
    ------
    TrainingError
        For anything but a recipe, and for a field that there is not.
    """
    base = Recipe() if recipe is None else recipe
    if not isinstance(base, Recipe):
        hint = " The folder is out=..." if isinstance(recipe, str | os.PathLike) else ""
        raise TrainingError(f"recipe must be a dw.Recipe or None, not {describe(recipe)}.{hint}")
    names = [entry.name for entry in fields(Recipe)]
    unknown = [name for name in changes if name not in names]
    if unknown:
        close = _OTHER_NAMES.get(unknown[0]) or next(iter(difflib.get_close_matches(unknown[0], names, n=1)), None)
        hint = f" Did you mean {close}?" if close else ""
        raise TrainingError(f"There is no argument or field of a recipe {unknown[0]!r}.{hint} A recipe has {', '.join(names)}.")
    return replace(base, **changes)


def _number(value: object, name: str, expected: str, valid: Callable[[float], bool]) -> float:
    number = finite_number(value)
    if number is None or not math.isfinite(number) or not valid(number):
        raise TrainingError(f"{name} must be a number {expected}, not {describe(value)}.")
    return number


def _epochs(value: object) -> tuple[int, ...]:
    expected = "a sequence of integers, such as [1, 2, 5, 10]"
    return tuple(sorted(set(integers(value, "save_epochs", expected, 0, error=TrainingError))))


def _plain(value: object) -> Any:
    if callable(value):
        return function_name(value)
    return list(value) if isinstance(value, tuple) else value
