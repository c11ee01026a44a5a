"""ActivationIndex compared with brute force, saved, loaded and merged; and AlexNet on real photographs."""

import itertools
import warnings
from collections import Counter, OrderedDict
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import deconvwidgets as dw
from deconvwidgets.compute.job import JobContext
from deconvwidgets.engine import Network
from deconvwidgets.errors import ActivationIndexError, JobCancelledError, LayerError, ModelError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.cached import default_path
from deconvwidgets.index.layer_sets import only_layers
from deconvwidgets.index.options import IndexOptions

LAYERS = ("conv1", "conv2")


def build(bundle, images, **options):
    job = JobContext(**{name: options.pop(name) for name in ("on_progress", "cancelled", "device_lease") if name in options})
    return ActivationIndex.build(bundle, images, **{"progress": False, "device": "cpu", "job": job, **options})


def all_maps(bundle, images, layer):
    """Return the feature maps (crops, units, H, W), computed one crop at a time."""
    network = Network.of(bundle.model, bundle.input_size)
    with torch.no_grad():
        return torch.cat([network.map(bundle.prepare(images.open_crop(crop))[None], layer).clone() for crop in range(len(images))])


def brute_force(maps, images, unit, k, per_source):
    """Return the strongest activations as (value, crop, row, column), from one sort of everything."""
    rows = []
    for crop in range(len(images)):
        best = max(itertools.product(range(maps.shape[2]), range(maps.shape[3])), key=lambda at: (maps[crop, unit][at], -at[0], -at[1]))
        rows.append((-float(maps[crop, unit][best]), images.crop(crop).source, crop, *best))
    selected, per_photograph, seen = [], Counter(), set()
    for value, source, crop, row, column in sorted(rows, key=lambda row: (row[0], row[2])):
        source = 2 if source == 3 else source  # photograph 3 is a copy of photograph 2
        if value == 0 or (source, crop % 3) in seen or (per_source and per_photograph[source] >= per_source):
            continue
        seen.add((source, crop % 3))
        per_photograph[source] += 1
        selected.append((-value, crop, row, column))
    return selected[:k]


def as_rows(index, layer, unit):
    return [(activation.value, activation.image, activation.row, activation.column) for activation in index.top(layer, unit)]


def state(index):
    manifest, tensors = index.state()
    return manifest, {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in tensors.items()}


@pytest.mark.parametrize(("k", "per_source"), [(9, 1), (4, 2), (20, None)])
def test_top_equals_brute_force(tiny_bundle, tiny_images, k, per_source):
    index = build(tiny_bundle, tiny_images, k=k, per_source=per_source)
    for layer in LAYERS:
        maps = all_maps(tiny_bundle, tiny_images, layer)
        for unit in range(index.layer(layer).channels):
            expected = brute_force(maps, tiny_images, unit, k, per_source)
            got = as_rows(index, layer, unit)
            assert [row[1:] for row in got] == [row[1:] for row in expected]
            np.testing.assert_allclose([row[0] for row in got], [row[0] for row in expected], rtol=1e-5)


@pytest.mark.parametrize(("k", "per_source"), [(0, 1), (9, 0)])
def test_k_and_per_source_must_be_positive(tiny_bundle, tiny_images, k, per_source):
    with pytest.raises(ActivationIndexError, match="must be an integer"):
        ActivationIndex.build(tiny_bundle, tiny_images, k=k, per_source=per_source, progress=False)


