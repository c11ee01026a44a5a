"""Modules that are put after others: parameters keep their names, or the layer is refused."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import LayerError
from tests.models.surgery.networks import assert_counts_add_up, batch, bundle_of, count_of, outputs


class Block(nn.Module):
    """A residual block whose last rectifier is called twice, so that the output of the block is that of no module without parameters."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.relu = nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU()

    def forward(self, x):
        return self.relu(x + self.two(self.relu(self.one(x))))


def network(*layers):
    torch.manual_seed(0)
    return bundle_of(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)).double())


@pytest.mark.parametrize(
    ("layers", "name"),
    [([nn.ReLU(), Block()], "2"), ([nn.BatchNorm2d(6)], "conv1"), ([nn.PReLU(6)], "conv1")],
    ids=["block", "batch norm", "prelu"],
)
def test_response_norm_is_not_put_after_a_module_whose_parameters_would_get_other_names(layers, name):
    with pytest.raises(LayerError, match="without parameters, so nothing can be put after it"):
        dw.surgery.insert_normalization(network(nn.Conv2d(3, 6, 3, padding=1), *layers), name, "response_norm")


def test_response_norm_stands_after_a_convolution_without_batch_norm():
    bundle = network(nn.Conv2d(3, 6, 3, padding=1), nn.MaxPool2d(2), Block())
    changed = dw.surgery.insert_normalization(bundle, "conv1", "response_norm")
    conv, pool, block, *_, fc = bundle.model
    maps = F.local_response_norm(conv(batch()), 5, 5e-4, 0.75, 2.0)
    assert torch.allclose(outputs(changed), fc(block(pool(maps)).mean((2, 3))))
    assert count_of(changed) == count_of(bundle)
    assert_counts_add_up(bundle, changed)


def test_a_blur_is_not_put_after_a_rectifier_whose_parameters_would_get_other_names():
    bundle = network(nn.Conv2d(3, 6, 3, stride=2), nn.PReLU(6))
    with pytest.raises(LayerError, match="has parameters, so no blur"):
        dw.surgery.blur_strides(bundle)
