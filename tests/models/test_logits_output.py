"""A model whose output is an object with logits becomes one that returns the logits, with the same layers."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from deconvwidgets.engine import Network
from deconvwidgets.errors import ModelError
from deconvwidgets.models.logits_output import LogitsOutput


class Classifier(nn.Module):
    def __init__(self, name="logits"):
        super().__init__()
        self.name = name
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        return SimpleNamespace(**{self.name: self.head(self.features(x).mean((2, 3)))})


@pytest.fixture
def batch():
    return torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def test_it_returns_the_logits_and_keeps_the_layers(batch):
    original = Classifier().eval()
    model = LogitsOutput(original)
    assert not model.training
    assert torch.equal(model(batch), original(batch).logits)
    names = [name for name, _ in original.named_modules()]
    assert [name for name, _ in model.named_modules()] == names
    assert list(model.state_dict()) == list(original.state_dict())
    assert [info.name for info in Network.of(model, (3, 12, 12)).feature_map_layers] == ["features.2"]


def test_original_and_copy_stay_complete_when_one_is_moved(batch):
    original = Classifier().eval()
    model = LogitsOutput(original)
    copied = copy.deepcopy(model)
    model.double()
    assert original(batch.double()).logits.dtype == torch.float64
    assert copied(batch).dtype == torch.float32
    assert torch.allclose(copied(batch).double(), model(batch.double()), atol=1e-6)


def test_an_output_without_logits_is_refused(batch):
    with pytest.raises(ModelError, match=r"Classifier returns a SimpleNamespace without logits"):
        LogitsOutput(Classifier("embedding").eval())(batch)
