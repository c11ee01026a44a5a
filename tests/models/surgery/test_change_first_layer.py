"""First layers that are changed in networks whose own code does more than call modules, against plain PyTorch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import LayerError
from deconvwidgets.models.surgery.grid import check_grid
from tests.models.surgery.networks import batch, bundle_of, outputs


class ReadsBatchSize(nn.Module):
    """A network that flattens by `x.view(x.size(0), -1)`, and reads the number of images from two values."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.pool = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.fc = nn.Linear(4 * 6 * 7, 4)

    def forward(self, x):
        ones = torch.ones(x.size(0), 1, dtype=x.dtype)
        x = self.conv(x)
        images = x.size(0)
        x = self.pool(self.relu(x))
        return self.fc(x.view(images, -1)) * ones


def test_a_network_that_reads_the_number_of_images_can_have_another_first_layer():
    torch.manual_seed(0)
    bundle = bundle_of(ReadsBatchSize().double())
    changed = dw.surgery.change_first_layer(bundle, stride=1)
    conv, fc = bundle.model.conv, bundle.model.fc
    maps = F.relu(F.conv2d(batch(), conv.weight, conv.bias, 1, 1))
    expected = F.linear(F.max_pool2d(maps, 3, 4).flatten(1), fc.weight, fc.bias)
    assert torch.allclose(outputs(changed), expected)


class Between(nn.Module):
    """A convolution, another operation, and the pooling that has to keep its size."""

    def __init__(self, between, kernel=11, stride=4, padding=2):
        super().__init__()
        self.conv, self.between = nn.Conv2d(3, 4, kernel, stride=stride, padding=padding), between
        self.pool, self.fc = nn.MaxPool2d(3, 2), nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(self.pool(self.between(F.relu(self.conv(x)))).mean((2, 3)))


class Pad(nn.Module):
    """Calls F.pad."""

    def __init__(self, margins):
        super().__init__()
        self.margins = margins

    def forward(self, x):
        return F.pad(x, self.margins)


def between(extent, *layers):
    torch.manual_seed(0)
    net = Between(*layers).eval()
    return dw.ModelBundle.from_module(net, input_size=(3, extent, extent + 1), categories=list("abcd"), name="net")


def pooled_size(bundle):
    """The size of the output of the pooling, when torch runs the model."""
    sizes = []
    handle = bundle.model.pool.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[2:])))
    with torch.no_grad():
        bundle.model(torch.rand(1, *bundle.input_size))
    handle.remove()
    return sizes[0]


@pytest.mark.parametrize(
    "operation",
    [
        lambda: nn.Conv2d(4, 4, 2, padding="same"),
        lambda: nn.Conv2d(4, 4, (4, 3), padding="same"),
        lambda: nn.MaxPool2d(2, 2, dilation=2, ceil_mode=True),
        lambda: nn.AvgPool2d(2, 1, ceil_mode=True),
        lambda: Pad((0, 0, 0, 0)),
    ],
    ids=["same", "same of two sizes", "ceil mode", "stride 1", "no margins"],
)
@pytest.mark.parametrize("arguments", [(7, 2), (5, 1)])
def test_the_next_pooling_keeps_its_size_whatever_stands_between(operation, arguments):
    """Or no padding of the first layer is possible."""
    kept = 0
    for extent, *first in ((60, 11, 4, 2), (63, 11, 4, 2), (66, 7, 4, 3)):
        bundle = between(extent, operation(), *first)
        try:
            changed = dw.surgery.change_first_layer(bundle, *arguments)
        except LayerError as error:
            if "No padding of conv1" not in str(error):
                raise
            continue
        kept += 1
        assert pooled_size(changed) == pooled_size(bundle)
        assert changed.network.layer("pool").stride == bundle.network.layer("pool").stride
        assert changed.model.conv.stride == (arguments[1],) * 2
    assert kept


@pytest.mark.parametrize("operation", [Pad((2, 2, 2, 2)), Pad((0, 1, 0, 1)), Pad((0, 0, -1, 0)), nn.ZeroPad2d(1), nn.ReflectionPad2d(1)])
def test_a_grid_behind_a_padding_of_its_own_is_refused(operation):
    """Margins are positions of the old first layer: at another stride they would be other pixels."""
    with pytest.raises(LayerError, match=r"padded by an operation of their own.*pass keep_grid=False"):
        dw.surgery.change_first_layer(between(61, operation), 7, 2)


@pytest.mark.parametrize(("padding", "words"), [(4, "7 x 7 at stride 8"), (6, "7 x 7 at stride 8")])
def test_a_grid_that_was_not_kept_is_refused_afterwards(padding, words):
    old, new = between(61, nn.Identity()), between(61, nn.Identity(), 11, 4, padding)
    assert pooled_size(old) == (6, 6)
    with pytest.raises(LayerError, match=rf"would not stay on their grid \(6 x 6 at stride 8 x 8, .*{words}"):
        check_grid(old.network.graph, new, "pool", "pool1")
    check_grid(old.network.graph, between(61, nn.Identity()), "pool", "pool1")
