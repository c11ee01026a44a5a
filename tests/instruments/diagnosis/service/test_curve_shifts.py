"""The curves of a panel's arms: they reach the period of a stride of 16 pixels, and are those of every layer of a deep network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.diagnosis.panel_records import CURVE_SHIFTS, MARGIN, ArmSummary
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.service.worker import SynchronousExecutor
from tests.instruments.diagnosis.planted import DEEP_OUTPUTS, SIDE, SmoothPhotographs, bundle_of, deep_network


class OnGrey(SmoothPhotographs):
    """Photographs of 48 pixels on a grey ground of 192, which is 0 after normalisation."""

    def open_source(self, source: int) -> Image.Image:
        whole = Image.new("RGB", (192, 192), (128, 128, 128))
        whole.paste(super().open_source(source), (64, 64))
        return whole


def network_of_stride_16() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=4, padding=2, bias=False), nn.ReLU(), nn.MaxPool2d(4),
        nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2),
    ).eval()  # fmt: skip


def measured_arm(bundle: ModelBundle, images: ImageSet) -> ArmSummary:
    """Return the network as it is after its curves were measured."""
    service = dw.LocalModelService(bundle, images, device="cpu", worker=SynchronousExecutor())
    try:
        service.diagnosis.start()
        (arm,) = service.diagnosis.status().arms
    finally:
        service.close()
    assert arm.phase == "done", arm.problem
    return arm


@pytest.mark.parametrize("side", [128, 15])
def test_the_curves_of_an_arm_are_0_at_multiples_of_the_stride(own_cache, side):
    transform = Preprocess(resize=192, crop=(side, side), mean=(128 / 255,) * 3, std=(0.25,) * 3)
    model = network_of_stride_16()
    bundle = ModelBundle.from_module(model, transform=transform, categories=["red", "blue"], name="periodic", input_size=(3, side, side))
    arm = measured_arm(bundle, OnGrey(6))
    assert arm.curves.shifts == tuple(shift for shift in CURVE_SHIFTS if shift < side)
    assert arm.curves.strides == (4, 16, 0)  # a fully connected layer has no grid
    if side < 16:
        return
    for row, stride in enumerate(arm.curves.strides[:2]):
        for shift, change in zip(arm.curves.shifts, arm.curves.changes[row], strict=True):
            assert (change < 1e-5) == (shift % stride == 0), (stride, shift)
    assert tuple(range(max(CURVE_SHIFTS) + 1)) == CURVE_SHIFTS, "a gap of 2 would hide a layer of stride 2"
    assert max(CURVE_SHIFTS) <= MARGIN
    assert np.isfinite(arm.curves.changes).all()


def test_the_curves_of_an_arm_are_those_of_every_layer_by_a_loop_over_photographs(own_cache):
    net, images = deep_network(classes=2), SmoothPhotographs(5)
    arm = measured_arm(bundle_of(net), images)
    assert arm.curves.layers == tuple(DEEP_OUTPUTS)
    assert arm.curves.strides == (2, *(4,) * 6, *(0,) * 3)
    inputs = [moved_inputs(images.open_source(source)) for source in range(5)]
    for row, (layer, modules) in enumerate(DEEP_OUTPUTS.items()):
        changes = []
        for batch in inputs:
            with torch.no_grad():
                maxima = net[:modules](batch)
            maxima = maxima.flatten(2).amax(dim=2) if maxima.dim() == 4 else maxima
            active = maxima[:, maxima[0] > 0]
            changes.append(((active - active[0]).abs() / active[0]).numpy())
        expected = np.median(np.concatenate(changes, axis=1), axis=1)
        np.testing.assert_allclose(arm.curves.changes[row], expected, rtol=1e-3, atol=1e-5, err_msg=layer)
    assert arm.curves.units.layer == "conv7"  # the deepest feature map, which the finding is about


def moved_inputs(image: Image.Image) -> torch.Tensor:
    """Return the inputs (17, 3, SIDE, SIDE) of a photograph that is moved to the right by 0 to 16 pixels, with its edge repeated."""
    pixels = np.asarray(image.resize((40, 40), Image.Resampling.BILINEAR), np.float32)[4 : 4 + SIDE]
    moved = [pixels[:, np.clip(np.arange(4, 4 + SIDE) - right, 0, 39)] for right in CURVE_SHIFTS]
    return ((torch.from_numpy(np.stack(moved)) / 255 - 0.5) / 0.25).permute(0, 3, 1, 2)
