"""Outputs are recognised by what decides them, also of models that cannot be traced."""

import torch
from torch import nn

from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.prediction_digest import prediction_digest


class Untraceable(nn.Module):
    """A model whose control flow depends on the input."""

    def __init__(self, bias=0.0):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)
        nn.init.constant_(self.head.bias, bias)

    def forward(self, batch):
        maps = self.conv(batch).relu()
        pooled = maps.mean((2, 3)) if maps.sum() > 0 else maps.amax((2, 3))
        return {"logits": self.head(pooled), "twice": 2 * self.head(pooled)}


def bundle(output="logits", bias=0.0):
    torch.manual_seed(0)
    return ModelBundle.from_module(Untraceable(bias).eval(), input_size=(3, 8, 8), categories=list("abc"), output=output)


def test_every_change_of_the_outputs_is_another_digest(make_head):
    plain = bundle()
    assert plain.network.graph is None
    others = [
        plain, bundle("twice"), bundle(bias=1.0), plain.with_units({("conv", 1): 0.0}), plain.with_units({("conv", 1): 0.5}),
        *(plain.with_head(make_head(plain, "conv", 3, seed=seed)) for seed in (0, 1)),
    ]  # fmt: skip
    digests = [prediction_digest(one) for one in others]
    assert len(set(digests)) == len(others)
    assert None not in digests
    assert prediction_digest(bundle()) == digests[0]
    assert prediction_digest(plain.with_units({("conv", 1): 0.0}).with_units(None)) == digests[0]


def test_a_function_that_chooses_the_output_cannot_be_identified():
    assert prediction_digest(bundle(lambda output: output["logits"] * 3)) is None
