"""What is aliased of the first convolution's feature map where it is subsampled: by a stride, or after a blur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MapAliasing:
    """The share of the energy of the first convolution's feature map that its subsampling aliases.

    The map is computed at every pixel as the network computes it, with batch norm, activation function and blur, before every stride-th
    position is kept. A stride before the activation function is the same as one after it. The energy of a map is the sum of its squares
    without its mean, after it fades to 0 at its borders (Hann window), summed over the photographs. What is above 1 / (2 stride) cycles per
    position along an axis is aliased. It is our extension of Zeiler & Fergus 2014, section 4.1.

    Not included: what later layers with a stride alias; and what a blur removes of the frequencies that the subsampled map can carry.

    Attributes
    ----------
    layer : str
        The feature map: alias, or dotted name without one.
    stride : tuple of (int, int)
        By how much it is subsampled, (rows, columns).
    blurred : bool
        Whether it is blurred before it is subsampled (`dw.surgery.blur_strides`).
    shares : array (U,), float64
        The aliased share of each unit, 0 to 1; NaN for a unit whose map is constant in all photographs.
    mean : float
        Its mean over the units; NaN without any.
    unblurred : array (U,), float64
        The same of the map without the blur, which the network as it was before the blur computes; `shares` without a blur.
    unblurred_mean : float
    photographs : int
        The number of photographs that it was measured on; 0 at stride 1, where nothing is aliased.
    """

    layer: str
    stride: tuple[int, int]
    blurred: bool
    shares: NDArray[np.float64]
    mean: float
    unblurred: NDArray[np.float64]
    unblurred_mean: float
    photographs: int

    __repr__ = compact_repr

    @property
    def summary(self) -> str:
        """The mean share in words, with that before the blur: "1.6% (31% before the blur)"."""
        before = f" ({share_text(self.unblurred_mean)} before the blur)" if self.blurred else ""
        return f"{share_text(self.mean)}{before}"


def share_text(share: float) -> str:
    """Return a share in percent, with a digit after the point below 10%.

    >>> share_text(0.0161), share_text(0.306), share_text(0.0)
    ('1.6%', '31%', '0%')
    """
    return f"{share:.1%}" if 0 < share < 0.0995 else f"{share:.0%}"
