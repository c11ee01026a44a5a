"""Questions to an index of planted units: a copy, a dead unit, two peaks, one class. Answers are compared with literal computations."""

import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.engine import Network
from deconvwidgets.errors import ActivationIndexError, LayerError
from deconvwidgets.images.image_set import ImageSet, digest_of
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess

pd = pytest.importorskip("pandas")  # of the extra "dataframe"

RED, COPY, DEAD, TWO_PEAKS, KITE, OPPOSITE = range(6)
CLASSES = ("cat", "dog", "kite")
SAMPLES, K, PER_CLASS = 150, 12, 4


class PaintedPhotographs(ImageSet):
    """Photographs in one colour, with one brighter pixel. Only kites are blue; green comes in two shades; the first has no label."""

    def __init__(self, count=200):
        generator = np.random.default_rng(0)
        self.pixels = np.zeros((count, 8, 8, 3), np.uint8)
        colours = generator.integers(1, 180, (count, 3))
        colours[:, 1] = np.where(generator.random(count) < 0.5, 30, 200) + generator.integers(-8, 9, count)
        colours[np.arange(count) % 3 != 2, 2] = 0
        self.pixels += colours[:, None, None].astype(np.uint8)
        rows, columns = generator.integers(0, 8, (2, count))
        self.pixels[np.arange(count), rows, columns] += np.uint8(40)
        super().__init__("painted", digest_of([str(count)]), CLASSES)

    @property
    def source_count(self):
        return len(self.pixels)

    def source_name(self, source):
        return f"painted-{source}.png"

    def label(self, source):
        return None if source == 0 else source % 3

    def open_source(self, source):
        return Image.fromarray(self.pixels[source])


@pytest.fixture(scope="module")
def images():
    return PaintedPhotographs()


