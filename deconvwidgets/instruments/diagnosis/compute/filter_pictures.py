"""The filters of the first convolution as pictures, and their spectra (Zeiler & Fergus 2014, section 4.1 and figure 6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deconvwidgets import display
from deconvwidgets.display import Rgb
from deconvwidgets.instruments.diagnosis.records import FirstLayer

_SIZE = 48  # of a spectrum, at least


def filter_sprite(first: FirstLayer, channels: list[int], tile: int) -> Rgb:
    """Return the filters below each other (units * tile, tile, 3), uint8. Each has its own contrast; mid-gray is zero.

    Filters are enlarged without interpolation: their pixels are what they are. A tile is a whole multiple of a filter where it can be.
    """
    shown = first.weights[:, channels] if first.weights.shape[1] > max(channels) else first.weights[:, :1]
    return np.concatenate([_tile(one, tile) for one in shown])


def _tile(weights: NDArray[np.float32], tile: int) -> Rgb:
    rows, columns = weights.shape[1:]
    picture = display.contrast(weights)
    pick = [np.minimum((np.arange(tile) * side) // tile, side - 1) for side in (rows, columns)]
    return np.ascontiguousarray(picture[np.ix_(*pick)])


def filter_spectrum(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the amplitude of a filter (C, rows, columns) by spatial frequency, (n, n) float32; the largest is 1.

    The filter is padded with zeros to 48 pixels, or to its own size; powers are summed over the channels. Frequency 0 is in the centre.
    """
    side = max(_SIZE, *weights.shape[1:])
    power = (np.abs(np.fft.fft2(weights.astype(np.float64), s=(side, side), axes=(1, 2))) ** 2).sum(axis=0)
    amplitude = np.fft.fftshift(np.sqrt(power))
    return (amplitude / (amplitude.max() or 1.0)).astype(np.float32)
