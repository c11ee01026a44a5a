"""Faithfulness of projections compared with examples computed by hand, and with a literal computation."""

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import LayerError, OcclusionError, PictureError, RuleError
from deconvwidgets.instruments.occlusion.compute.faithfulness import projection_faithfulness
from deconvwidgets.instruments.occlusion.part_records import Faithfulness


def light_detector():
    """Return a model whose unit 0 is the sum of 3 x 3 pixels and whose unit 1 is the sum with the opposite sign, rectified."""
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    with torch.no_grad():
        net[0].weight[0], net[0].weight[1] = 1.0, -1.0
        net[0].bias[:] = 0.0
    return dw.ModelBundle.from_module(net.double().eval(), transform=lambda image: None, input_size=(1, 20, 24), name="light")


def image_with(*blobs):
    image = torch.zeros(1, 20, 24, dtype=torch.float64)
    for top, left, value in blobs:
        image[:, top : top + 3, left : left + 3] = value
    return image


def test_the_region_of_the_strongest_activation_is_found_and_its_drop_measured():
    images = [image_with((4, 6, 1.0)), image_with((10, 15, 1.0), (2, 2, 0.5)), image_with((0, 21, 2.0), (17, 0, 1.5))]
    report = projection_faithfulness(light_detector(), images, "conv1", window=3)
    assert report.units.tolist() == [0, 0, 0]
    assert report.activity.tolist() == [9.0, 9.0, 18.0]
    assert report.boxes.tolist() == [[6, 4, 9, 7], [15, 10, 18, 13], [21, 0, 24, 3]]
    assert report.drop.tolist() == [1.0, 0.5, 0.25]  # the next blob remains
    assert report.elsewhere.tolist() == [0.0, 0.0, 0.0]
    assert report.share == 1.0
    assert report.layer == "conv1"


def test_an_inactive_unit_has_no_drop_and_is_left_out():
    images = [image_with((4, 6, 1.0)), image_with((4, 6, -1.0))]
    report = projection_faithfulness(light_detector(), images, "conv1", units=1, window=3)
    assert np.isnan(report.drop[0])
    assert np.isnan(report.elsewhere[0])
    assert report.drop[1] == 1.0
    assert report.share == 1.0
    report = projection_faithfulness(light_detector(), images, "conv1", units=[0, 1], window=3)
    assert report.units.tolist() == [0, 1]
    assert report.drop.tolist() == [1.0, 1.0]
    inactive = projection_faithfulness(light_detector(), images[:1], "conv1", units=[1], window=3)
    assert np.isnan(inactive.share)


def test_a_unit_with_negative_values_only_is_inactive(tiny_bundle):
    report = projection_faithfulness(tiny_bundle, torch.randn(3, 16, 16), "conv2", units=1, window=4)  # its bias is -5
    assert report.activity[0] < 0
    assert np.isnan([report.drop[0], report.elsewhere[0], report.share]).all()


def test_share_is_the_share_of_images_with_a_larger_drop_than_elsewhere():
    arrays = {"units": np.zeros(4, np.int64), "activity": np.ones(4, np.float32), "boxes": np.zeros((4, 4), np.int64)}
    drop, elsewhere = np.float32([0.5, 0.1, np.nan, 0.2]), np.float32([0.1, 0.3, np.nan, 0.2])
    assert Faithfulness(layer="conv1", drop=drop, elsewhere=elsewhere, **arrays).share == pytest.approx(1 / 3)


def test_windows_elsewhere_do_not_overlap_the_region():
    """A window that overlapped the only blob would reduce the activation."""
    image = image_with((8, 10, 5.0))
    for seed in range(6):
        report = projection_faithfulness(light_detector(), [image], "conv1", window=(3, 3), elsewhere=40, seed=seed)
        assert report.boxes.tolist() == [[10, 8, 13, 11]]
        assert report.elsewhere[0] == 0.0


def literal(bundle, pixels, layer, unit, window, boxes):
    """Return the energy of each window and the drop for each box, computed by loops."""
    projection = dw.engine.project(bundle.model, pixels[None], layer, unit=unit).full(16, 16)[0]
    energy = {}
    for top in range(16 - window[0] + 1):
        for left in range(16 - window[1] + 1):
            part = projection[:, top : top + window[0], left : left + window[1]]
            energy[left, top, left + window[1], top + window[0]] = float((part**2).sum())
    network = dw.engine.Network.of(bundle.model, (3, 16, 16))

    def peak(image):
        with torch.no_grad():
            return float(network.map(image[None], layer)[0, unit].max())

    drops = []
    for left, top, right, bottom in boxes:
        occluded = pixels.clone()
        occluded[:, top:bottom, left:right] = 0.0
        drops.append((peak(pixels) - peak(occluded)) / peak(pixels))
    return energy, drops


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_faithfulness_equals_the_literal_computation(tiny_bundle, layer):
    for seed in range(4):
        pixels = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(seed))
        report = projection_faithfulness(tiny_bundle, pixels, layer, window=(4, 6), elsewhere=10_000)
        unit = int(report.units[0])
        box = left, top, right, bottom = tuple(report.boxes[0].tolist())
        every = [(x, y, x + 6, y + 4) for y in range(13) for x in range(11)]
        apart = [other for other in every if other[2] <= left or other[0] >= right or other[3] <= top or other[1] >= bottom]
        energy, drops = literal(tiny_bundle, pixels, layer, unit, (4, 6), [box, *apart])
        assert energy[box] == pytest.approx(max(energy.values()), rel=1e-6)
        assert report.drop[0] == pytest.approx(drops[0], abs=1e-5)
        assert report.elsewhere[0] == pytest.approx(np.mean(drops[1:]), abs=1e-5)
        maxima = dw.engine.Network.of(tiny_bundle.model, (3, 16, 16)).map(pixels[None], layer)[0].detach().amax((1, 2))
        assert unit == int(maxima.argmax())
        assert report.activity[0] == pytest.approx(float(maxima.max()), rel=1e-6)


def test_a_region_smaller_than_the_window_is_in_its_centre():
    report = projection_faithfulness(light_detector(), [image_with((8, 10, 5.0))], "conv1", window=(7, 5))
    assert report.boxes.tolist() == [[9, 6, 14, 13]]


def test_the_defaults_are_the_last_layer_and_a_window_in_proportion_to_the_input(tiny_bundle):
    pixels = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(1))
    report = projection_faithfulness(tiny_bundle, pixels)
    assert report.layer == "conv2"
    left, top, right, bottom = report.boxes[0].tolist()
    assert (right - left, bottom - top) == (3, 3)
    same = projection_faithfulness(tiny_bundle, pixels, "conv2", window=3)
    np.testing.assert_array_equal(same.drop, report.drop)


def test_energy_is_the_sum_of_squares():
    bundle = light_detector()
    with torch.no_grad():  # one pixel of 2 has more energy than two of 1.2
        bundle.model[0].weight[0, 0] = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.2, 1.2]])
    report = projection_faithfulness(bundle, torch.ones(1, 20, 24), "conv1", units=0, window=(1, 2))
    assert report.boxes.tolist() == [[0, 0, 2, 1]]


def test_the_result_depends_on_the_seed_only(tiny_bundle, tiny_images):
    reports = []
    first = projection_faithfulness(tiny_bundle, tiny_images, "conv2", window=5, elsewhere=3, job=JobContext(on_progress=reports.append))
    repeated = projection_faithfulness(tiny_bundle, tiny_images, "conv2", window=5, elsewhere=3)
    other = projection_faithfulness(tiny_bundle, tiny_images, "conv2", window=5, elsewhere=3, seed=1)
    assert len(first.units) == tiny_images.source_count
    assert reports[-1].finished
    np.testing.assert_array_equal(first.elsewhere, repeated.elsewhere)
    np.testing.assert_array_equal(first.drop, other.drop)
    assert not np.array_equal(first.elsewhere, other.elsewhere)
    assert first.share > 0.8


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"window": 13}, OcclusionError, "leaves no space for another"),
        ({"window": 17}, OcclusionError, "larger than the image"),
        ({"layer": "conv7", "window": 48}, LayerError, "Did you mean"),  # the layer is checked first: both may belong to another model
        ({"memory_limit": -1}, OcclusionError, "at least 1.*not -1"),
        ({"elsewhere": 0}, OcclusionError, "at least 1"),
        ({"units": 4}, LayerError, "units, 0 to 3"),
        ({"units": [0, 1]}, LayerError, "one for each of the 1 images"),
        ({"units": 0.5}, LayerError, "number of one unit"),
        ({"layer": "conv7"}, LayerError, "Did you mean"),
        ({"images": []}, PictureError, "at least one"),
    ],
)
def test_invalid_arguments_raise_errors(tiny_bundle, changes, error, message):
    arguments = {"images": [torch.randn(3, 16, 16)], "layer": "conv1", "window": 4} | changes
    with pytest.raises(error, match=message):
        projection_faithfulness(tiny_bundle, **arguments)


def test_an_operation_without_a_backward_rule_raises_an_error():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Conv2d(4, 4, 3)).eval()
    bundle = dw.ModelBundle.from_module(net, input_size=(3, 16, 16))
    with pytest.raises(RuleError, match="silu"):
        projection_faithfulness(bundle, torch.randn(3, 16, 16), "conv2", window=4)


def test_the_public_name_is_the_function():
    assert dw.projection_faithfulness is projection_faithfulness
