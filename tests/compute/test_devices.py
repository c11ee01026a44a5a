"""Copies to the device of a model."""

from __future__ import annotations

import pytest
import torch

from deconvwidgets.compute.devices import upload


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_pixels_on_a_cuda_device_are_those_of_the_cpu():
    pixels = torch.randint(0, 256, (8, 3, 64, 64), dtype=torch.uint8)
    copies = [upload(pixels + number, torch.device("cuda")) for number in range(20)]
    assert all(torch.equal(copy.cpu(), pixels + number) for number, copy in enumerate(copies))


def test_pixels_stay_where_they_are_on_the_cpu():
    pixels = torch.zeros(2)
    assert upload(pixels, torch.device("cpu")) is pixels
