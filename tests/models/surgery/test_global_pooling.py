"""Global pooling by modules or calls with a stride: it returns a single position, so that nothing is subsampled."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import LayerError
from tests.models.surgery.networks import SIZE, batch, bundle_of, outputs

PIXELS = SIZE[1:]
LOCAL = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class GlobalPooling(nn.Module):
    """A convolution, local pooling if it is given, and global pooling by a module or a call."""

    def __init__(self, local, by_module):
        super().__init__()
        self.conv, self.local, self.fc = nn.Conv2d(3, 6, 3, padding=1), local, nn.Linear(6, 4)
        self.size = PIXELS if local is None else (PIXELS[0] // 2, PIXELS[1] // 2)
        self.pool = nn.AvgPool2d(self.size) if by_module else None

    def forward(self, x):
        x = F.relu(self.conv(x))
        x = x if self.local is None else self.local(x)
        x = F.avg_pool2d(x, self.size) if self.pool is None else self.pool(x)
        return self.fc(x.flatten(1))


def network(local, by_module):
    torch.manual_seed(0)
    return bundle_of(GlobalPooling(local, by_module).double())


@pytest.mark.parametrize("by_module", [True, False])
@pytest.mark.parametrize("to", ["max", "average"])
def test_global_pooling_is_not_swapped_by_default(to, by_module):
    bundle = network(LOCAL["average" if to == "max" else "max"](2), by_module)
    swapped = dw.surgery.swap_pooling(bundle, to=to)
    model = bundle.model
    expected = model.fc(LOCAL[to](2)(F.relu(model.conv(batch()))).mean((2, 3)))
    assert torch.allclose(outputs(swapped), expected)
    assert swapped.surgery[0].arguments["layers"] == ["pool1"]
    assert dw.surgery.swap_pooling(network(nn.MaxPool2d(2), by_module)).surgery[0].arguments["layers"] == ["pool1"]


@pytest.mark.parametrize("to", ["blur", "max"])
def test_a_network_with_global_pooling_only_has_none_to_swap(to):
    with pytest.raises(LayerError, match="no pooling layers with a stride that could become"):
        dw.surgery.swap_pooling(network(None, by_module=True), to=to)


def test_global_pooling_that_is_named_is_not_blurred():
    bundle = network(None, by_module=True)
    with pytest.raises(LayerError, match="pool1 of net returns a single position: nothing is subsampled"):
        dw.surgery.swap_pooling(bundle, "pool")
    largest = F.relu(bundle.model.conv(batch())).amax((2, 3))
    assert torch.allclose(outputs(dw.surgery.swap_pooling(bundle, "pool", "max")), bundle.model.fc(largest))
