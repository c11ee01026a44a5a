"""Decoded crops as rows of a Ray dataset: one row a crop, so that Ray Data can group them as it likes, and none is lost or doubled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.compute.decoded import DecodedBatch
from deconvwidgets.records.images import SkippedImage

Rows = dict[str, NDArray[Any]]

_ARRAYS = ("crops", "sources", "numbers", "contents", "labels", "pixels")


def to_rows(batch: DecodedBatch, host: str) -> Rows:
    """Return one row for each crop of a batch, also for the skipped ones: their pixels are zeros, and `reason` is not empty.

    Parameters
    ----------
    batch : DecodedBatch
    host : str
        The name of the machine that decoded it.
    """
    decoded, skipped = len(batch), len(batch.skipped)
    rows: Rows = {name: getattr(batch, name) for name in _ARRAYS}
    if skipped:
        rows = {name: np.concatenate([array, np.zeros((skipped, *array.shape[1:]), array.dtype)]) for name, array in rows.items()}
        rows["crops"][decoded:] = [crop for crop, _ in batch.skipped]
    rows["names"] = _texts(["" for _ in range(decoded)] + [image.name for _, image in batch.skipped])
    rows["reasons"] = _texts(["" for _ in range(decoded)] + [image.reason for _, image in batch.skipped])
    rows["hosts"] = _texts([host] * (decoded + skipped))
    return rows


def from_rows(rows: Mapping[str, NDArray[Any]]) -> tuple[DecodedBatch, tuple[str, ...]]:
    """Return the batch of rows in any order, and the machine on which each of its skipped crops was tried."""
    order = np.argsort(rows["crops"], kind="stable")
    failed = np.array([bool(reason) for reason in rows["reasons"]], bool)
    skipped = [int(row) for row in order if failed[row]]
    decoded = order[~failed[order]]
    whole = len(decoded) == len(order) and bool((order[1:] > order[:-1]).all())  # in order already: nothing is copied
    arrays = {name: rows[name] if whole else rows[name][decoded] for name in _ARRAYS}
    images = tuple((int(rows["crops"][row]), SkippedImage(str(rows["names"][row]), str(rows["reasons"][row]))) for row in skipped)
    return DecodedBatch(**arrays, skipped=images), tuple(str(rows["hosts"][row]) for row in skipped)


def _texts(texts: list[str]) -> NDArray[Any]:
    return np.array(texts, dtype=object)
