"""The filters of the first convolution by spatial frequency, and the share of their responses that its stride aliases.

Source: Zeiler & Fergus 2014, section 4.1, which saw filters of extremely high and low frequency in the first layer, and aliasing from its
stride of 4 in the second. The measures are our extension.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.engine.filters import ConvolutionFilters, convolution_filters
from deconvwidgets.engine.network import Network
from deconvwidgets.instruments.diagnosis.limits import BANDS
from deconvwidgets.instruments.diagnosis.records import FirstLayer

NO_FIRST = (
    "No convolution is known to read the input, perhaps padded with a constant or changed position by position: the model has none, "
    "computes something else from its input first, or cannot be traced."
)
_GRID = 128  # frequencies per axis of a filter's spectrum
_BINS = 25

Array = NDArray[np.float64]


class PhotographSpectrum:
    """The mean cross-spectrum of the channels of photographs: what is needed to know the spectrum of any filter's responses.

    Each photograph's mean is subtracted per channel, and it fades to 0 at its borders (Hann window).

    Parameters
    ----------
    channels, height, width : int
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        self.sum = np.zeros((channels, channels, height, width), np.complex128)
        self.count = 0
        self._window = np.outer(np.hanning(height), np.hanning(width))

    def add(self, pixels: NDArray[np.floating]) -> None:
        """Add an input (C, H, W)."""
        transformed = np.fft.fft2(self.tapered(pixels))
        self.sum += transformed.conj()[:, None] * transformed[None]
        self.count += 1

    def tapered(self, pixels: NDArray[np.floating]) -> Array:
        """Return an input (C, H, W) without its means, faded to 0 at its borders."""
        values = pixels.astype(np.float64)
        return np.asarray((values - values.mean(axis=(1, 2), keepdims=True)) * self._window)

    def aliased_shares(self, weights: Array, stride: tuple[int, int]) -> Array:
        """Return the share of the energy of each filter's responses above what a stride carries along an axis, (U,).

        Parameters
        ----------
        weights : array (U, C, rows, columns)
        stride : (int, int)

        Returns
        -------
        array (U,)
            NaN for filters without a response.
        """
        height, width = self.sum.shape[2:]
        above = above_stride(height, width, stride)
        shares = np.full(len(weights), np.nan)
        for unit, weight in enumerate(weights):
            response = np.fft.fft2(weight, s=(height, width))
            energy = np.einsum("chw,cdhw,dhw->hw", response, self.sum, response.conj()).real
            total = energy.sum()
            shares[unit] = energy[above].sum() / total if total > 0 else np.nan
        return shares


def first_convolution(network: Network) -> ConvolutionFilters | None:
    """Return the first convolution that reads the input; None without one, and of a model that cannot be traced."""
    return next((filters for filters in convolution_filters(network) if filters.reads_input), None)


def whole_filters(filters: ConvolutionFilters, channels: int) -> NDArray[np.float32]:
    """Return a convolution's filters over all input channels (U, C, rows, columns): with its groups, and its dilation, as zeros."""
    weight = filters.weight.detach().float().cpu().numpy()
    units, own, rows, columns = weight.shape
    rows_apart, columns_apart = filters.window.dilation
    whole = np.zeros((units, channels, (rows - 1) * rows_apart + 1, (columns - 1) * columns_apart + 1), np.float32)
    per_group = units // filters.window.groups
    for unit in range(units):
        start = unit // per_group * own
        whole[unit, start : start + own, ::rows_apart, ::columns_apart] = weight[unit]
    return whole


