"""Low-pass filtering of feature maps before they are subsampled, after Zhang 2019 ("Making convolutional networks shift-invariant again").

The filter is a triangle, made of two average poolings, so that everything that is known of pooling holds for it: its transpose projects it
backwards, and it is run on crops and parts of maps. For a stride of 2 it is the binomial filter [1, 2, 1] / 4 with borders repeated; for 4,
[1, 2, 3, 4, 3, 2, 1] / 16, which is that filter with stride 2, twice. It is zero at all frequencies that alias to a constant.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

Pair = tuple[int, int]


class Blur(nn.Module):
    """Blurs each map with a triangle of size 2 * stride - 1 for rows and columns, and keeps every stride-th position.

    Position r of the output is centred at position r * stride of the input. Weights are positive and add up to one, also at the borders.
    There are no parameters. This is our extension: Zeiler & Fergus 2014 do not blur.

    Parameters
    ----------
    stride : (int, int)
        For rows and columns, at least 1 each.

    Examples
    --------
    >>> import torch
    >>> Blur((1, 2))(torch.tensor([[[[0.0, 0.0, 4.0, 0.0, 0.0]]]]))
    tensor([[[[0., 2., 0.]]]])
    """

    def __init__(self, stride: Pair) -> None:
        super().__init__()
        self.stride = (int(stride[0]), int(stride[1]))
        self.training = False

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (N, C, ceil(H / stride), ceil(W / stride)) for maps (N, C, H, W)."""
        first = (self.stride[0] // 2, self.stride[1] // 2)
        rest = (self.stride[0] - 1 - first[0], self.stride[1] - 1 - first[1])
        dense = F.avg_pool2d(maps, self.stride, 1, first, count_include_pad=False)
        return F.avg_pool2d(dense, self.stride, self.stride, rest, count_include_pad=False)

    def extra_repr(self) -> str:
        return f"stride={self.stride}"
