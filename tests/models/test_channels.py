"""Inputs that are no gray or colour images: of many channels some are displayed, signals and volumes are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets import display
from deconvwidgets.display import decode_image
from deconvwidgets.errors import ModelError
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.records.mosaics import MosaicRequest
from deconvwidgets.service.worker import SynchronousExecutor
from tests.conftest import NoisePhotographs
from tests.models.bands import SIZE, bands_of, make_bands_bundle

CHOICES = [(4, None), (4, (3, 2, 1)), (4, (3,)), (12, (11, 0, 5)), (2, None)]


def shown(channels, chosen):
    """The channels that are displayed: the chosen ones, else the first three, else the first."""
    return chosen or ((0, 1, 2) if channels > 2 else (0,))


def stretched(values):
    """Values (channels, H, W) as an image, from their minimum to their maximum."""
    low, high = values.min(), values.max()
    image = np.rint((values - low) / (high - low) * 255)
    return np.moveaxis(np.broadcast_to(image, (3, *image.shape[1:])), 0, -1)


@pytest.mark.parametrize(("channels", "chosen"), CHOICES)
def test_pictures_show_the_chosen_channels(channels, chosen):
    bundle = make_bands_bundle(channels, chosen)
    assert bundle.display_channels == shown(channels, chosen)
    pixels = bundle.prepare(NoisePhotographs(1 + 3).open_source(0))
    expected = stretched(pixels.numpy()[list(shown(channels, chosen))])
    np.testing.assert_allclose(bundle.to_picture(pixels).astype(float), expected, atol=1)


def test_the_default_choice_is_noted():
    (note,) = make_bands_bundle(4).notes
    assert note.startswith("Of the 4 input channels, channels 0, 1 and 2 are shown as red, green and blue.")
    assert "display_channels" in note
    assert "channel 0 is shown in gray" in make_bands_bundle(2).notes[0]
    assert make_bands_bundle(4, (3, 2, 1)).notes == ()


def test_known_transforms_are_displayed_by_chosen_channels(tiny_bundle, noise_image):
    pixels = tiny_bundle.prepare(noise_image())
    usual = tiny_bundle.to_picture(pixels)
    for chosen, expected in (((2, 1, 0), usual[..., ::-1]), ((1,), np.repeat(usual[..., 1:2], 3, axis=-1)), ((0, 1, 2), usual)):
        bundle = dw.ModelBundle.from_module(tiny_bundle.model, tiny_bundle.transform, display_channels=chosen)
        np.testing.assert_array_equal(bundle.to_picture(pixels), expected)
    net = nn.Conv2d(1, 1, 3).eval()
    gray = dw.ModelBundle.from_module(net, input_size=(1, 16, 16))
    assert gray.display_channels == (0,)
    assert gray.to_picture(gray.prepare(noise_image())).shape == (16, 16, 3)


@pytest.mark.parametrize(
    "chosen", [(0, 1), (0, 1, 4), (-1, 0, 1), (0.0, 1.0, 2.0), (True, False, True), 1, "rgb", (), (0, 1, 2, 3), [[0, 1, 2]]]
)
def test_other_choices_are_refused(chosen):
    with pytest.raises(ModelError, match=r"display_channels must be three channels, .*, or one, .* from 0 to 3"):
        make_bands_bundle(4, chosen)


@pytest.mark.parametrize(("channels", "chosen"), CHOICES)
def test_projections_and_occlusion_have_all_channels(channels, chosen):
    bundle, photograph = make_bands_bundle(channels, chosen), NoisePhotographs(4).open_source(0)
    projection = dw.project(bundle, photograph, "conv2", unit=1)
    assert projection.pixels.shape[1] == channels
    # The gradient of the activation, by autograd: the projection of the rule "gradient" for a signal of 1
    batch = bundle.prepare(photograph)[None].requires_grad_()
    bundle.model[:4](batch)[0, 1].max().backward()
    gradient = dw.project(bundle, photograph, "conv2", unit=1, rule="gradient", method="full", seed=1.0)
    left, top, right, bottom = gradient.boxes[0]
    expected = batch.grad[0, :, max(top, 0) : bottom, max(left, 0) : right].numpy()
    got = gradient.pixels[0][:, max(-top, 0) :, max(-left, 0) :][:, : expected.shape[1], : expected.shape[2]]
    np.testing.assert_allclose(got, expected, atol=1e-6)
    maps = dw.occlude(bundle, photograph, window=6, stride=5)
    occluded = bundle.prepare(photograph).clone()
    occluded[:, 5:11, 5:11] = 0
    logits = bundle.model(occluded[None])[0]
    assert maps.probability[1, 1] == pytest.approx(float(logits.softmax(0)[maps.target]), rel=1e-4)


@pytest.fixture(params=CHOICES, ids=str)
def service(request, tmp_path, monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path))
    service = dw.LocalModelService(make_bands_bundle(*request.param), NoisePhotographs(6), device="cpu", worker=SynchronousExecutor())
    service.chosen = shown(*request.param)
    yield service
    service.close()


@pytest.mark.slow
def test_the_layer_explorer_shows_the_chosen_channels(service):
    bundle, chosen = service._context.snapshot.bundle, list(service.chosen)
    images = service._context.snapshot.images
    top = service.index.top("conv2", 1)[0]
    pixels = bundle.prepare(images.open_crop(top.image))
    projections, patches = service.layers.mosaics(MosaicRequest("conv2", 1, tile=32))
    projected = dw.engine.project(bundle.network, pixels[None], "conv2", unit=1, at=[[top.row, top.column]])
    tile = display.projection_to_rgb(projected.pixels[0].numpy()[chosen], 32)
    assert np.abs(decode_image(projections.data)[:32, :32].astype(float) - tile).mean() < 3  # JPEG
    patch = display.crop_patch(stretched(pixels.numpy()[chosen]).astype(np.uint8), top.box)
    shown_patch = decode_image(patches.data)[:32, :32].astype(float)
    assert np.abs(shown_patch - display.resize_image(patch, 32)).mean() < 12  # JPEG
    with dw.LayerExplorer(service, layer="conv2", state={"unit": 1}) as explorer:
        assert explorer._static_image()
        for kind in ("unit.svg", "unit.html", "layer.png"):
            assert service.layers.figure(kind, explorer.state)


@pytest.mark.slow
def test_the_occlusion_explorer_shows_the_chosen_channels(service):
    bundle, chosen = service._context.snapshot.bundle, list(service.chosen)
    pixels = bundle.prepare(service._context.snapshot.images.open_crop(0)).numpy()[chosen]
    with dw.OcclusionExplorer(service, 0, state={"layer": "conv2", "unit": 1, "window": 6, "stride": 5}) as explorer:
        scene = service.occlusion.scene(OcclusionRequest("crop:0", "conv2", 1))
        with_fill = np.concatenate([pixels, np.zeros_like(pixels)], axis=2)  # both are stretched together
        np.testing.assert_allclose(decode_image(scene.image.data).astype(float), stretched(with_fill)[:, :SIZE], atol=1)
        for own in service.occlusion.projections(OcclusionRequest("crop:0", "conv2", 1), 64):
            gray = np.ptp(decode_image(own.projection.data).astype(int), axis=-1).max() == 0
            assert gray == (len(chosen) == 1)
        assert explorer.maps.complete
        for kind in ("figure.png", "figure.svg", "figure.html"):
            assert service.occlusion.file(kind, OcclusionRequest("crop:0", "conv2", 1), explorer._run, explorer.state)
    run = service.occlusion.start_maps(OcclusionRequest("crop:0"), MapsSettings((4, 4), (4, 4)))
    assert service.occlusion.wait(run).complete
    assert any("input channels" in note for note in service.overview().notes) == (bundle.notes != ())


def test_bands_can_be_passed_as_a_normalised_input():
    bundle = make_bands_bundle(4)
    pixels = bands_of(4)(NoisePhotographs(4).open_source(0))
    from_image = dw.occlude(bundle, NoisePhotographs(4).open_source(0), 6, 5)
    np.testing.assert_array_equal(dw.occlude(bundle, pixels, 6, 5).activity, from_image.activity)


def test_a_transform_of_many_channels_is_no_preprocess():
    for mean, std in (((0.5,) * 4, (0.5,) * 4), ((0.5,) * 3, (0.5,)), ((), ())):
        with pytest.raises(ModelError, match="1 or 3 channels"):
            Preprocess(mean=mean, std=std)


SIGNALS = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 4, 3), nn.ReLU()).eval()
VOLUMES = nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(4, 4, 3), nn.ReLU()).eval()


@pytest.mark.parametrize(
    ("net", "batch", "sizes", "message"),
    [
        (SIGNALS, torch.rand(2, 2, 64), ((2, 64), (2, 1, 64)), "1-D signal"),
        (VOLUMES, torch.rand(2, 1, 16, 16, 16), ((1, 16, 16, 16), (1, 16, 16)), "volume"),
    ],
)
def test_signals_and_volumes_are_refused_by_name(net, batch, sizes, message):
    for size in sizes:
        with pytest.raises(ModelError, match=f"{message}.*[Oo]nly.* images"):
            dw.ModelBundle.from_module(net, lambda image: image, input_size=size)
        with pytest.raises(ModelError, match=f"{message}.*[Oo]nly.* images" if len(size) != 3 else message):
            dw.ModelBundle.from_module(nn.Conv2d(1, 1, 1).eval() if len(size) != 3 else net, lambda image: image, input_size=size)
    with pytest.raises(ModelError, match=f"[Oo]nly images.*{message}"):
        dw.engine.project(net, batch, "1", unit=0)
    with pytest.raises(ModelError, match=message):  # PyTorch would read four dimensions as one volume
        dw.engine.project(net, torch.rand(1, 12, 12, 12), "1", unit=0)


def test_a_conv2d_model_with_conv1d_attention_is_accepted():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.maps, self.weights = nn.Conv2d(3, 4, 3), nn.Conv1d(1, 1, 3, padding=1)

        def forward(self, x):
            maps = self.maps(x).relu()
            return maps * self.weights(maps.mean((2, 3))[:, None])[:, 0, :, None, None].sigmoid()

    bundle = dw.ModelBundle.from_module(Attention().eval(), input_size=(3, 16, 16))
    assert dw.project(bundle, Image.new("RGB", (16, 16), "red"), "maps", unit=0).pixels.shape[1] == 3


def test_one_image_without_a_batch_dimension_is_told_the_way_on():
    with pytest.raises(ModelError, match=r"batch\[None\]"):
        dw.engine.project(nn.Conv2d(3, 4, 3).eval(), torch.rand(3, 16, 16), "conv1", unit=0)
