"""Exact sums of float32 numbers and of their squares, which do not depend on the order of the additions.

A float32 number is an integer of 24 bits times a power of two. A sum is an integer in units of the smallest such power, in limbs of 16
bits, so that a number is added to one limb, and the higher limbs take its upper bits (a "superaccumulator": Kulisch & Miranker 1986). All
arithmetic is in integers, so that it is the same on every device. In the canonical form, limbs are from 0 to 2^16 - 1, and the last one
has the sign: equal sums have equal limbs.
"""

from __future__ import annotations

from math import isqrt, ldexp

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SUM_LIMBS, SQUARE_LIMBS = 17, 35
MAX_ADDITIONS = 1 << 21  # between two canonical forms: an addition changes a limb by less than 2^41
_LIMB_BITS = 16
_SUM_UNIT, _SQUARE_UNIT = -149, -298  # the exponents of the units: 2^-149 is the smallest positive float32 number


def add_exactly(sums: Tensor, squares: Tensor, values: Tensor) -> None:
    """Add N finite values of each unit, in place.

    Parameters
    ----------
    sums : Tensor (units, SUM_LIMBS), int64
    squares : Tensor (units, SQUARE_LIMBS), int64
    values : Tensor (N, units), float32
    """
    bits = values.contiguous().view(torch.int32)
    field = (bits >> 23) & 0xFF
    magnitude = ((bits & 0x7FFFFF) | ((field > 0).int() << 23)).long()
    exponent = (field.clamp(min=1) - 1).long()  # the value is magnitude * 2^(exponent - 149)
    _add(sums, torch.where(bits < 0, -magnitude, magnitude), exponent)
    square, exponent = magnitude * magnitude, 2 * exponent
    _add(squares, square & 0xFFFFFF, exponent)
    _add(squares, square >> 24, exponent + 24)


def _add(limbs: Tensor, integers: Tensor, exponents: Tensor) -> None:
    """Add integers (N, units) of at most 25 bits, times two to the exponents."""
    first = torch.arange(len(limbs), device=limbs.device) * limbs.shape[1]
    index = first + (exponents >> 4)
    limbs.view(-1).scatter_add_(0, index.view(-1), (integers << (exponents & 15)).view(-1))


def carry(limbs: Tensor) -> None:
    """Bring limbs (units, limbs) to the canonical form, in place."""
    for limb in range(limbs.shape[1] - 1):
        limbs[:, limb + 1] += limbs[:, limb] >> _LIMB_BITS
        limbs[:, limb] &= (1 << _LIMB_BITS) - 1


def integers_of(limbs: Tensor) -> list[int]:
    """Return the sums (units,) as integers, from their canonical form."""
    table = limbs.cpu().numpy()
    shift = _LIMB_BITS * (table.shape[1] - 1)
    low = table[:, :-1].astype("<u2")
    return [int.from_bytes(row.tobytes(), "little") + (int(last) << shift) for row, last in zip(low, table[:, -1], strict=True)]


def mean_and_deviation(sums: Tensor, squares: Tensor, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means and standard deviations of the population (units,), correctly rounded, from sums in the canonical form."""
    pairs = list(zip(integers_of(sums), integers_of(squares), strict=True))
    means = [_quotient(total, count, _SUM_UNIT) for total, _ in pairs]
    # The variance is (count * squares - total^2) / count^2, in the unit of the squares.
    deviations = [_root(count * square - total * total, count, _SUM_UNIT) for total, square in pairs]
    return np.array(means, np.float64), np.array(deviations, np.float64)


def _quotient(numerator: int, denominator: int, exponent: int) -> float:
    """Return numerator / denominator * 2^exponent for an exponent below zero, correctly rounded, as Python divides integers."""
    return numerator / (denominator << -exponent)


def _root(square: int, denominator: int, exponent: int) -> float:
    """Return sqrt(square) / denominator * 2^exponent, correctly rounded."""
    if not square:
        return 0.0
    # 64 or more bits of the root of (square / denominator^2), with a last bit that says whether anything was cut off.
    shift = max(0, 64 + denominator.bit_length() - square.bit_length() // 2)
    scaled = square << 2 * shift
    root = isqrt(scaled) // denominator
    root = 2 * root + (root * root * denominator * denominator != scaled)
    return ldexp(root, exponent - shift - 1)
