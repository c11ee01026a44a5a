"""What is refused says the true reason, and what is only rounding is not refused."""

import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import LayerError, ModelError
from deconvwidgets.models.surgery.operation import _check_same
from tests.models.surgery.networks import bundle_of, plain


class Reads(nn.Module):
    """A network whose first convolution has some settings, and does not only read the image."""

    def __init__(self, kind, **settings):
        super().__init__()
        self.kind, self.one, self.fc = kind, nn.Conv2d(3, 6, 3, **settings), nn.Linear(9, 4)

    def forward(self, x):
        maps = self.one((x - 0.5) / 0.25 if self.kind == "normalised" else x).relu()
        return self.fc(
            torch.cat([maps.mean((2, 3)), x.square().mean((2, 3))], 1) if self.kind == "twice" else maps.mean((2, 3)).repeat(1, 2)[:, :9]
        )


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        ("normalised", {}, "conv1 of net does not read the image itself, but what div makes of it: its size"),
        ("twice", {}, r"conv1 of net is not the only operation that reads the image \((square|pow) does, too\)"),
        ("plain", {"dilation": 2}, "conv1 of net has a dilation of 2 x 2"),
        ("plain", {"padding": "same"}, r"conv1 of net has padding by name \('same'\)"),
    ],
)
def test_a_first_layer_that_cannot_be_changed_says_why(kind, settings, reason):
    with pytest.raises(LayerError, match=reason):
        dw.surgery.change_first_layer(bundle_of(Reads(kind, **settings).double()), 5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_what_differs_by_rounding_only_is_the_same(dtype):
    """One unit in the last place of half precision, which is more than the tolerance of float32."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    before = torch.tensor([1.0, 0.5])
    after = before + float(torch.finfo(dtype).eps)
    bundle = bundle_of(model.to(dtype))
    _check_same(bundle, bundle.model, [before.to(dtype)], [after.to(dtype)], "resize_layer")
    with pytest.raises(ModelError, match="would change what net computes"):
        _check_same(bundle, model.float(), [before], [after], "resize_layer")
    with pytest.raises(ModelError, match="would change what net computes"):
        _check_same(bundle, model.to(dtype), [before.to(dtype)], [2 * before.to(dtype)], "resize_layer")


def test_an_operation_that_keeps_all_sizes_does_not_blame_them():
    """A part of PyTorch that is missing for a type, such as average pooling of half precision, is said as PyTorch says it."""

    class Refuses(nn.LocalResponseNorm):
        def forward(self, input):
            raise NotImplementedError("\"avg_pool3d_out_frame\" not implemented for 'Half'")

    bundle = plain()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn, "LocalResponseNorm", Refuses)
        with pytest.raises(ModelError, match=r"not implemented for 'Half'\.$"):
            dw.surgery.insert_normalization(bundle, "conv1", "response_norm")
