"""Pearson's correlation of the units of a layer, over the sampled crops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe, finite_number
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.records.unit_relations import NearCopies

_BLOCK = 512  # rows of the matrix of correlations that are in memory at once
_DECIMALS = 12  # the order of the sums in a matrix product changes the digits after these


@dataclass(frozen=True)
class Profiles:
    """The activations of units in the sampled crops, each centred and scaled to length 1: products of them are correlations.

    Attributes
    ----------
    units : ndarray of shape (rows,), int64
        The units with different activations in the sampled crops, ascending. The others have no correlation.
    rows : ndarray of shape (rows, crops), float64
        Their profiles.
    of : int
        Number of units of the layer.
    """

    units: NDArray[np.int64]
    rows: NDArray[np.float64]
    of: int

    @classmethod
    def from_values(cls, values: NDArray[np.float32]) -> Profiles:
        """Return the profiles of units with activations (crops, units)."""
        crops, of = values.shape
        varied = values.max(axis=0) > values.min(axis=0) if crops else np.zeros(of, np.bool_)
        rows = np.ascontiguousarray(values.T[varied], np.float64)
        if rows.size:
            rows -= rows.mean(axis=1, keepdims=True)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return cls(np.flatnonzero(varied), rows, of)

    @property
    def left_out(self) -> NDArray[np.int64]:
        """The units without a correlation, ascending."""
        return np.setdiff1d(np.arange(self.of), self.units)

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield the matrix of correlations in blocks of rows, each with the number of its first row."""
        for start in range(0, len(self.units), _BLOCK):
            correlations = np.clip(self.rows[start : start + _BLOCK] @ self.rows.T, -1, 1)
            yield start, np.round(correlations, _DECIMALS)


def nearest_units(profiles: Profiles) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the unit (units,) with which each unit correlates most, and the correlation (units,).

    Of equal correlations the smallest unit counts. Without any: -1 and NaN.
    """
    nearest, correlation = np.full(profiles.of, -1, np.int64), np.full(profiles.of, np.nan)
    if len(profiles.units) < 2:
        return nearest, correlation
    for start, block in profiles.blocks():
        row = np.arange(len(block))
        block[row, start + row] = -np.inf  # a unit is not its own neighbour
        column, units = block.argmax(axis=1), profiles.units[start : start + len(block)]
        nearest[units], correlation[units] = profiles.units[column], block[row, column]
    return nearest, correlation


def near_copies(profiles: Profiles, at_least: float) -> list[NearCopies]:
    """Return the pairs of units that correlate with at least `at_least`, by descending correlation, then by units."""
    number = finite_number(at_least)
    if number is None or not 0 < number <= 1:
        raise ActivationIndexError(f"at_least must be a correlation above 0, up to 1, not {describe(at_least)}.")
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
    for start, block in profiles.blocks():
        row, column = np.nonzero(np.triu(block >= number, start + 1))  # each pair once
        found.append((profiles.units[row + start], profiles.units[column], block[row, column]))
    if not found:
        return []
    unit, other, value = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    order = np.lexsort((other, unit, -value))
    return [NearCopies(*pair) for pair in zip(*(array[order].tolist() for array in (unit, other, value)), strict=True)]