@pytest.fixture(scope="module")
def bundle():
    """conv1 has the planted units, conv2 random ones without a rectifier."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 6, 1), nn.ReLU(), nn.Conv2d(6, 4, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(64, 3))
    weights = [[1, 0, 0], [3, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 1], [-1, 0, 0]]
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor(weights, dtype=torch.float32)[:, :, None, None])
        net[0].bias.copy_(torch.tensor([0, 0, -100, 0, -0.16, 0.3]))
    transform = Preprocess(resize=8, crop=(8, 8), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return ModelBundle.from_module(net.eval(), transform=transform, categories=list(CLASSES), name="planted")


@pytest.fixture(scope="module")
def index(bundle, images):
    options = {"k": K, "per_class": PER_CLASS, "samples": SAMPLES}
    return dw.ActivationIndex.build(bundle, images, layers=["conv1", "conv2"], device="cpu", progress=False, **options)


@pytest.fixture(scope="module")
def maps(bundle, images):
    """Feature maps (crops, units, H, W) by layer, and those before the rectifier of conv1."""
    network = Network.of(bundle.model, bundle.input_size)
    inputs = [bundle.prepare(images.open_crop(crop))[None] for crop in range(len(images))]
    with torch.no_grad():
        found = {layer: torch.cat([network.map(one, layer).clone() for one in inputs]).numpy() for layer in ("conv1", "conv2")}
        return {**found, "before": torch.cat([bundle.model[0](one) for one in inputs]).numpy()}


def strongest(maps, unit, k, crops=None):
    """(value, crop, row, column) of the k strongest maxima of a unit, from a sort of all."""
    rows = []
    for crop in range(len(maps)) if crops is None else crops:
        position = int(np.argmax(maps[crop, unit]))
        rows.append((float(maps[crop, unit].flat[position]), crop, *divmod(position, maps.shape[3])))
    return sorted((row for row in rows if row[0] != 0), key=lambda row: (-row[0], row[1:]))[:k]


def as_rows(activations):
    return [(activation.value, activation.image, activation.row, activation.column) for activation in activations]


def test_the_planted_units_are_found(index):
    assert index.dead_units("conv1") == [DEAD]
    assert index.units("conv1", "peaks == 2") == [TWO_PEAKS]
    assert index.units("conv1", "class_purity == 1 and top_class == 'kite'") == [KITE]
    assert index.units("conv1", "nearest_correlation > 0.999") == [RED, COPY]
    assert [(pair.unit, pair.other) for pair in index.near_copies("conv1")] == [(RED, COPY)]
    assert index.near_copies("conv1")[0].correlation == pytest.approx(1, abs=1e-6)  # the copy is rounded after it is multiplied
    found = index.unit_map("conv1", "pca")
    assert found.left_out.tolist() == [DEAD]
    np.testing.assert_allclose(found.coordinates[RED], found.coordinates[COPY], atol=1e-6)
    assert as_rows(index.most_negative("conv1", OPPOSITE, 1))[0][1] == index.top("conv1", RED, 1)[0].image


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_the_table_of_units_equals_a_literal_computation(index, images, maps, layer):
    frame = index.to_dataframe(layer)
    maxima = maps[layer].max(axis=(2, 3)).astype(float)
    sampled = np.sort(index.sample.crops)
    assert len(sampled) == SAMPLES
    assert frame.attrs == {"model": "planted", "images": "painted", "crops": 200, "samples": SAMPLES}
    assert len(frame) == maxima.shape[1]
    for unit, row in enumerate(frame.itertuples()):
        values = maxima[:, unit]
        assert (row.layer, row.alias, row.unit) == (index.layer(layer).name, layer, unit)
        assert row.max == pytest.approx(values.max(), rel=1e-6)
        assert row.mean == pytest.approx(values.mean(), rel=1e-5, abs=1e-7)
        assert row.std == pytest.approx(values.std(), rel=1e-5, abs=1e-7)
        assert row.selectivity == pytest.approx((values.max() - values.mean()) / values.std() if values.std() else 0, rel=1e-4)
        assert row.share_active == sum(values > 0) / 200
        assert row.dead == (not any(values > 0))
        labels = [images.label(crop) for _, crop, *_ in strongest(maps[layer], unit, 9)]
        counts = Counter(label for label in labels if label is not None)
        if counts:
            label, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
            assert (row.top_class, row.class_count, row.class_purity) == (CLASSES[label], count, count / counts.total())
        else:
            assert (pd.isna(row.top_class), row.class_count, math.isnan(row.class_purity)) == (True, 0, True)
        others = [other for other in range(maxima.shape[1]) if other != unit and maxima[sampled, other].std() > 0]
        if values[sampled].std() > 0:
            correlations = [np.corrcoef(values[sampled], maxima[sampled, other])[0, 1] for other in others]
            assert row.nearest_unit == others[int(np.argmax(correlations))]
            assert row.nearest_correlation == pytest.approx(max(correlations), abs=1e-6)
        else:
            assert (pd.isna(row.nearest_unit), math.isnan(row.nearest_correlation)) == (True, True)
        lowest = maps["before" if layer == "conv1" else layer][:, unit].min()
        assert row.most_negative == pytest.approx(lowest, rel=1e-6) if lowest < 0 else math.isnan(row.most_negative)


def test_tables_of_all_layers_stand_below_each_other(index):
    frame = index.to_dataframe()
    assert frame.groupby("alias").size().to_dict() == {"conv1": 6, "conv2": 4}
    pd.testing.assert_frame_equal(frame[frame.alias == "conv2"].reset_index(drop=True), index.to_dataframe("conv2"))
    assert frame.unit.tolist() == [*range(6), *range(4)]


def test_the_table_of_places_equals_top(index, images):
    frame = index.top_dataframe(images=images)
    expected = [
        (layer, unit, rank, place.image, f"painted-{place.image}.png", place.value, place.row, place.column, *place.box)
        for layer in ("conv1", "conv2")
        for unit in range(index.layer(layer).channels)
        for rank, place in enumerate(index.top(layer, unit))
    ]
    names = ["alias", "unit", "rank", "crop", "file", "value", "row", "column", "left", "top", "right", "bottom"]
    assert list(frame[names].itertuples(index=False, name=None)) == expected
    labels = [images.label(crop) for crop in frame.crop]
    assert [None if pd.isna(label) else label for label in frame.label] == [None if label is None else CLASSES[label] for label in labels]
    assert set(frame[frame.unit == DEAD].alias) == {"conv2"}
    assert "file" not in index.top_dataframe("conv1")
    assert index.top_dataframe("conv1", k=2)["rank"].max() == 1


def test_tables_can_be_written_and_read(index, images, tmp_path):
    pytest.importorskip("pyarrow")
    for name, frame in (("units", index.to_dataframe()), ("places", index.top_dataframe(images=images))):
        frame.to_parquet(tmp_path / f"{name}.parquet")
        read = pd.read_parquet(tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(read, frame)
        assert read.attrs == frame.attrs
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / f"{name}.csv", dtype=frame.dtypes.to_dict()), frame, rtol=1e-6)


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_the_most_negative_places_are_those_before_the_rectifier(index, maps, layer):
    before = maps["before" if layer == "conv1" else layer]
    for unit in range(before.shape[1]):
        expected = [row for row in strongest(-before, unit, K) if row[0] > 0]
        found = as_rows(index.most_negative(layer, unit))
        assert [row[1:] for row in found] == [row[1:] for row in expected]
        np.testing.assert_allclose([row[0] for row in found], [-row[0] for row in expected], rtol=1e-6)
        assert index.most_negative(layer, unit, 1) == index.most_negative(layer, unit)[:1]


def test_the_strongest_of_a_class_are_those_of_its_photographs(index, images, maps):
    for unit in range(6):
        for label, name in enumerate(CLASSES):
            crops = [crop for crop in range(len(images)) if images.label(crop) == label]
            found = as_rows(index.top_of_class("conv1", unit, name))
            assert [row[1:] for row in found] == [row[1:] for row in strongest(maps["conv1"], unit, PER_CLASS, crops)]
            assert index.top_of_class("conv1", unit, label, 2) == index.top_of_class("conv1", unit, name)[:2]
    assert index.top_of_class("conv1", KITE, "cat") == []


def test_the_whole_range_is_of_the_sampled_crops(index, maps):
    found = index.whole_range("conv1", KITE, bins=4, per_bin=3, seed=1)
    values = maps["conv1"][np.sort(index.sample.crops), KITE].max(axis=(1, 2))
    assert (found.layer, found.unit, found.samples, found.seed) == ("conv1", KITE, SAMPLES, 1)
    assert (found.bins[-1].low, found.bins[-1].high, found.bins[-1].crops) == (
        0,
        0,
        (values == 0).sum(),
    )  # inactive for two classes of three
    assert found.bins[0].high == values.max()
    for part in found.bins:
        for example in part.examples:
            here = maps["conv1"][example.image, KITE]
            assert example.value == here.max()
            assert (example.row, example.column) == divmod(int(here.argmax()), 8)


def test_units_are_filtered_and_sorted(index):
    frame = index.to_dataframe("conv1")
    assert index.units("conv1") == list(range(6))
    chosen = frame[(frame.selectivity > 1) & ~frame.dead]
    assert index.units("conv1", "selectivity > 1 and not dead") == chosen.unit.tolist()
    by_mean = sorted(range(6), key=lambda unit: (-frame["mean"][unit], unit))
    assert index.units("conv1", sort="mean") == by_mean
    assert index.units("conv1", sort="mean", descending=False) == sorted(by_mean, key=lambda unit: (frame["mean"][unit], unit))
    for descending in (True, False):  # without a class, or a correlation, a unit is last
        assert index.units("conv1", sort="top_class", descending=descending)[-1] == DEAD
        assert index.units("conv1", sort="nearest_correlation", descending=descending)[-1] == DEAD
    assert index.units("conv1", sort="class_purity")[0] == KITE


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda index: index.units("conv1", "selectiviti > 5"), "no column selectiviti. Did you mean selectivity"),
        (lambda index: index.units("conv1", sort="selectiviti"), "no column 'selectiviti' to sort by. The columns are unit, max"),
        (lambda index: index.top("conv1", 0, K + 1), "keeps 12 activations, not 13: ask for fewer, or build one with k=13"),
        (lambda index: index.top("conv1", 0, 0), "k must be an integer of at least 1"),
        (lambda index: index.top_of_class("conv1", 0, "cat", 5), "keeps 4 activations, not 5: .* per_class=5"),
        (lambda index: index.top_of_class("conv1", 0, "kites"), "no class 'kites'. Did you mean 'kite'"),
        (lambda index: index.top_of_class("conv1", 0, 3), "label must be an integer from 0 to 2"),
        (lambda index: index.top_dataframe(images=PaintedPhotographs(20)), "built from the image set 'painted', not from these"),
        (lambda index: index.top_dataframe(k=K + 1), "keeps 12"),
        (lambda index: index.whole_range("conv1", 0, bins=0), "bins must be an integer"),
    ],
)
def test_invalid_questions_are_refused(index, ask, message):
    with pytest.raises(ActivationIndexError, match=message):
        ask(index)


@pytest.mark.parametrize(
    "name", ["to_dataframe", "top_dataframe", "unit_columns", "units", "dead_units", "near_copies", "unit_map", "top", "whole_range"]
)
def test_an_unknown_layer_or_unit_is_refused(index, name):
    method = getattr(index, name)
    with pytest.raises(LayerError, match="no layer 'conv9'"):
        method("conv9", *([0] if name in ("top", "whole_range") else []))
    if name in ("top", "whole_range"):
        with pytest.raises(LayerError, match="conv1 has the units 0 to 5, not 6"):
            method("conv1", 6)


def test_units_of_a_fully_connected_layer_have_one_position(bundle, images):
    logits = dw.ActivationIndex.build(bundle, images, layers=["4"], device="cpu", progress=False)
    frame = logits.top_dataframe()
    assert set(frame[["row", "column", "left", "top", "right", "bottom"]].itertuples(index=False, name=None)) == {(0, 0, 0, 0, 8, 8)}
    examples = [example for part in logits.whole_range("4", 1).bins for example in part.examples]
    assert {(example.row, example.column, example.box) for example in examples} == {(0, 0, (0, 0, 8, 8))}
    assert len(logits.to_dataframe()) == 3
    assert len(logits.unit_map("4").units) == 3


def test_what_the_index_does_not_keep_is_said(bundle, images, index):
    small = dw.ActivationIndex.build(bundle, images, layers=["conv1"], device="cpu", progress=False, negative=False, samples=0)
    for ask in (lambda: small.near_copies("conv1"), lambda: small.unit_map("conv1"), lambda: small.whole_range("conv1", 0)):
        with pytest.raises(ActivationIndexError, match=r"no sampled crops.*build one with samples=256"):
            ask()
    with pytest.raises(ActivationIndexError, match="no most negative activations: build it with negative=True"):
        small.most_negative("conv1", 0)
    hooked = replace(index, tallies={name: replace(tally, negative=None) for name, tally in index.tallies.items()})
    with pytest.raises(ActivationIndexError, match="the model was run by hooks"):
        hooked.most_negative("conv1", 0)
    with pytest.raises(ActivationIndexError, match="no strongest activations per class: build it with per_class"):
        small.top_of_class("conv1", 0, "cat")
    frame = small.to_dataframe()
    assert frame[["nearest_unit", "nearest_correlation", "most_negative"]].isna().all(axis=None)
    assert frame.attrs["samples"] == 0


def test_without_pandas_the_extra_is_named(index, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for table in (index.to_dataframe, index.top_dataframe):
        with pytest.raises(ActivationIndexError, match=r"need pandas: pip install 'deconvwidgets\[dataframe\]'"):
            table("conv1")
    assert index.units("conv1", "dead") == [DEAD]


def test_an_index_does_not_load_what_only_tables_and_maps_need():
    script = (
        "import deconvwidgets.index.activation_index, sys; print(*sorted({'pandas', 'sklearn', 'umap', 'pyarrow'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == []
