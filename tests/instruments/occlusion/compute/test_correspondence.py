"""Correspondence compared with examples computed by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import LayerError, OcclusionError, PictureError
from deconvwidgets.instruments.occlusion.compute.correspondence import correspondence, random_parts
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess


def sign_splitting_bundle():
    """Return a model whose conv1 splits each pixel into relu(v) and relu(-v), and whose fc2 is the sum of all pixels."""
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1))
    with torch.no_grad():
        net[0].weight[:] = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
        net[0].bias[:] = 0.0
        net[3].weight[:] = torch.tensor([[1.0] * 4 + [-1.0] * 4])
        net[3].bias[:] = 0.0
    return ModelBundle.from_module(net.eval(), transform=Preprocess(resize=2, crop=(2, 2), mean=(0.5,), std=(0.5,)), name="signs")


def image(*rows):
    return torch.tensor([rows])


IMAGES = [image([1.0, -1.0], [2.0, 0.0]), image([3.0, 1.0], [-1.0, -2.0]), image([-1.0, -1.0], [1.0, 0.0])]
UPPER, CORNER = (0, 0, 2, 1), (0, 0, 1, 1)


def test_delta_is_the_mean_share_of_different_signs():
    # Occluding the upper row with 0 (8 components: the four of relu(v), then the four of relu(-v)):
    #   image 0 changes by (1, 0, 0, 0 | 0, 1, 0, 0), image 1 (3, 1, 0, 0 | 0, 0, 0, 0), image 2 (0, 0, 0, 0 | 1, 1, 0, 0)
    #   0 against 1: components 1 and 5 differ, 2/8; 0 against 2: 0 and 4, 2/8; 1 against 2: 0, 1, 4 and 5, 4/8
    # Occluding the corner: 0 (1, 0, ...), 1 (3, 0, ...), 2 (... | 1, ...): 0, 2/8, 2/8
    result = correspondence(sign_splitting_bundle(), IMAGES, {"upper": [UPPER] * 3, "corner": [CORNER] * 3}, "conv1")
    assert result.layers == ("conv1",)
    assert result.parts == ("upper", "corner")
    assert result.images == 3
    assert result.distances["conv1"]["upper"] == pytest.approx((2 + 2 + 4) / 8 / 3)
    assert result.distances["conv1"]["corner"] == pytest.approx((0 + 2 + 2) / 8 / 3)


def test_the_sign_of_zero_is_a_value_of_its_own():
    # fc2 is the sum of all pixels: occluding the upper row changes it by 0, 4 and -2
    parts = {"upper": [UPPER] * 3, "different": [CORNER, CORNER, UPPER]}  # it changes by 1, 3 and -2
    result = correspondence(sign_splitting_bundle(), IMAGES, parts, ["fc2", "conv1"])
    assert result.layers == ("fc2", "conv1")
    assert result.distances["fc2"]["upper"] == 1.0
    assert result.distances["fc2"]["different"] == pytest.approx(2 / 3)
    two = correspondence(sign_splitting_bundle(), IMAGES[:2], {"upper": [UPPER] * 2}, "fc2")
    assert two.distances["fc2"]["upper"] == 1.0  # 0 against +


def test_each_image_has_its_own_box():
    boxes = [(0, 0, 1, 1), (1, 0, 2, 1), (0, 1, 1, 2)]  # the changes are 1, 1 and 1, at different positions
    result = correspondence(sign_splitting_bundle(), IMAGES, {"corner": boxes}, "conv1")
    assert result.distances["conv1"]["corner"] == pytest.approx(2 / 8)


def test_the_part_is_replaced_by_the_fill():
    # with 1 instead of 0 the corner changes by (0 | 0), (2 | 0) and (-1 | 1)
    result = correspondence(sign_splitting_bundle(), IMAGES, {"corner": [CORNER] * 3}, "conv1", fill=np.ones(1, np.float32))
    assert result.distances["conv1"]["corner"] == pytest.approx((1 + 2 + 2) / 8 / 3)


def test_rounding_errors_are_not_changes():
    images = [image.clone() for image in IMAGES[:2]]
    images[0][0, 0, 0], images[1][0, 0, 0] = 1e-7, -1e-7  # below the last place of the largest value
    result = correspondence(sign_splitting_bundle(), images, {"corner": [CORNER] * 2}, "conv1")
    assert result.distances["conv1"]["corner"] == 0.0
    images[0][0, 0, 0] = 1e-4
    result = correspondence(sign_splitting_bundle(), images, {"corner": [CORNER] * 2}, "conv1")
    assert result.distances["conv1"]["corner"] == 1 / 8


def test_boxes_in_source_pixels_are_mapped_to_the_input():
    bundle = sign_splitting_bundle()
    images = [Image.fromarray(np.repeat(np.repeat(pixels, 4, 0), 4, 1)) for pixels in NOISE]  # 8 x 8: a pixel of the input is 4 wide
    source = correspondence(bundle, images, {"corner": [(4, 0, 8, 4)] * 3}, "conv1", pixels="source")
    on_input = correspondence(bundle, images, {"corner": [(1, 0, 2, 1)] * 3}, "conv1")
    assert source.distances == on_input.distances
    assert source.distances["conv1"]["corner"] > 0


NOISE = np.random.default_rng(3).integers(0, 256, (3, 2, 2), dtype=np.uint8)


def test_boxes_in_source_pixels_depend_on_the_size_of_each_image():
    wide = Preprocess(resize=2, crop=(2, 2), mean=(0.5,), std=(0.5,))
    bundle = replace(sign_splitting_bundle(), transform=wide)
    first, second = Image.fromarray(NOISE[0]), Image.fromarray(np.pad(NOISE[1], ((0, 0), (1, 1))))  # 4 x 2: the centre is the input
    shifted = correspondence(bundle, [first, second], {"corner": [(0, 0, 1, 1), (1, 0, 2, 1)]}, "conv1", pixels="source")
    plain = correspondence(bundle, [first, Image.fromarray(NOISE[1])], {"corner": [CORNER] * 2}, "conv1")
    assert shifted.distances == plain.distances
    with pytest.raises(OcclusionError, match="'corner' in image 1 lies outside the model's input of 2 x 2"):
        correspondence(bundle, [first, second], {"corner": [(0, 0, 1, 1), (3, 0, 4, 1)]}, "conv1", pixels="source")


def test_the_default_layer_is_the_last_and_image_sets_are_accepted(tiny_bundle, tiny_images):
    reports = []
    few = tiny_images.subset(range(4))
    result = correspondence(tiny_bundle, few, {"middle": [(4, 4, 12, 12)] * 4}, job=JobContext(on_progress=reports.append))
    assert result.layers == ("conv2",)
    assert 0 < result.distances["conv2"]["middle"] < 1
    assert reports[-1].finished
    alike = correspondence(tiny_bundle, tiny_images.subset([2, 3]), {"middle": [(4, 4, 12, 12)] * 2})
    assert alike.distances["conv2"]["middle"] == 0.0  # the same photograph twice


def test_random_parts_have_the_sizes_of_the_given_parts_and_are_inside_the_image():
    parts = {"eye": [(0, 0, 3, 2), (1, 1, 3, 5)], "nose": [(2, 2, 6, 6), (0, 0, 1, 1)]}
    control = random_parts(parts, (10, 20), 3)
    assert list(control) == ["random 1", "random 2", "random 3"]
    sizes = [[(box[2] - box[0], box[3] - box[1]) for box in boxes] for boxes in control.values()]
    assert sizes == [[(3, 2), (2, 4)], [(4, 4), (1, 1)], [(3, 2), (2, 4)]]
    many = random_parts(parts, (10, 20), 400)
    boxes = np.array([box for boxes in many.values() for box in boxes])
    assert boxes[:, :2].min() == 0
    assert (boxes[:, 2].max(), boxes[:, 3].max()) == (20, 10)
    assert random_parts(parts, (10, 20), 3) == control
    assert random_parts(parts, (10, 20), 3, seed=1) != control


def test_random_parts_stay_within_regions():
    regions = [(5, 2, 10, 8), (0, 0, 2, 20)]
    many = random_parts({"eye": [(0, 0, 3, 2), (1, 1, 4, 5)]}, (20, 20), 50, within=regions)
    first, second = (np.array([boxes[number] for boxes in many.values()]) for number in (0, 1))
    assert (first[:, :2].min(0).tolist(), first[:, 2:].max(0).tolist()) == ([5, 2], [10, 8])
    assert set(second[:, 0]) == {0}  # the region is narrower than the part: the box is as wide as the region
    assert set(second[:, 2]) == {2}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"images": IMAGES[:1], "parts": {"a": [CORNER]}}, OcclusionError, "at least two"),
        ({"images": []}, PictureError, "at least one"),
        ({"parts": {}}, OcclusionError, "no part to occlude"),
        ({"parts": {"nose": [CORNER]}}, OcclusionError, "'nose' has 1 boxes for 3 images"),
        ({"parts": {"nose": [CORNER, (1, 1, 1, 2), CORNER]}}, OcclusionError, "'nose' in image 1 .* left < right"),
        ({"parts": {"nose": [CORNER, CORNER, (2, 0, 4, 1)]}}, OcclusionError, "'nose' in image 2 lies outside"),
        ({"layers": "conv3"}, LayerError, "Did you mean"),
        ({"layers": []}, LayerError, "one or more layers"),
        ({"pixels": "source"}, OcclusionError, "not known for a tensor"),
        ({"pixels": "x"}, OcclusionError, "'input' or 'source', not 'x'"),
        ({"fill": "plaid"}, OcclusionError, "'gray'"),
    ],
)
def test_invalid_arguments_raise_errors(changes, error, message):
    arguments = {"images": IMAGES, "parts": {"corner": [CORNER] * 3}, "layers": "conv1"} | changes
    with pytest.raises(error, match=message):
        correspondence(sign_splitting_bundle(), **arguments)


@pytest.mark.parametrize("parts", [3, None, [CORNER], {"nose": CORNER}, {"nose": None}])
def test_values_that_are_not_parts_raise_errors(parts):
    with pytest.raises(OcclusionError, match="parts must map names to lists of boxes, one box per image"):
        random_parts(parts, (40, 40), 4)
    with pytest.raises(OcclusionError, match="parts must map names to lists of boxes"):
        correspondence(sign_splitting_bundle(), IMAGES, parts)


def test_the_public_names_are_the_functions():
    assert dw.correspondence is correspondence
    assert dw.random_parts is random_parts
    assert dw.engine.project is not None
