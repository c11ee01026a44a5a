"""Blurred pooling and strides against NumPy and the literal deconvnet."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import deconvwidgets as dw
from deconvwidgets.engine import Network, project
from deconvwidgets.engine.blur import Blur
from deconvwidgets.engine.occlusion.occluded_image import OccludedImage
from deconvwidgets.engine.occlusion.patches import PatchSet
from deconvwidgets.errors import LayerError, ModelError
from deconvwidgets.models.surgery.modules import BlurPool2d
from tests.engine.projection import literal_deconvnet as literal
from tests.engine.projection.literal_to_torch import to_torch
from tests.models.surgery.networks import SIZE, assert_counts_add_up, batch, bundle_of, odd, outputs, plain, shared, shared_residual


def dense(maps, kernel, padding, dilation=1, shape=(0, 0)):
    """Maxima at every position of maps (C, H, W), by loops; at least at as many as `shape`."""
    channels, height, width = maps.shape
    reach = dilation * (kernel - 1)
    found = np.full((channels, max(height + 2 * padding - reach, shape[0]), max(width + 2 * padding - reach, shape[1])), -np.inf)
    for row in range(found.shape[1]):
        for column in range(found.shape[2]):
            for i in range(kernel):
                for j in range(kernel):
                    r, c = row - padding + i * dilation, column - padding + j * dilation
                    if 0 <= r < height and 0 <= c < width:
                        found[:, row, column] = np.maximum(found[:, row, column], maps[:, r, c])
    return found


def blurred(maps, stride):
    """[1, 2, 1] / 4 with repeated borders for a stride of 2, and the triangle inside for others; nan where it passes the border."""
    taps = np.convolve(np.ones(stride), np.ones(stride)) / stride**2
    for axis in (1, 2):
        length = maps.shape[axis]
        rows = []
        for centre in range(0, length, stride):
            places = [centre + offset for offset in range(-stride + 1, stride)]
            inside = all(0 <= place < length for place in places)
            values = [np.take(maps, min(max(place, 0), length - 1), axis) * tap for place, tap in zip(places, taps, strict=True)]
            rows.append(sum(values) if inside or stride == 2 else np.full_like(values[0], np.nan))
        maps = np.stack(rows, axis)
    return maps


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 3), st.integers(1, 4), st.integers(0, 1), st.booleans(), st.integers(7, 12), st.integers(7, 12), st.integers(1, 2)
)  # fmt: skip
def test_blurred_pooling_is_that_of_numpy(stride, kernel, padding, ceil, height, width, dilation):
    padding = min(padding, kernel // 2)
    maps = torch.rand(1, 2, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(height * width))
    pooled = nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil)(maps)
    found = BlurPool2d("max", (kernel,) * 2, (stride,) * 2, (padding,) * 2, (dilation,) * 2, ceil)(maps)
    assert found.shape == pooled.shape
    last = [(count - 1) * stride + 1 for count in pooled.shape[2:]]
    expected = blurred(dense(maps[0].numpy(), kernel, padding, dilation, last), stride)
    known = np.isfinite(expected)
    assert known.any() or stride == 3
    np.testing.assert_allclose(found[0].numpy()[known], expected[known], atol=1e-12)


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 2), (4, 4), (5, 1)])
def test_a_blur_keeps_constants_and_removes_what_aliases_to_one(stride):
    blur = Blur(stride)
    constant = torch.ones(1, 1, 12, 13)
    assert torch.allclose(blur(constant), torch.ones(()))
    assert blur(constant).shape[2:] == (-(-12 // stride[0]), -(-13 // stride[1]))
    for axis, step in zip((2, 3), stride, strict=True):
        for period in range(1, step):
            shape = [1, 1, 1, 1]
            shape[axis] = 40
            wave = torch.cos(2 * torch.pi * torch.arange(40) * period / step).reshape(shape).expand(1, 1, 40, 40)
            inside = blur(wave)[:, :, 2:-2, 2:-2]
            assert float(inside.abs().max()) < 1e-5


def literal_network(random, padding, blurred_pool):
    pooling = (
        [literal.MaxPool(3, 1, padding), literal.AvgPool(2, 1, 1, False, False), literal.AvgPool(2, 2, 0, False, False)]
        if blurred_pool
        else [literal.MaxPool(3, 2, padding)]
    )
    first = literal.Conv(random.normal(size=(4, 3, 3, 3)), random.normal(size=4), 1, 1)
    second = literal.Conv(random.normal(size=(5, 4, 3, 3)), random.normal(size=5), 1, 1)
    return literal.Chain([first, literal.Rectifier(), *pooling, second, literal.Rectifier()])


@pytest.mark.parametrize(("padding", "rule"), [(0, "deconvnet"), (1, "deconvnet"), (1, "gradient")])
def test_projections_through_blurred_pooling_are_those_of_the_literal_deconvnet(padding, rule):
    step = literal_network(np.random.default_rng(4), padding, blurred_pool=True)
    net = to_torch(literal_network(np.random.default_rng(4), padding, blurred_pool=False))
    bundle = dw.ModelBundle.from_module(net, input_size=(3, 20, 23), name="net", task=None)
    swapped = dw.surgery.swap_pooling(bundle)
    image = torch.rand(1, 3, 20, 23, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    network = swapped.network
    maps = network.map(image, "conv2")[0]
    for unit, row, column in ((0, 0, 0), (2, 4, 5), (4, maps.shape[1] - 1, maps.shape[2] - 1)):
        expected = literal.project(step, image[0].numpy(), unit, row, column, rule)
        for method in ("full", "local"):
            found = project(network, image, "conv2", unit=unit, at=(row, column), rule=rule, method=method)
            whole = np.zeros((3, 20, 23))
            left, top, right, bottom = (int(edge) for edge in found.boxes[0])
            rows, columns = range(max(top, 0), min(bottom, 20)), range(max(left, 0), min(right, 23))
            pixels = np.asarray(found.pixels[0])
            for r in rows:
                for c in columns:
                    whole[:, r, c] = pixels[:, r - top, c - left]
            np.testing.assert_allclose(whole, expected, atol=1e-6 * max(1.0, np.abs(expected).max()), err_msg=f"{method} {unit}")


@pytest.mark.parametrize("operation", ["swap_pooling", "blur_strides"])
def test_incremental_occlusion_is_that_of_occluded_images(operation):
    net = plain(pool=lambda: nn.MaxPool2d(3, 2, ceil_mode=True), conv=lambda: nn.Conv2d(3, 6, 3, stride=2, padding=1))
    changed = getattr(dw.surgery, operation)(net)
    image = batch(1)
    patches: list[PatchSet] = [[(column, row, column + 5, row + 6)] for row in (-2, 0, 9, 22) for column in (-3, 4, 25)]
    fill = torch.zeros(3, 1, 1, dtype=torch.float64)
    found = OccludedImage(Network.of(changed.model, SIZE), image, fill, "conv3", 1, method="incremental").run(patches)
    occluded = image.repeat(len(patches), 1, 1, 1)
    for number, ((left, top, right, bottom),) in enumerate(patches):
        occluded[number, :, max(top, 0) : bottom, max(left, 0) : right] = 0
    assert torch.allclose(found.logits, outputs(changed, occluded), atol=1e-9)
    assert torch.allclose(found.maps, changed.network.map(occluded, "conv3")[:, 1], atol=1e-9)


@pytest.mark.parametrize("kind", ["blur", "average", "max"])
def test_maps_keep_their_sizes_names_and_parameters(kind):
    bundle = plain(pool=lambda: nn.AvgPool2d(3, 2)) if kind == "max" else shared()
    swapped = dw.surgery.swap_pooling(bundle, to=kind)
    for before, after in zip(bundle.network.layers, swapped.network.layers, strict=True):
        assert (before.name, before.alias, before.channels, before.height, before.width, before.stride) == (
            after.name, after.alias, after.channels, after.height, after.width, after.stride,
        )  # fmt: skip
    assert not torch.equal(outputs(bundle), outputs(swapped))
    assert_counts_add_up(bundle, swapped)
    assert swapped.surgery[0].counts[1:] == (0, 0)
    assert dw.surgery.undo(swapped) is bundle


def test_swapping_back_gives_the_same_network():
    bundle = shared()
    back = dw.surgery.swap_pooling(dw.surgery.swap_pooling(bundle), to="max")
    assert torch.equal(outputs(back), outputs(bundle))
    assert [step.label for step in back.surgery] == ["blurred pooling", "max pooling"]
    assert back.label == "net (blurred pooling, max pooling)"
    assert bundle.surgery == ()


def test_average_pooling_is_torchs_own():
    bundle = shared()
    swapped = dw.surgery.swap_pooling(bundle, "pool1", to="average")
    net = nn.Sequential(*[nn.AvgPool2d(3, 2) if number == 2 else module for number, module in enumerate(bundle.model)])
    assert torch.equal(outputs(swapped), net(batch()))


@pytest.mark.parametrize("counted", [False, True])
def test_blurred_average_pooling_divides_as_the_pooling_did(counted):
    maps = torch.rand(1, 3, 9, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.AvgPool2d(3, 2, 1, count_include_pad=counted)).double()
    bundle = dw.ModelBundle.from_module(net.eval(), input_size=(3, 9, 10), name="net", task=None)
    pooled = dw.surgery.swap_pooling(bundle).model[1](maps)
    padded = np.pad(maps[0].numpy(), ((0, 0), (1, 1), (1, 1)))
    inside = np.pad(np.ones((9, 10)), 1)
    sums, counts = (sum(one[..., i : i + 9, j : j + 10] for i in range(3) for j in range(3)) for one in (padded, inside))
    np.testing.assert_allclose(pooled[0].numpy(), blurred(sums / (9 if counted else counts), 2), atol=1e-12)


def test_a_blurred_stride_is_a_dense_convolution_that_is_blurred():
    bundle = plain(conv=lambda: nn.Conv2d(3, 6, 5, stride=2, padding=1))
    changed = dw.surgery.blur_strides(bundle)
    first = bundle.model[0]
    maps = torch.relu(torch.nn.functional.conv2d(batch(1), first.weight, first.bias, 1, 1))
    expected = torch.from_numpy(blurred(maps[0].detach().numpy(), 2))
    assert torch.allclose(changed.network.map(batch(1), "conv1")[0], expected, atol=1e-12)
    assert changed.surgery[0].description.endswith("with a stride of 2 (Zhang 2019).")
    uneven = dw.surgery.blur_strides(plain(conv=lambda: nn.Conv2d(3, 6, 5, stride=(1, 2), padding=1)))
    assert uneven.surgery[0].description.endswith("with a stride of 1 x 2 (Zhang 2019).")
    assert changed.network.layer("conv1").height == bundle.network.layer("conv1").height
    assert changed.network.layer("conv1").stride == (2, 2)
    assert dict(changed.model.named_parameters()).keys() == dict(bundle.model.named_parameters()).keys()


def test_a_stride_without_rectifier_is_blurred_behind_the_convolution():
    conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    bundle = bundle_of(nn.Sequential(conv, nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 13 * 15, 4)).double())
    changed = dw.surgery.blur_strides(bundle, "conv1")
    maps = torch.nn.functional.conv2d(batch(1), conv.weight, conv.bias, 1, 1)
    expected = blurred((bundle.model[1](maps))[0].detach().numpy(), 2)
    np.testing.assert_allclose(changed.network.map(batch(1), "conv1")[0].detach().numpy(), expected, atol=1e-12)


def test_a_shifted_image_changes_less_where_pooling_is_blurred():
    bundle = shared()
    swapped = dw.surgery.swap_pooling(bundle)
    smooth = torch.nn.functional.interpolate(batch(8)[:, :, :9, :9], size=(30, 33), mode="bicubic")
    change = []
    for one in (bundle, swapped):
        maps = [one.network.map(smooth[:, :, 2 : 2 + SIZE[1], 2 + shift : 2 + shift + SIZE[2]], "pool1").detach() for shift in (0, 1)]
        change.append(float((maps[0] - maps[1])[..., 1:-1].norm() / maps[0].norm()))
    assert change[1] < change[0]


@pytest.mark.parametrize(
    ("bundle", "arguments", "message"),
    [
        (shared, {"layers": "conv1"}, "conv1 of net is not the output of a module"),
        (shared, {"layers": "conv9"}, "no layer 'conv9'"),
        (shared, {"to": "max"}, "no pooling layers"),
        (shared, {"to": "mean"}, "to 'mean'"),
        (lambda: odd("pool"), {}, "pools by max_pool2d"),
        (lambda: plain(pool=lambda: nn.AvgPool2d(3, 2, ceil_mode=True)), {}, "ceil_mode"),
        (lambda: shared().with_units({("conv1", 0): 0.0}), {}, "with_units"),
    ],
)
def test_what_cannot_be_swapped_is_refused_by_name(bundle, arguments, message):
    with pytest.raises((LayerError, ModelError), match=message):
        dw.surgery.swap_pooling(bundle(), **arguments)


@pytest.mark.parametrize(
    ("bundle", "arguments", "message"),
    [
        (shared, {}, "no convolutions with a stride"),
        (lambda: odd("functional"), {}, "function call"),
        (shared_residual, {}, "called more than once"),
        (shared, {"layers": "conv2"}, "nothing to blur"),
        (shared, {"layers": "pool1"}, "not the map of a convolution"),
    ],
)
def test_strides_that_cannot_be_blurred_are_refused_by_name(bundle, arguments, message):
    with pytest.raises(LayerError, match=message):
        dw.surgery.blur_strides(bundle(), **arguments)


def test_pooling_that_is_shared_is_swapped_everywhere_or_nowhere():
    pool = nn.MaxPool2d(3, 2)
    bundle = plain(pool=lambda: pool)
    swapped = dw.surgery.swap_pooling(bundle)
    assert swapped.surgery[0].arguments["layers"] == ["pool1", "pool3"]
    assert isinstance(bundle.model[2], nn.MaxPool2d)
    assert not any(isinstance(module, nn.MaxPool2d) for module in swapped.model.modules())
    with pytest.raises(LayerError, match="more than once"):
        dw.surgery.swap_pooling(bundle, "pool1")


@pytest.mark.parametrize(
    ("to", "message"),
    [("max", "pool1 of net is max pooling already"), ("blur", "pool1 of net has stride 1: nothing is subsampled"), ("average", None)],
)
def test_a_swap_that_would_change_nothing_is_refused(to, message):
    bundle = plain(pool=lambda: nn.MaxPool2d(3, 1))
    if message is None:
        assert dw.surgery.swap_pooling(bundle, "pool1", to).label == "net (average pooling)"
        return
    with pytest.raises(LayerError, match=message):
        dw.surgery.swap_pooling(bundle, "pool1", to)
