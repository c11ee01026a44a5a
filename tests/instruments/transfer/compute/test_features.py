"""Features: their values, that they are computed once, and interruptions, changed models and damaged files."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from deconvwidgets.compute.job import FixedBatch, JobContext
from deconvwidgets.engine import Network
from deconvwidgets.errors import AssetError, JobCancelledError, LayerError, ModelError
from deconvwidgets.images.image_set import SubsetImages
from deconvwidgets.instruments.transfer.compute import features as features_module
from deconvwidgets.instruments.transfer.compute.feature_crops import CropMaker
from deconvwidgets.instruments.transfer.compute.feature_store import CHECKSUMS, SKIPPED, VALUES, FeatureIdentity, LayerFeatures
from deconvwidgets.instruments.transfer.compute.features import FeatureShape, default_layer, extract_features
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.zoo import load_model
from deconvwidgets.records.layers import LayerInfo


def info(channels, height, width):
    return LayerInfo("layer", "conv9", "conv", channels, height, width, None, None, None)


def extract(bundle, images, layers=None, **options):
    job = JobContext(**{name: options.pop(name) for name in ("on_progress", "cancelled", "device_lease", "batch_size") if name in options})
    return extract_features(bundle, images, layers, device="cpu", progress=False, job=job, **options)


def stop_after(batches):
    """Return a `cancelled` callable that returns True after that many batches."""
    remaining = iter(range(batches))
    return lambda: next(remaining, None) is None


@pytest.fixture
def passes(monkeypatch):
    """The batch sizes of all forward passes."""
    sizes, visit = [], Network.visit
    monkeypatch.setattr(Network, "visit", lambda self, batch, *rest: (sizes.append(len(batch)), visit(self, batch, *rest))[1])
    return sizes


@pytest.mark.parametrize(
    ("channels", "height", "width", "pool", "count"),
    [
        (64, 55, 55, (12, 12), 9216),  # AlexNet's conv1 to conv5 and pool5
        (192, 27, 27, (7, 7), 9408),
        (384, 13, 13, (5, 5), 9600),
        (256, 13, 13, (6, 6), 9216),
        (256, 6, 6, None, 9216),
        (1280, 7, 7, (2, 2), 5120),
        (10, 4, 900, (4, 31), 1240),  # a short side is not pooled
        (20_000, 3, 3, (1, 1), 20_000),
        (4096, 1, 1, None, 4096),
    ],
)
def test_large_layers_are_pooled_to_the_largest_square_grid(channels, height, width, pool, count):
    shape = FeatureShape.of(info(channels, height, width))
    assert (shape.pool, shape.count) == (pool, count)
    maps = torch.rand(2, channels, height, width)
    expected = maps if pool is None else F.adaptive_avg_pool2d(maps, pool)
    torch.testing.assert_close(shape.flatten(maps), expected.flatten(1))


def test_descriptions_of_shapes():
    assert FeatureShape.of(info(256, 13, 13)).describe("conv5") == "256 x 6 x 6 = 9,216 of conv5, average-pooled from 13 x 13"
    assert FeatureShape.of(info(256, 6, 6)).describe("pool5") == "256 x 6 x 6 = 9,216 of pool5"
    assert FeatureShape.of(info(4096, 1, 1)).describe("fc6") == "4,096 of fc6"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "layer"), [("alexnet", "pool5"), ("resnet18", "avgpool"), ("mobilenet_v2", "pool52")])
def test_the_default_layer_is_the_deepest_with_feature_maps(name, layer):
    bundle = load_model(name, weights=None, input_size=(3, 96, 96))
    network = Network.of(bundle.model, bundle.input_size)
    assert default_layer(network) == network.layer(layer)


def test_features_equal_the_values_of_the_layer(tiny_bundle, tiny_images):
    extracted = extract(tiny_bundle, tiny_images, ["conv1", "conv2"], store="memory")
    network = Network.of(tiny_bundle.model, tiny_bundle.input_size)
    for source in (0, 9):
        batch = tiny_bundle.prepare(tiny_images.open_source(source))[None]
        for layer, features in extracted.items():
            assert features.values.dtype == np.float16
            assert features.complete
            expected = network.map(batch, layer).detach().flatten().numpy()
            np.testing.assert_allclose(features.values[source, 0], expected, rtol=2e-3, atol=1e-3)


def test_several_layers_are_computed_in_one_pass(tiny_bundle, tiny_images, passes):
    extract(tiny_bundle, tiny_images, ["conv1", "pool1", "conv2"], store="memory", batch_size=FixedBatch(5))
    assert passes == [5, 5, 4]


def test_flips_are_the_crop_and_its_mirror_image(tiny_bundle, tiny_images):
    one = extract(tiny_bundle, tiny_images, "conv2", store="memory")["conv2"].values
    flips = extract(tiny_bundle, tiny_images, "conv2", views="flips", store="memory")["conv2"].values
    np.testing.assert_allclose(flips[:, :1], one, atol=2e-3)
    crop = tiny_bundle.transform.resize_and_crop(tiny_images.open_source(4))  # the crop is mirrored, not the photograph
    without_resize = replace(tiny_bundle.transform, resize=None)
    pixels = without_resize(crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT))[None]
    mirrored = Network.of(tiny_bundle.model, tiny_bundle.input_size).map(pixels, "conv2").detach().flatten().numpy()
    np.testing.assert_allclose(flips[4, 1], mirrored, rtol=2e-3, atol=1e-3)


def test_ten_crops_are_corners_and_centre_and_mirrored(tiny_bundle, tiny_images):
    maker = CropMaker.of(tiny_bundle, "ten")
    photograph = tiny_images.open_source(4)
    crops = maker(photograph)
    assert crops.shape == (10, 3, 16, 16)
    square = replace(tiny_bundle.transform, resize=18, crop=(18, 18))(photograph)
    torch.testing.assert_close(crops[0], square[:, :16, :16])
    torch.testing.assert_close(crops[3], square[:, 2:, 2:])
    torch.testing.assert_close(crops[4], square[:, 1:17, 1:17])
    torch.testing.assert_close(crops[6], square[:, :16, 2:].flip(-1))
    network = Network.of(tiny_bundle.model, tiny_bundle.input_size)
    mean = network.map(crops, "conv2").detach().flatten(1).reshape(2, 5, -1).mean(1).numpy()
    values = extract(tiny_bundle, tiny_images, "conv2", views="ten", store="memory")["conv2"].values
    assert values.shape == (14, 2, 80)
    np.testing.assert_allclose(values[4], mean, rtol=2e-3, atol=1e-3)


def test_ten_crops_of_a_transform_without_margin_are_different(tiny_bundle, tiny_images):
    narrow = replace(tiny_bundle, transform=replace(tiny_bundle.transform, resize=16))
    crops = CropMaker.of(narrow, "ten")(tiny_images.open_source(4))
    assert not torch.equal(crops[0], crops[4])


def test_unavailable_crops_and_layers_raise_errors(tiny_bundle, tiny_images):
    opaque = replace(tiny_bundle, transform=lambda photograph: tiny_bundle.prepare(photograph))
    with pytest.raises(ModelError, match="choose 'flips'"):
        extract(opaque, tiny_images, views="ten", store="memory")
    with pytest.raises(ModelError, match="'one', 'flips', 'ten'"):
        extract(tiny_bundle, tiny_images, views="twelve", store="memory")
    with pytest.raises(LayerError, match="Did you mean"):
        extract(tiny_bundle, tiny_images, "conv7", store="memory")


def test_a_second_run_computes_nothing(tiny_bundle, tiny_images, tmp_path, passes):
    first = extract(tiny_bundle, tiny_images, "conv2", folder=tmp_path)["conv2"]
    passes.clear()
    opened = tiny_images.opened
    second = extract(tiny_bundle, tiny_images, "conv2", folder=tmp_path)["conv2"]
    assert passes == []
    assert tiny_images.opened == opened
    np.testing.assert_array_equal(second.values, first.values)


def test_an_interrupted_run_resumes_where_it_stopped(tiny_bundle, noise, tmp_path, passes):
    images = noise(broken=(2, 7))
    whole = extract(tiny_bundle, images, "conv2", store="memory", batch_size=FixedBatch(4))["conv2"]
    with pytest.raises(JobCancelledError, match="8 of 14"):
        extract(tiny_bundle, images, "conv2", folder=tmp_path, batch_size=FixedBatch(4), cancelled=stop_after(2))
    passes.clear()
    reports = []
    resumed = extract(tiny_bundle, images, "conv2", folder=tmp_path, batch_size=FixedBatch(4), on_progress=reports.append)["conv2"]
    assert sum(passes) == 6
    assert (reports[-1].done, reports[-1].total) == (14, 14)
    np.testing.assert_array_equal(resumed.values, whole.values)
    assert resumed.skipped == whole.skipped
    assert list(resumed.skipped) == [2, 7]


def test_an_exception_keeps_the_committed_features(tiny_bundle, tiny_images, tmp_path, passes, monkeypatch):
    monkeypatch.setattr(features_module, "_CHUNK", 4)
    visit = Network.visit
    calls = iter(range(2))

    def fail(self, *arguments):
        if next(calls, None) is None:
            raise RuntimeError("out of memory")
        visit(self, *arguments)

    monkeypatch.setattr(Network, "visit", fail)
    with pytest.raises(RuntimeError):
        extract(tiny_bundle, tiny_images, "conv2", folder=tmp_path, batch_size=FixedBatch(4))
    monkeypatch.setattr(Network, "visit", visit)
    passes.clear()
    extract(tiny_bundle, tiny_images, "conv2", folder=tmp_path, batch_size=FixedBatch(4))
    assert sum(passes) == 6


def test_a_complete_layer_is_not_computed_again(tiny_bundle, tiny_images, tmp_path, passes):
    first = extract(tiny_bundle, tiny_images, "conv1", folder=tmp_path)["conv1"].values.copy()
    visited = []
    visit = Network.visit
    Network.visit = lambda self, batch, layers, show: (visited.extend(layers), visit(self, batch, layers, show))[1]
    try:
        both = extract(tiny_bundle, tiny_images, ["conv1", "conv2"], folder=tmp_path)
    finally:
        Network.visit = visit
    assert len(visited) == 1  # conv2 only
    assert both["conv2"].complete
    np.testing.assert_array_equal(both["conv1"].values, first)


def test_cancelling_does_not_undo_a_complete_layer(tiny_bundle, tiny_images, tmp_path):
    extract(tiny_bundle, tiny_images, "conv1", folder=tmp_path)
    with pytest.raises(JobCancelledError, match="8 of 14"):
        extract(tiny_bundle, tiny_images, ["conv1", "conv2"], folder=tmp_path, batch_size=FixedBatch(4), cancelled=stop_after(2))
    checksums = [np.frombuffer((folder / CHECKSUMS).read_bytes(), np.uint32) for folder in tmp_path.iterdir()]
    assert sorted((one != 0).sum() for one in checksums) == [8, 14]


@pytest.mark.parametrize("change", ["weights", "images", "transform", "crops", "layer"])
def test_other_inputs_have_their_own_features(change, tiny_model, noise, tmp_path, passes):
    bundle, images, layer, crops = tiny_model(), noise(), "conv2", "one"
    extract(bundle, images, layer, folder=tmp_path)
    passes.clear()
    if change == "weights":
        bundle = tiny_model(seed=1)
    elif change == "images":
        images = noise(seed=1)
    elif change == "transform":
        bundle = replace(bundle, transform=Preprocess(resize=20, crop=(16, 16), mean=(0.5,) * 3, std=(0.25,) * 3))
    elif change == "crops":
        crops = "flips"
    else:
        layer = "conv1"
    extract(bundle, images, layer, views=crops, folder=tmp_path)
    assert sum(passes) == (28 if change == "crops" else 14)


@pytest.mark.parametrize("damage", ["no checksums", "short checksums", "short file", "no file"])
def test_damaged_features_are_computed_again(damage, tiny_bundle, tiny_images, tmp_path, passes):
    whole = extract(tiny_bundle, tiny_images, "conv2", folder=tmp_path)["conv2"].values.copy()
    (folder,) = tmp_path.iterdir()
    path = folder / (VALUES if "file" in damage else CHECKSUMS)
    data = path.read_bytes()
    path.unlink()
    if "short" in damage:
        path.write_bytes(data[:-10])
    passes.clear()
    recomputed = extract(tiny_bundle, tiny_images, "conv2", folder=tmp_path)["conv2"].values
    assert sum(passes) == 14
    np.testing.assert_array_equal(recomputed, whole)


def flip(path, position, bit=0):
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


@pytest.mark.parametrize("file", [VALUES, CHECKSUMS])
def test_of_a_flipped_bit_only_that_photograph_is_computed_again(file, tiny_bundle, tiny_images, tmp_path, passes):
    whole = extract(tiny_bundle, tiny_images, ["conv1", "conv2"], folder=tmp_path, batch_size=FixedBatch(4))
    expected = {name: features.values.copy() for name, features in whole.items()}
    (path,) = (path for path in tmp_path.glob(f"*/{VALUES}") if path.stat().st_size == expected["conv2"].nbytes)
    size = path.stat().st_size if file == VALUES else 14 * 4
    for photograph in (0, 6, 13):
        for bit in (0, 7):
            flip(path.with_name(file), (2 * photograph + 1) * size // 28, bit)
            passes.clear()
            with pytest.warns(UserWarning, match=f"The features of photograph {photograph} in .* were damaged"):
                again = extract(tiny_bundle, tiny_images, ["conv1", "conv2"], folder=tmp_path, batch_size=FixedBatch(4))
            assert passes == [1]
            for name, values in expected.items():
                np.testing.assert_array_equal(again[name].values, values)
    passes.clear()
    extract(tiny_bundle, tiny_images, ["conv1", "conv2"], folder=tmp_path)
    assert not passes


def test_no_flipped_bit_in_the_list_of_unreadable_photographs_changes_it(tiny_bundle, noise, tmp_path, passes):
    images = noise(broken=(2, 11))
    extract(tiny_bundle, images, "conv2", folder=tmp_path)
    (path,) = tmp_path.glob(f"*/{SKIPPED}")
    data = path.read_bytes()
    passes.clear()
    for position in range(0, len(data), 7):
        flip(path, position, position % 8)
        features = extract(tiny_bundle, images, "conv2", folder=tmp_path)["conv2"]
        assert {source: skipped.name for source, skipped in features.skipped.items()} == {2: "noise-2", 11: "noise-11"}
        assert path.read_bytes() == data
    assert not passes  # the others are not computed again


def test_unreadable_photographs_are_skipped(tiny_bundle, noise):
    features = extract(tiny_bundle, noise(broken=(0, 13)), "conv2", store="memory")["conv2"]
    assert {source: skipped.name for source, skipped in features.skipped.items()} == {0: "noise-0", 13: "noise-13"}
    assert features.readable().tolist() == list(range(1, 13))
    assert not features.values[[0, 13]].any()


def test_all_photographs_may_be_unreadable(tiny_bundle, noise):
    features = extract(tiny_bundle, noise(broken=range(14)), "conv2", store="memory")["conv2"]
    assert len(features.skipped) == 14
    assert features.complete


@pytest.mark.parametrize("value", [float("nan"), 1e6])
def test_values_that_float16_cannot_represent_raise_an_error(value, tiny_model, tiny_images):
    bundle = tiny_model()
    with torch.no_grad():
        bundle.model[3].bias[1] = value
    with pytest.raises(ModelError, match="photograph 0"):
        extract(bundle, tiny_images, "conv2", store="memory")


def test_batch_sizes_and_device_leases_of_the_job_are_used(tiny_bundle, tiny_images):
    class IncreasingBatch:
        sizes, recorded = [3, 6], []

        def size(self):
            return self.sizes[min(len(self.recorded), 1)]

        def record(self, items, seconds):
            self.recorded.append(items)

    batch_size, leases = IncreasingBatch(), []

    def lease():
        leases.append(1)
        return nullcontext()

    extract(tiny_bundle, tiny_images, "conv2", store="memory", views="flips", batch_size=batch_size, device_lease=lease)
    assert batch_size.recorded == [4, 6, 6, 6, 6]  # inputs, two per photograph
    assert len(leases) == 5


def test_a_folder_that_cannot_be_written_to_raises_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    identity = FeatureIdentity("layer", "images", "transform", (3, 4, 4), "one", None)
    with pytest.raises(AssetError, match="DECONVWIDGETS_CACHE"):
        LayerFeatures.on_disk(identity, (4, 1, 3), tmp_path / "file")


def test_the_features_of_a_subset_are_in_its_order(tiny_bundle, tiny_images):
    whole = extract(tiny_bundle, tiny_images, "conv2", store="memory", batch_size=FixedBatch(1))["conv2"].values
    subset = extract(tiny_bundle, SubsetImages(tiny_images, [9, 4]), "conv2", store="memory", batch_size=FixedBatch(1))["conv2"].values
    np.testing.assert_array_equal(subset, whole[[9, 4]])
