"""Steps of the literal deconvnet with random signed weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.engine.projection import literal_deconvnet as literal


def conv(
    rng: np.random.Generator, into: int, out: int, kernel: int = 3, bias: bool = True, groups: int = 1, **options: Any
) -> literal.Conv:
    weight = rng.normal(size=(out, into // groups, kernel, kernel)) / np.sqrt(into // groups * kernel * kernel)
    return literal.Conv(weight, rng.normal(size=out) * 0.5 if bias else None, groups=groups, **options)


def batch_norm(rng: np.random.Generator, channels: int) -> literal.BatchNorm:
    """Return a batch norm with weights of both signs, which may change the sign of the signal."""
    return literal.BatchNorm(
        mean=rng.normal(size=channels),
        variance=rng.uniform(0.3, 2, channels),
        weight=rng.normal(size=channels),
        bias=rng.normal(size=channels),
    )


def fully_connected(rng: np.random.Generator, into: int, out: int) -> literal.FullyConnected:
    return literal.FullyConnected(rng.normal(size=(out, into)) / np.sqrt(into), rng.normal(size=out))