def test_statistics_equal_numpy(tiny_bundle, tiny_images):
    index = build(tiny_bundle, tiny_images)
    for layer in LAYERS:
        maxima = all_maps(tiny_bundle, tiny_images, layer).amax(dim=(2, 3)).double().numpy()
        stats = index.stats(layer)
        np.testing.assert_allclose(stats.mean, maxima.mean(axis=0), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(stats.std, maxima.std(axis=0), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(stats.activation_rate, (maxima > 0).mean(axis=0), rtol=1e-6)
        assert stats.histogram.sum(axis=1).tolist() == [len(tiny_images)] * maxima.shape[1]


def test_dead_units_have_no_strongest_activations_and_negative_maxima_are_ranked(tiny_bundle, tiny_images):
    index = build(tiny_bundle, tiny_images)
    assert index.top("conv1", 2) == []
    assert index.stats("conv1").dead.tolist() == [False, False, True, False]
    assert index.image_ids("conv1")[2].tolist() == [-1] * 9
    assert index.labels("conv1")[2].tolist() == [-1] * 9
    assert index.class_counts("conv1", 2) == {}
    assert index.stats("conv2").maximum[1] < 0  # its maxima are all negative,
    assert len(index.top("conv2", 1)) == 9  # and ranked, since there is no rectifier:
    assert not index.stats("conv2").dead.any()  # it is not dead
    assert index.dead_units("conv2") == []


def test_arrays_agree_with_top(tiny_bundle, tiny_images):
    index = build(tiny_bundle, tiny_images)
    network = Network.of(tiny_bundle.model, tiny_bundle.input_size)
    assert index.values("conv1").shape == (4, 9)
    assert index.positions("conv1").shape == (4, 9, 2)
    for layer in LAYERS:
        for unit in range(index.layer(layer).channels):
            for rank, activation in enumerate(index.top(layer, unit)):
                assert index.image_ids(layer)[unit, rank] == activation.image
                assert index.positions(layer)[unit, rank].tolist() == [activation.row, activation.column]
                assert index.values(layer)[unit, rank] == np.float32(activation.value)
                assert activation.box == network.box(layer, activation.row, activation.column)
                label = tiny_images.label(tiny_images.crop(activation.image).source)
                assert index.labels(layer)[unit, rank] == (-1 if label is None else label)
    counts = index.class_counts("conv1", 0)
    assert sum(counts.values()) == (index.labels("conv1")[0] >= 0).sum()
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert set(counts) <= {"cat", "dog", "kite"}


def test_the_box_of_units_whose_receptive_field_covers_the_input_is_the_input(tiny_bundle, tiny_images):
    small = replace(
        tiny_bundle, model=tiny_bundle.model[:4].eval(), transform=tiny_bundle.transform.resized_to(12, 12), input_size=(3, 12, 12)
    )
    index, network = build(small, tiny_images), Network.of(small.model, small.input_size)
    assert network.layer("conv2").receptive_field == (13, 13)
    strongest = index.top("conv2", 0)[0]
    assert strongest.box == network.box("conv2", strongest.row, strongest.column) == (0, 0, 12, 12)
    logits = build(tiny_bundle, tiny_images, layers=["5"])  # a fully connected layer has one position
    assert {(activation.row, activation.column, activation.box) for activation in logits.top("5", 0)} == {(0, 0, (0, 0, 16, 16))}


def test_of_equal_maxima_the_first_position_and_the_first_crop_rank_first(tiny_bundle):
    flat = dw.open_images([Image.new("RGB", (24 + size, 24), (90, 140, 30)) for size in range(3)])
    index = build(tiny_bundle, flat)
    maps = all_maps(tiny_bundle, flat, "conv1")
    alive = [unit for unit in range(4) if index.top("conv1", unit)]
    assert alive
    for unit, crop in itertools.product(alive, range(3)):
        activation = index.top("conv1", unit)[crop]
        assert activation.image == crop
        assert (activation.row, activation.column) == divmod(int(np.argmax(maps[crop, unit].numpy())), maps.shape[3])


def test_merging_parts_gives_the_whole_index(tiny_bundle, tiny_images):
    whole = build(tiny_bundle, tiny_images)
    parts = [build(tiny_bundle, tiny_images, crops=range(*bounds)) for bounds in ((0, 10), (10, 25), (25, 42))]
    merged = parts[2].merge(parts[0]).merge(parts[1])
    assert state(merged) == state(whole)
    assert state(merged.merge(whole)) == state(whole)  # of the same crops
    assert merged.crop_ranges == whole.crop_ranges == ((0, 42),)
    with pytest.raises(ActivationIndexError, match="different crops"):
        merged.merge(parts[0])


def test_indexes_of_different_models_or_settings_do_not_merge(tiny_bundle, tiny_images, tiny_model):
    left, right = build(tiny_bundle, tiny_images, crops=range(5)), build(tiny_model(1), tiny_images, crops=range(5, 9))
    with pytest.raises(ActivationIndexError, match="other weights"):
        left.merge(right)
    with pytest.raises(ActivationIndexError, match="k=9"):
        left.merge(build(tiny_bundle, tiny_images, crops=range(5, 9), k=3))


def test_unreadable_photographs_are_recorded_once(tiny_bundle, noise):
    index = build(tiny_bundle, noise(broken=[2, 5]))
    assert [(image.name, "truncated" in image.reason) for image in index.skipped] == [("noise-2", True), ("noise-5", True)]
    assert not set(index.image_ids("conv1").ravel()) & {6, 7, 8, 15, 16, 17}
    assert index.tallies["1"].stats.count == 42 - 6


def test_a_photograph_is_decoded_once_for_all_its_crops(tiny_bundle, noise):
    images = noise()
    build(tiny_bundle, images)
    assert images.opened == images.source_count


def test_progress_leases_and_cancellation(tiny_bundle, tiny_images, monkeypatch):
    monkeypatch.setattr("deconvwidgets.index.index_pass.block_size", lambda network: 4)
    reports, leases = [], []

    @contextmanager
    def lease():
        leases.append("enter")
        yield
        leases.append("exit")

    build(tiny_bundle, tiny_images, on_progress=reports.append, device_lease=lease)
    assert sorted({report.done for report in reports}) == [*range(4, 42, 4), 42]
    assert reports[-1].finished
    operations = len(leases) // 2 / 11
    assert leases == ["enter", "exit"] * (len(leases) // 2)
    assert operations == int(operations) > 3  # others can use the device between two operations
    with pytest.raises(JobCancelledError, match="8 of 42"):
        build(tiny_bundle, tiny_images, on_progress=reports.append, device_lease=lease, cancelled=lambda: reports[-1].done == 8)


def test_nan_raises_a_model_error(tiny_model, tiny_images):
    broken = tiny_model()
    with torch.no_grad():
        broken.model[3].weight[0] = float("nan")
    with pytest.raises(ModelError, match="NaN"):
        build(broken, tiny_images)


def test_unknown_layers_and_units(tiny_bundle, tiny_images):
    with pytest.raises(LayerError):
        build(tiny_bundle, tiny_images, layers=["conv9"])
    index = build(tiny_bundle, tiny_images, layers=["conv1"])
    with pytest.raises(LayerError, match="It contains conv1"):
        index.top("conv2", 0)
    for unit in (-1, 4):
        with pytest.raises(LayerError, match="0 to 3"):
            index.top("conv1", unit)


def test_a_layer_has_all_its_names_also_after_loading(noise, tmp_path):
    block = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    module = torch.nn.Sequential(OrderedDict(first=torch.nn.Conv2d(3, 3, 3), block=block))
    bundle = dw.ModelBundle.from_module(module.eval(), input_size=(3, 20, 20))
    index = build(bundle, noise(), layers=["block", "first"], k=2)
    index.save(tmp_path / "a.index")
    loaded = ActivationIndex.load(tmp_path / "a.index")
    for each in (index, loaded, only_layers(loaded, [loaded.layer("block")])):
        assert {each.layer(name).name for name in ("block", "block.1")} == {bundle.network.layer("block").name}
    with pytest.raises(LayerError, match="no layer 'other'"):
        loaded.layer("other")


def test_saving_and_loading_preserves_the_index(tiny_bundle, noise, tmp_path):
    index = build(tiny_bundle, noise(broken=[5]))
    index.save(tmp_path / "index")
    loaded = ActivationIndex.load(tmp_path / "index")
    assert state(index) == state(loaded) == state(ActivationIndex.from_bytes(index.to_bytes()))
    assert (loaded.identity, loaded.layers, loaded.crop_ranges, loaded.skipped) == (
        index.identity,
        index.layers,
        index.crop_ranges,
        index.skipped,
    )
    assert loaded.top("conv2", 3) == index.top("conv2", 3)


def test_a_fitting_index_is_loaded_and_others_are_replaced_only_when_asked(tiny_bundle, noise, tiny_model, tmp_path):
    images, path = noise(), tmp_path / "index"
    first = build(tiny_bundle, images, path=path)
    images.opened = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert state(build(tiny_bundle, images, path=path)) == state(first)
        assert images.opened == 0
        build(tiny_bundle, images, path=path, layers=["conv1"])  # the stored index has more layers
    for other, message in [
        ((tiny_model(1), images), "other weights"),
        ((tiny_bundle, noise(seed=1)), "other contents"),
    ]:
        with pytest.raises(ActivationIndexError, match=message):
            build(*other, path=path)
        with pytest.warns(UserWarning, match=message):
            assert build(*other, path=path, overwrite=True).identity != first.identity
        build(tiny_bundle, images, path=path, resume=False, overwrite=True)
    with pytest.raises(ActivationIndexError, match="k=9"):
        build(tiny_bundle, images, path=path, k=3)


def test_an_index_of_another_transform_does_not_fit(tiny_bundle, tiny_images, tmp_path):
    build(tiny_bundle, tiny_images, path=tmp_path / "index")
    other = replace(tiny_bundle, transform=replace(tiny_bundle.transform, mean=(0.4, 0.4, 0.4)))
    with pytest.raises(ActivationIndexError, match="preprocessed differently"):
        build(other, tiny_images, path=tmp_path / "index")


def test_a_build_that_is_resumed_with_its_layers_in_another_order_ends_the_same(tiny_bundle, noise, tmp_path):
    cancelled = iter([False, False, True])
    with pytest.raises(JobCancelledError):
        build(tiny_bundle, noise(30), path=tmp_path / "a", layers=["conv1", "conv2"], cancelled=lambda: next(cancelled, True))
    assert (tmp_path / "a.partial").exists()
    build(tiny_bundle, noise(30), path=tmp_path / "a", layers=["conv2", "conv1"])
    assert (tmp_path / "a").read_bytes() == build(tiny_bundle, noise(30), layers=["conv2", "conv1"]).to_bytes()


def test_an_index_of_the_same_photographs_with_other_classes_does_not_fit(tiny_bundle, tmp_path):
    for number, name in enumerate(("ant/1", "ant/2", "cow/1")):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (40 * number, 9, 9)).save(tmp_path / "set" / f"{name}.png")
    first = build(tiny_bundle, dw.open_images(tmp_path / "set"), path=tmp_path / "index", crops=range(2))
    (tmp_path / "set" / "bee").mkdir()  # an empty class: from now on cow is number 2
    images = dw.open_images(tmp_path / "set")
    with pytest.raises(ActivationIndexError, match="other classes"):
        build(tiny_bundle, images, path=tmp_path / "index", crops=range(2))
    with pytest.raises(ActivationIndexError, match="other classes"):
        first.merge(build(tiny_bundle, images, crops=range(2, 3)))
    assert build(tiny_bundle, images).source_labels == {0: 0, 1: 0, 2: 2}


def test_an_index_in_another_memory_format_is_used_unless_one_is_asked_for(tiny_bundle, tiny_images, tmp_path):
    built = build(tiny_bundle, tiny_images, path=tmp_path / "index", memory_format="contiguous")
    assert build(tiny_bundle, tiny_images, path=tmp_path / "index").identity == built.identity
    with pytest.raises(ActivationIndexError, match="memory_format=contiguous"):
        build(tiny_bundle, tiny_images, path=tmp_path / "index", memory_format="channels_last")


def test_a_cancelled_build_goes_on_from_its_crops_and_ends_the_same(tiny_bundle, noise, tmp_path, monkeypatch):
    monkeypatch.setattr("deconvwidgets.index.index_pass.block_size", lambda network: 4)
    images, reports = noise(broken=[2]), []
    whole = state(build(tiny_bundle, images))
    with pytest.raises(JobCancelledError):
        build(tiny_bundle, images, path=tmp_path / "index", on_progress=reports.append, cancelled=lambda: bool(reports))
    assert not (tmp_path / "index").exists()
    images.opened = 0
    index = build(tiny_bundle, images, path=tmp_path / "index")
    assert 0 < images.opened < images.source_count
    assert state(index) == whole == state(ActivationIndex.load(tmp_path / "index"))
    assert [file.name for file in tmp_path.iterdir() if not file.name.endswith(".lock")] == ["index"]


def change(part, **entries):
    return lambda manifest, tensors: (manifest if part is None else manifest[part]).update(entries)


DAMAGES = {
    "activation incomplete": lambda manifest, tensors: tensors["0.ranking.rows"].__setitem__((0, 0), -1),
    "layer dropped": lambda manifest, tensors: manifest["layers"].pop(0),
    "other k": lambda manifest, tensors: manifest["identity"]["options"].update(k=4),
    "no identity": lambda manifest, tensors: manifest.pop("identity"),
    "field missing": lambda manifest, tensors: manifest["layers"][0].pop("stride"),
    "option unknown": lambda manifest, tensors: manifest["identity"]["options"].update(colour=1),
    "another seed": lambda manifest, tensors: manifest["identity"]["options"].update(samples="many"),
    "sample of other crops": lambda manifest, tensors: tensors.update({"sample.crops": tensors["sample.crops"][1:]}),
    "contents of more photographs": change(None, photographs=2),
    "ranges that overlap": change(None, crop_ranges=[[0, 9], [4, 42]]),
    "another type": lambda manifest, tensors: tensors.update({"0.stats.sums": tensors["0.stats.sums"].astype(np.int32)}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_state_that_does_not_fit_together_is_refused(tiny_bundle, tiny_images, damage):
    manifest, tensors = build(tiny_bundle, tiny_images).state()
    DAMAGES[damage](manifest, tensors)
    with pytest.raises(ActivationIndexError):
        ActivationIndex.from_state(manifest, tensors)


def test_a_path_that_cannot_be_written_to(tiny_bundle, tiny_images, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ActivationIndexError, match="cannot be written"):
        build(tiny_bundle, tiny_images, path=tmp_path / "file" / "index")


def test_the_default_path_depends_on_model_images_and_k(tiny_bundle, tiny_images, noise, tiny_model, monkeypatch, tmp_path):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path))
    path = default_path(tiny_bundle, tiny_images)
    assert path == default_path(tiny_bundle, noise())
    options = IndexOptions(k=3)
    others = [(tiny_bundle, noise(seed=1), None), (tiny_model(1), tiny_images, None), (tiny_bundle, tiny_images, options)]
    assert len({path, *(default_path(bundle, images, options) for bundle, images, options in others)}) == 4


@pytest.fixture(scope="module")
def alexnet_on_photographs():
    bundle, images = dw.load_model("alexnet"), dw.open_images("photos", limit=12)
    return bundle, images, build(bundle, images)


@pytest.mark.slow
def test_alexnet_on_photographs(alexnet_on_photographs):
    bundle, images, index = alexnet_on_photographs
    assert [info.alias for info in index.layers] == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    network = Network.of(bundle.model, bundle.input_size)
    for layer in ("conv1", "conv5"):
        sources = np.array([[images.crop(crop).source if crop >= 0 else -1 for crop in row] for row in index.image_ids(layer)])
        assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in sources)
        for unit in (0, 33):
            for activation in index.top(layer, unit):
                with torch.no_grad():
                    maps = network.map(bundle.prepare(images.open_crop(activation.image))[None], layer)
                assert float(maps[0, unit].max()) == pytest.approx(activation.value, rel=1e-4)
                assert float(maps[0, unit, activation.row, activation.column]) == pytest.approx(activation.value, rel=1e-4)
    assert not index.stats("conv1").dead.any()
    assert not index.skipped
