"""The crop operations against torch's own, forward and backward."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from deconvwidgets.engine.projection.crop_ops import fill_outside, strided_conv2d


def test_crop_operations_equal_torchs() -> None:
    torch.manual_seed(0)
    crops = torch.randn(2, 3, 23, 26, dtype=torch.float64, requires_grad=True)
    weight, bias = torch.randn(5, 3, 7, 6, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    mask = torch.ones(2, 1, 23, 26, dtype=torch.bool)
    mask[0, :, 3:20, 0:22] = False
    mask[1] = False
    for result, expected in (
        (strided_conv2d(crops, weight, bias, 3), F.conv2d(crops, weight, bias, 3)),
        (fill_outside(crops, [(3, 20, 0, 22), (0, 23, 0, 26)], -2.0), crops.masked_fill(mask, -2.0)),
    ):
        assert torch.equal(result, expected)
        signal = torch.randn_like(result)
        gradient, expected_gradient = (torch.autograd.grad(output, crops, signal)[0] for output in (result, expected))
        assert torch.allclose(gradient, expected_gradient, atol=1e-12)
