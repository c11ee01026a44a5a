"""Findings at the edges of what a check can see: each says what was measured, and claims no more."""

from __future__ import annotations

import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.errors import ModelError
from tests.instruments.diagnosis.planted import SmoothPhotographs, bundle_of, network

IMAGES = SmoothPhotographs(60)


@pytest.fixture(autouse=True)
def cache(own_cache):
    """Indexes are built into a folder of the test."""


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["weight", "running_mean", "running_var"])
def test_statistics_that_are_no_numbers_are_refused(part, value):
    model = network(norm=True)
    with torch.no_grad():
        if part == "weight":
            model[0].weight[4] = value
        else:
            getattr(model[1], part)[4] = value  # one of 12 channels: the median would not show it
    with pytest.raises(ModelError, match=r"channel 4 .* NaN or infinity"):
        dw.check_input(bundle_of(model), SmoothPhotographs(3), device="cpu")
