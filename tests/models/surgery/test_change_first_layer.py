"""First layers that are changed in networks whose own code does more than call modules, against plain PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn

import deconvwidgets as dw
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
