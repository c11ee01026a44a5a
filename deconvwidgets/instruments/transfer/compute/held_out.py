"""Choosing the weight decay and the temperature of a softmax classifier on held-out training images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.job import DeviceLease
from deconvwidgets.images.splits import Fold, hold_out
from deconvwidgets.instruments.transfer.compute.gram import Design
from deconvwidgets.instruments.transfer.compute.scores import accuracy_of_logits
from deconvwidgets.instruments.transfer.compute.softmax import Fit, fit_softmax
from deconvwidgets.instruments.transfer.compute.temperature import fit_temperature, log_losses

HELD_OUT = 0.2  # share of the training images
MIN_HELD_OUT = 100  # images: with fewer in one part, further parts are held out in turn
MAX_PARTS = 5
# A wider grid ends here: the training stops before the penalty matters (no further step from the solution of 1e-7 on Caltech-101).
MIN_WEIGHT_DECAY = 1e-7
_STANDARD_ERRORS = 0.5  # within one, seven classes of Caltech-101 lost 0.5 points of accuracy, and their probabilities were too low

OnStep = Callable[[Fit, Tensor, Callable[[], Tensor], Tensor], None]  # the fit, the labels of its images; held-out logits and labels


@dataclass(frozen=True)
class Candidate:
    """A weight decay and its temperature, tried on held-out images.

    Their logits (images, classes) are not divided by the temperature; labels (images,).
    """

    weight_decay: float
    temperature: float
    logits: Tensor
    labels: Tensor
    parameters: Tensor  # of the design of all training images, trained without the first held-out part

    @property
    def loss(self) -> float:
        """The log loss of the held-out images, at the temperature.

        At a temperature of 1 it would favour weak weight decays, whose logits are large, also where they classify less well.
        """
        return float(self.losses().mean())

    def losses(self) -> Tensor:
        """Return the log loss of each held-out image, (images,) float64."""
        return log_losses(self.logits / self.temperature, self.labels)

    @property
    def accuracy(self) -> float:
        """The accuracy on the held-out images, averaged over classes."""
        return accuracy_of_logits(self.logits, self.labels)

    def rank(self) -> tuple[float, float, float]:
        """Return the order of preference: log loss, then accuracy, then the strongest weight decay."""
        return (self.loss, -self.accuracy, -self.weight_decay)

    def is_as_good_as(self, best: Candidate) -> bool:
        """Return whether the mean difference of the log losses of the same images is at most half its standard error."""
        differences = self.losses() - best.losses()
        return bool(differences.mean() <= _STANDARD_ERRORS * differences.std() / len(differences) ** 0.5)


def held_out_parts(labels: NDArray[np.int64], seed: int) -> list[Fold]:
    """Return one split into training and held-out images, or several with disjoint held-out images if there are few of them.

    The list is empty if no class has two images.
    """
    parts: list[Fold] = []
    if np.bincount(labels).max(initial=0) > 1:
        while len(parts) < MAX_PARTS and sum(len(part.test) for part in parts) < MIN_HELD_OUT:
            part = hold_out(labels, HELD_OUT, seed, len(parts))
            if not len(part.test):
                break
            parts.append(part)
    return parts


class Search:
    """Trains with one weight decay after the other, each time without each held-out part, and predicts the held-out images.

    Parameters
    ----------
    design : Design
        All training images.
    labels : Tensor (images,) int64
        Their classes.
    classes : int
        Number of classes.
    parts : sequence of Fold
        Which images are held out, at least one part.
    lease : callable
        The device lease.
    on_step : callable
        Called after each training step.
    temperature : float, optional
        The temperature; None to fit that of each weight decay.
    """

    def __init__(
        self,
        design: Design,
        labels: Tensor,
        classes: int,
        parts: Sequence[Fold],
        lease: DeviceLease,
        on_step: OnStep,
        temperature: float | None = None,
    ) -> None:
        self._design, self._classes, self._lease, self._on_step, self._temperature = design, classes, lease, on_step, temperature
        self._parts = [_Part.of(design, labels, part) for part in parts]

    def run(self, weight_decays: Sequence[float], widen: bool) -> Candidate:
        """Return the best candidate. `widen` continues the grid to weaker ones, by factors of 10, as long as the weakest is the best.

        If there are so few images that several parts are held out, their log loss is too noisy for the smallest to be the best: the
        strongest weight decay is returned that is as good, within half a standard error (Breiman, Friedman, Olshen & Stone 1984, section
        3.4.3, prune trees within a whole one).
        """
        grid = sorted(weight_decays, reverse=True)
        tried = [self.try_out(decay) for decay in grid]
        if widen:
            tried += self._weaker(tried)
        best = min(tried, key=Candidate.rank)
        if len(self._parts) == 1:
            return best
        return max((each for each in tried if each is best or each.is_as_good_as(best)), key=lambda each: each.weight_decay)

    def _weaker(self, tried: Sequence[Candidate]) -> Iterator[Candidate]:
        best, end = min(tried, key=Candidate.rank), tried[-1].weight_decay
        while best.weight_decay == end > MIN_WEIGHT_DECAY * 1.5:
            end = float(f"{end / 10:.3g}")  # 1e-7, not 1.0000000000000001e-07
            candidate = self.try_out(end)
            best = min(best, candidate, key=Candidate.rank)
            yield candidate

    def try_out(self, weight_decay: float) -> Candidate:
        """Return the candidate of a weight decay. The training starts at the solution of the last one, if that was stronger."""
        logits = torch.cat([self._solve(part, weight_decay) for part in self._parts])
        labels = torch.cat([part.held_labels for part in self._parts])
        temperature = fit_temperature(logits, labels) if self._temperature is None else self._temperature
        first = self._parts[0]
        assert first.parameters is not None
        return Candidate(weight_decay, temperature, logits, labels, self._design.embed(first.parameters, first.train))

    def _solve(self, part: _Part, weight_decay: float) -> Tensor:
        """Train without a part, and return the logits of its held-out images."""

        def predict(fit: Fit) -> Tensor:
            return self._design.predict(fit.parameters, part.train, part.held_out)

        start = part.parameters if weight_decay < part.weight_decay else None
        fit = fit_softmax(
            part.design, part.labels, self._classes, weight_decay, start, lease=self._lease,
            on_step=lambda fit: self._on_step(fit, part.labels, lambda: predict(fit), part.held_labels),
        )  # fmt: skip
        part.weight_decay, part.parameters = weight_decay, fit.parameters
        return predict(fit)


@dataclass
class _Part:
    """One split, and the last solution for it."""

    design: Design  # of the images that are trained on
    train: Tensor
    held_out: Tensor
    labels: Tensor  # of `train`
    held_labels: Tensor
    weight_decay: float = 0.0
    parameters: Tensor | None = None

    @classmethod
    def of(cls, design: Design, labels: Tensor, split: Fold) -> _Part:
        train, held_out = (torch.as_tensor(indices, device=labels.device) for indices in (split.train, split.test))
        return cls(design.subset(train), train, held_out, labels[train], labels[held_out])