def first_layer(filters: ConvolutionFilters, channels: int, photographs: PhotographSpectrum, blur: tuple[int, int] = (1, 1)) -> FirstLayer:
    """Return the filters of the first convolution by frequency. `blur`: by how much a blur subsamples its map."""
    weights = whole_filters(filters, channels)
    stride = filters.window.stride
    rms, ratio = rms_and_ratio(filters)
    energy, radius = spectra(weights.astype(np.float64))
    shares, centre = band_shares(energy, radius), (energy * radius).sum(axis=(1, 2))
    edges = np.linspace(0, 0.5, _BINS + 1)
    living = energy[np.isfinite(centre)]
    mean = living.mean(axis=0) if len(living) else np.zeros_like(radius)
    aliased = np.zeros(len(weights)) if stride == blur == (1, 1) else np.full(len(weights), np.nan)
    if stride != (1, 1) and photographs.count:
        aliased = photographs.aliased_shares(weights.astype(np.float64), stride)
    return FirstLayer(
        name=filters.name,
        alias=filters.layer.short_name,
        kernel_size=filters.window.kernel,
        stride=stride,
        weights=weights,
        rms=rms,
        rms_ratio=ratio,
        centre=centre,
        shares=shares,
        bands=BANDS,
        mean_shares=_triple(_mean(shares)),
        noise_shares=_triple(band_shares(np.full((1, *radius.shape), 1 / radius.size), radius)[0]),
        histogram=np.histogram(radius, edges, weights=mean)[0],
        histogram_above=np.histogram(radius, edges, weights=mean * above_stride(len(radius), len(radius), stride))[0],
        edges=edges,
        carried=0.5 / max(stride),
        aliased=aliased,
        aliased_mean=float(_mean(aliased[:, None])[0]),
        photographs=photographs.count,
        blur=blur,
    )


def above_stride(height: int, width: int, stride: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which frequencies of a transform (height, width) are above what a stride carries along an axis: 1 / (2 stride)."""
    rows, columns = (np.abs(np.fft.fftfreq(side)) > 0.5 / step + 1e-9 for side, step in zip((height, width), stride, strict=True))
    return np.asarray(rows[:, None] | columns[None])


def spectra(weights: Array) -> tuple[Array, Array]:
    """Return the share of each filter's energy at each frequency (U, n, n), NaN for filters of zeros, and the frequencies' radii (n, n).

    The energy is summed over the channels. Frequencies are in cycles per pixel.
    """
    side = max(_GRID, 2 * max(weights.shape[2:]))
    energy = np.stack([(np.abs(np.fft.fft2(weight, s=(side, side))) ** 2).sum(axis=0) for weight in weights])
    total = energy.sum(axis=(1, 2), keepdims=True)
    frequencies = np.fft.fftfreq(side)
    shares = np.divide(energy, total, out=np.full_like(energy, np.nan), where=total > 0)
    return shares, np.hypot(frequencies[:, None], frequencies[None])


def band_shares(energy: Array, radius: Array) -> Array:
    """Return the shares of spectra (U, n, n) below, between and above `BANDS`, (U, 3)."""
    low, high = BANDS
    return np.stack([energy[:, band].sum(axis=1) for band in (radius < low, (radius >= low) & (radius < high), radius >= high)], axis=1)


def rms_and_ratio(filters: ConvolutionFilters) -> tuple[Array, Array]:
    """Return the root mean square of each filter's weights, and how many times the median of the layer it is, both (U,).

    With batch norm, the ratio is the smaller one of that of the weights alone and that with batch norm folded in: the size of either
    alone is arbitrary, a filter that dominates exceeds by both.
    """
    rms = filters.weight.detach().cpu().double().pow(2).mean(dim=(1, 2, 3)).sqrt().numpy()
    folded = filters.folded.pow(2).mean(dim=(1, 2, 3)).sqrt().numpy()
    return rms, np.minimum(_over_median(rms), _over_median(folded))


def _over_median(values: Array) -> Array:
    positive = values[values > 0]
    return values / np.median(positive) if len(positive) else np.zeros_like(values)


def _mean(values: Array) -> Array:
    """Return the mean over rows without NaN; NaN without any."""
    known = values[np.isfinite(values).all(axis=1)]
    return known.mean(axis=0) if len(known) else np.full(values.shape[1], np.nan)


def _triple(values: Array) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))
