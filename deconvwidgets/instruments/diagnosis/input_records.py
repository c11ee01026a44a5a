"""The result of a check of a network's input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True)
class InputVariant:
    """Another way to prepare photographs, and the results with it.

    Attributes
    ----------
    label : str
        "as given", "channels reversed (BGR)", "size 192", ...
    kind : {"given", "channels", "range", "mean", "size"}
    top1, top5 : float
        Accuracy, 0 to 1; `top5` is NaN with fewer than six classes.
    log_loss : float
        Mean negative log probability of the label, in nats; NaN if the model predicts no probabilities.
    better : bool
        Whether more photographs are classified as their label than as given, beyond chance.
    """

    label: str
    kind: str
    top1: float
    top5: float
    log_loss: float
    better: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class NormDivergences:
    """The divergences of a model's batch norms, in order of execution.

    Attributes
    ----------
    names : tuple of str
        Of those that were measured.
    values : array (names,), float64
    too_few : tuple of str
        Those of which too few values per channel were seen.
    mixed : tuple of str
        Those that share what training recorded with other calls, and those that depend on them.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    too_few: tuple[str, ...] = ()
    mixed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class InputCheck:
    """Whether photographs are fed to a network as in training. Made by `dw.check_input`.

    Attributes
    ----------
    level : {"found", "near", "clear", "not_checked"}
        "not_checked" if the network has no batch norm that can be judged and there are no labels, or too few to compare ways to prepare
        photographs. With fewer than 50 photographs, the statistics are judged "near" at most.
    summary : str
    layers : tuple of str
        The dotted names of the batch norms with running statistics, in order of execution. `summary` names those that are left out: with
        fewer than 50 values per channel, and called more than once, with those that depend on them.
    divergences : array (layers,), float64
        Of each: the median over channels of the squared 2-Wasserstein distance between the normal distribution with the mean and variance
        of these photographs and the one with those that training recorded, over the recorded variance: ((mean - recorded mean)^2 +
        (deviation - recorded deviation)^2) / recorded variance. 0 for equal statistics, 1 for a constant input of the recorded mean.
        `level` is judged by the first.
    photographs : int
        The number of photographs of the statistics; 0 without a batch norm that they can be compared with.
    variants : tuple of InputVariant
        The sweep over ways to prepare the photographs, the best first; () without labels.
    labelled : int
        The number of photographs of the sweep.
    limitations : tuple of str
        What the checks that were made do not detect.
    skipped : tuple of SkippedImage
        Photographs that could not be read.
    """

    level: str
    summary: str
    layers: tuple[str, ...]
    divergences: NDArray[np.float64]
    photographs: int
    variants: tuple[InputVariant, ...] = ()
    labelled: int = 0
    limitations: tuple[str, ...] = ()
    skipped: tuple[SkippedImage, ...] = ()

    __repr__ = compact_repr
