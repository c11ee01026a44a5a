"""The temperature of a softmax classifier: one number that all logits are divided by, so that its probabilities are right on average.

Source: Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks, section 4.2 (temperature scaling).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# The logits of a strong weight decay are small: at 0.1 and 101 classes, the smallest log loss is at a temperature of about 0.005.
MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-4, 50.0
_BISECTIONS = 50  # of the logarithm of the temperature: to 1e-14
_MISTAKES = 0.5  # mistakes that are counted beside the held-out images (the estimator of Krichevsky & Trofimov 1981)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature with the smallest log loss on held-out images.

    If all of a few held-out images are classified correctly, the smallest log loss is that of a temperature of 0, which would answer with
    certainty. So a temperature below 1 is fitted as if half a mistake had been seen, spread over the images and the wrong classes. That
    moves it towards 1 and not beyond: the log loss of the held-out images is at most that of a temperature of 1.

    Parameters
    ----------
    logits : Tensor (images, classes)
        The logits of images that the classifier was not trained on.
    labels : Tensor (images,) int64
        Their classes.

    Returns
    -------
    float
        From 0.0001 to 50.
    """
    values, truths = logits.detach().cpu().double(), labels.cpu()
    temperature = _minimum(values, truths, 0.0)
    return min(_minimum(values, truths, _MISTAKES / (len(values) + 1)), 1.0) if temperature < 1 else temperature


def log_loss(logits: Tensor, labels: Tensor) -> float:
    """Return the mean of -log(probability of the true class) for logits (images, classes) and labels (images,)."""
    return float(log_losses(logits, labels).mean())


def log_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Return -log(probability of the true class) of each image, (images,) float64 on the CPU, for logits (images, classes)."""
    return torch.nn.functional.cross_entropy(logits.detach().cpu().double(), labels.cpu(), reduction="none")


def _minimum(logits: Tensor, labels: Tensor, mistakes: float) -> float:
    """Return the temperature of the smallest cross entropy to targets that give `mistakes` to the wrong classes, in equal parts.

    The cross entropy is convex in the inverse temperature, so its slope has one change of sign.
    """
    truths = logits.gather(1, labels[:, None])[:, 0]
    others = (logits.sum(1) - truths) / max(1, logits.shape[1] - 1)
    target = (1 - mistakes) * truths + mistakes * others
    low, high = math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        expected = (torch.softmax(logits / math.exp(middle), 1) * logits).sum(1)
        if float((expected - target).mean()) > 0:  # the slope by the inverse temperature: it is too large, so the temperature is too small
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)
