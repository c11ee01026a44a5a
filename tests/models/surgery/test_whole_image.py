"""Surgery after operations that read the whole image, such as a resize: windows and strides are still those of the operations."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import deconvwidgets as dw
from deconvwidgets.engine.blur import Blur
from deconvwidgets.errors import LayerError
from tests.models.surgery.networks import batch, bundle_of, outputs


class Resized(nn.Module):
    """Two convolutions with a stride on an image that is resized first, and pooling by a call if it is wanted."""

    def __init__(self, pools=False):
        super().__init__()
        self.one, self.two, self.fc = nn.Conv2d(3, 6, 3, 2, 1, padding_mode="reflect"), nn.Conv2d(6, 5, 3, 2), nn.Linear(5, 4)
        self.relu, self.relu2, self.pools = nn.ReLU(), nn.ReLU(), pools

    def forward(self, x):
        h = self.relu(self.one(F.interpolate(x, size=(31, 33), mode="bilinear")))
        h = F.max_pool2d(h, 3, 2) if self.pools else h
        return self.fc(self.relu2(self.two(h)).mean((2, 3)))


def network(**kind):
    torch.manual_seed(0)
    return bundle_of(Resized(**kind).double())


def test_strides_after_a_resize_are_blurred():
    bundle = network()
    changed, model = dw.surgery.blur_strides(bundle), bundle.model
    assert changed.surgery[0].arguments == {"layers": ["conv1", "conv2"]}
    maps = F.pad(F.interpolate(batch(), size=(31, 33), mode="bilinear"), (1, 1, 1, 1), mode="reflect")
    maps = Blur((2, 2))(F.relu(F.conv2d(maps, model.one.weight, model.one.bias)))
    maps = Blur((2, 2))(F.relu(F.conv2d(maps, model.two.weight, model.two.bias)))
    assert torch.allclose(outputs(changed), model.fc(maps.mean((2, 3))))


def test_pooling_by_a_call_after_a_resize_is_named():
    with pytest.raises(LayerError, match="pools by max_pool2d"):
        dw.surgery.swap_pooling(network(pools=True))
