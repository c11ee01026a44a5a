"""Programs of torch.export become bundles with the input size that they were exported for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import ModelError
from deconvwidgets.models.preprocess import Preprocess

SIZE = (3, 20, 20)


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )


def _exported(batch=1, **options):
    return torch.export.export(_net().eval(), (torch.rand(batch, *SIZE),), **options)


def test_a_program_is_a_bundle_of_the_size_of_its_example_inputs():
    batch = torch.rand(1, *SIZE)
    for program in (_exported(), _exported(2, dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},))):
        bundle = dw.ModelBundle.from_module(program, name="net", task=None)
        assert (bundle.input_size, bundle.name) == (SIZE, "net")
        with torch.no_grad():
            assert torch.allclose(bundle.model(batch), _net().eval()(batch), atol=1e-6)
        assert bundle.network.layer("conv1").channels == 4
    assert dw.ModelBundle.from_module(_exported(), Preprocess(24, SIZE[1:]), task=None).input_size == SIZE


def test_another_size_or_training_mode_is_refused_with_the_way_on():
    for options in ({"input_size": (3, 32, 32)}, {"transform": Preprocess(24, (24, 24))}):
        with pytest.raises(ModelError, match=r"net was exported for inputs of 3 x 20 x 20 .*, not 3 x .*pass that input_size"):
            dw.ModelBundle.from_module(_exported(), name="net", **options)
    with pytest.raises(ModelError, match=r"batches of exactly 2 images: export it with one image"):
        dw.ModelBundle.from_module(_exported(2))
    with pytest.raises(ModelError, match=r"has no evaluation mode: pass the ExportedProgram itself"):
        dw.ModelBundle.from_module(_exported().module(), input_size=SIZE)
    trained = torch.export.export(_net().train(), (torch.rand(2, *SIZE),))
    with pytest.raises(ModelError, match=r"exported in training mode \(.*export model\.eval\(\)"):
        dw.ModelBundle.from_module(trained)
