"""A pass against a literal reference, and its independence of batches, parts and order."""

import copy
import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.errors import ActivationIndexError, ModelError
from deconvwidgets.index.activation_index import ActivationIndex, layers_to_index
from deconvwidgets.index.exact_sums import integers_of
from deconvwidgets.index.index_pass import IndexPass
from deconvwidgets.index.options import IndexOptions
from deconvwidgets.index.sample import sample_hashes

COPY = {3: 2}  # photograph 3 of the noise is a copy of photograph 2
SETTINGS = {"k": 4, "samples": 10, "per_class": 2, "seed": 5}


def build(bundle, images, **options):
    return ActivationIndex.build(bundle, images, **{"progress": False, "device": "cpu", **SETTINGS, **options})


def state(index):
    manifest, tensors = index.state()
    return manifest, {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in tensors.items()}


def decoded(bundle, images, crops):
    return CropDecoder.of(bundle, images).decode(crops)


@pytest.fixture
def net(tiny_bundle):
    """A bundle of a network with a rectifier that reads a batch norm, a leaky one, a residual sum, and a classifier."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm = nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6)
            self.second, self.third, self.head = nn.Conv2d(6, 6, 1), nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 3)

        def forward(self, x):
            x = nn.functional.relu(self.norm(self.first(x)))
            x = nn.functional.leaky_relu(self.second(x), 0.1)
            return self.head(nn.functional.relu(x + self.third(x)).mean((2, 3)))

    torch.manual_seed(3)
    model = Net().eval()
    model.norm.running_mean.normal_()
    model.norm.running_var.uniform_(0.5, 2)
    transform = replace(tiny_bundle.transform.resized_to(20, 20), mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    return replace(tiny_bundle, name="net", model=model, transform=transform, input_size=(3, 20, 20))


def maps_of(bundle, images, layers):
    """Return the maps of the layers' modules and of what their rectifiers read, by plain PyTorch and hooks: block by block, as the pass."""
    block = torch.zeros(-(-len(images) // 32) * 32, *bundle.input_size)
    for crop in range(len(images)):
        block[crop] = bundle.prepare(images.open_crop(crop))
    found, model = {name: [] for name in layers}, copy.deepcopy(bundle.model).to(memory_format=torch.channels_last)
    handles = [
        module.register_forward_hook(lambda module, args, output, name=name: found[name].append(output.clone()))
        for name, module in model.named_modules()
        if name in layers
    ]
    with torch.no_grad():
        for part in block.contiguous(memory_format=torch.channels_last).split(32):
            model(part)
    for handle in handles:
        handle.remove()
    return {name: torch.cat(parts)[: len(images)] for name, parts in found.items()}


def rows_of(maps, images, unit, sign):
    """Return (value, crop, source, number, row, column) of the extreme of every crop's map, as one loop over everything."""
    rows = []
    for crop in range(len(images)):
        table = (sign * maps[crop, unit]).tolist()
        cells = itertools.product(range(len(table)), range(len(table[0])))
        row, column = min(cells, key=lambda at: (-table[at[0]][at[1]], at))
        record = images.crop(crop)
        rows.append((table[row][column], crop, COPY.get(record.source, record.source), record.number, row, column))
    return rows


def strongest(rows, k, per_source=1):
    """Return the strongest as (value, crop, row, column): one per crop of a content, `per_source` per content."""
    seen, count, found = set(), {}, []
    for value, crop, content, number, row, column in sorted(rows, key=lambda row: (-row[0], row[1])):
        if (content, number) not in seen and count.get(content, 0) < per_source:
            found.append((value, crop, row, column))
            count[content] = count.get(content, 0) + 1
        seen.add((content, number))
    return found[:k]


def listed(ranking, place):
    columns = (ranking.values, ranking.crops, ranking.rows, ranking.columns)
    return list(zip(*(column[place, : ranking.counts[place]].tolist() for column in columns), strict=True))


@pytest.mark.parametrize("per_source", [1, 3])
def test_everything_equals_a_literal_reference(tiny_bundle, tiny_images, per_source):
    index = build(tiny_bundle, tiny_images, layers=["conv1", "conv2"], per_source=per_source)
    maps = maps_of(tiny_bundle, tiny_images, ["0", "1", "3"])
    chosen = chosen_sample(tiny_images, index)
    assert index.sample.crops.tolist() == chosen
    for layer, name, before in (("conv1", "1", "0"), ("conv2", "3", "3")):
        tally = index.tallies[name]
        for unit in range(index.layer(layer).channels):
            rows = rows_of(maps[name], tiny_images, unit, 1)
            assert listed(tally.ranking, unit) == strongest([row for row in rows if row[0] != 0], 4, per_source)
            negative = [row for row in rows_of(maps[before], tiny_images, unit, -1) if row[0] > 0]
            assert listed(tally.negative, unit) == strongest(negative, 4, per_source)
            for label in range(3):
                of_class = [row for row in rows if row[0] != 0 and tiny_images.label(tiny_images.crop(row[1]).source) == label]
                assert listed(tally.per_class, 3 * unit + label) == strongest(of_class, 2, per_source)
            values = [Fraction(row[0]) for row in rows]
            assert integers_of(tally.stats.sums)[unit] == sum(values) * 2**149
            assert integers_of(tally.stats.squares)[unit] == sum(value * value for value in values) * 2**298
            assert index.sample_values(layer)[unit].tolist() == [rows[crop][0] for crop in chosen]
            assert index.sample_positions(layer)[unit].tolist() == [list(rows[crop][4:]) for crop in chosen]


def chosen_sample(images, index):
    """Return the crops of the sample by one sort of everything; of copies the first."""
    contents = {crop: images.read_source(images.crop(crop).source).content for crop in range(len(images))}
    first = {(contents[crop], images.crop(crop).number): crop for crop in reversed(range(len(images)))}
    keys = np.array(list(first), np.uint64)
    hashes = sample_hashes(SETTINGS["seed"], keys[:, 0], keys[:, 1].astype(np.int64))
    return [first[key] for _, key in sorted(zip(hashes.tolist(), first, strict=True))][: SETTINGS["samples"]]


def test_copies_are_listed_and_count_in_the_statistics(tiny_bundle, tiny_images):
    index = build(tiny_bundle, tiny_images)
    assert [(group.content, group.sources) for group in index.copies] == [(tiny_images.read_source(2).content, (2, 3))]
    assert (index.contents != 0).all()
    assert index.tallies["1"].stats.count == 42
    sources = index.tallies["1"].ranking.sources
    assert not (sources == 3).any()


def test_an_index_does_not_depend_on_batches_parts_workers_or_order(net, noise, monkeypatch):
    images = noise(count=30, broken=[4, 11])
    whole = build(net, images)
    expected = state(whole)
    assert whole.tallies[whole.layers[0].name].negative is not None
    for options in ({"batch_size": 1}, {"batch_size": 7, "workers": 0}, {"batch_size": 64, "workers": 1}):
        assert state(build(net, images, **options)) == expected
    parts = [build(net, images, crops=range(*bounds)) for bounds in ((0, 5), (5, 33), (33, 64), (64, 90))]
    for order in ((3, 1, 0, 2), (2, 0, 3, 1)):
        merged = parts[order[0]].merge(parts[order[1]]).merge(parts[order[2]].merge(parts[order[3]]))
        assert state(merged) == expected
    monkeypatch.setattr("deconvwidgets.index.top_k._SMALLEST_BUFFER", 8)
    monkeypatch.setattr("deconvwidgets.index.reduction._MAX_SHARE", 2.0)
    assert state(build(net, images, workers=0)) == expected


def test_batches_in_any_order_and_a_restart_give_the_same_index(net, tiny_images):
    infos, options = layers_to_index(net, None), IndexOptions(**SETTINGS)
    expected = state(build(net, tiny_images))
    empty = ActivationIndex.empty(net, tiny_images, infos, options)
    first = IndexPass(net, empty)
    for crops in (range(20, 42), range(3)):
        first.add(decoded(net, tiny_images, crops))
    so_far = first.index()
    assert so_far.crop_ranges == ((0, 3), (20, 42))
    second = IndexPass(net, ActivationIndex.from_state(*so_far.state()))
    second.add(decoded(net, tiny_images, range(3, 20)))
    assert state(second.index()) == expected
    assert so_far.crops == 25  # it did not change


def test_positions_of_all_maps_and_of_candidates_only_are_the_same(net, tiny_images, monkeypatch):
    expected = state(build(net, tiny_images))
    monkeypatch.setattr("deconvwidgets.index.reduction._MAX_SHARE", -1.0)  # as on a GPU
    assert state(build(net, tiny_images)) == expected


def test_an_index_of_some_layers_is_the_part_of_an_index_of_all(net, tiny_images):
    names = [info.name for info in net.network.layers]
    whole, one = state(build(net, tiny_images, layers=names))[1], state(build(net, tiny_images, layers=[names[0]]))[1]
    assert len(names) > 2
    for name in one.keys() - {"labels"}:
        assert one[name] == whole[name], name


def test_infinity_before_a_rectifier_is_refused_by_layer_and_crop(tiny_model, tiny_images):
    broken = tiny_model()
    with torch.no_grad():
        broken.model[0].bias[1] = float("-inf")
    with pytest.raises(ModelError, match="Layer 1 contains NaN or infinity for crop 0"):
        build(broken, tiny_images)
    with pytest.raises(ModelError, match="Layer 1"):
        build(broken, tiny_images, layers=["conv2", "conv1"])


def test_a_model_that_is_not_traced_has_no_most_negative_activations(tiny_bundle, tiny_images):
    class Branching(nn.Module):
        def __init__(self, inside):
            super().__init__()
            self.inside = inside

        def forward(self, x):
            return self.inside(x) if float(x.detach().sum()) < 1e9 else x

    bundle = replace(tiny_bundle, model=Branching(tiny_bundle.model).eval())
    assert not bundle.network.traced
    index = build(bundle, tiny_images, layers=["inside.1"])
    assert index.tallies["inside.1"].negative is None
    assert state(ActivationIndex.from_state(*index.state())) == state(index)
    expected = build(tiny_bundle, tiny_images, layers=["1"])
    np.testing.assert_allclose(index.values("inside.1"), expected.values("1"), rtol=1e-5)


def test_options_for_less(tiny_bundle, tiny_images):
    index = build(tiny_bundle, tiny_images, negative=False, samples=0, per_class=0)
    tally = index.tallies["1"]
    assert tally.negative is None
    assert tally.per_class is None
    assert index.sample_values("conv1").shape == (4, 0)
    assert state(ActivationIndex.from_bytes(index.to_bytes())) == state(index)


def test_activations_per_class_need_classes_and_memory(tiny_bundle, tiny_images, monkeypatch):
    monkeypatch.setattr("deconvwidgets.index.activation_index._MEMORY_SHARE", 1e-9)
    with pytest.raises(ActivationIndexError, match=r"GB for 9 units and 3 classes"):
        build(tiny_bundle, tiny_images, per_class=100)
    tiny_images.categories = None
    with pytest.raises(ActivationIndexError, match="needs an image set with classes"):
        build(tiny_bundle, tiny_images, per_class=1)


def test_precisions(tiny_bundle, tiny_images):
    exact, rounded = build(tiny_bundle, tiny_images), build(tiny_bundle, tiny_images, precision="bf16")
    np.testing.assert_allclose(rounded.stats("conv1").mean, exact.stats("conv1").mean, rtol=0.02, atol=0.02)
    assert rounded.stats("conv1").mean.tolist() != exact.stats("conv1").mean.tolist()
    with pytest.raises(ActivationIndexError, match="precision=fp32"):
        exact.check(rounded.identity)
    with pytest.raises(ActivationIndexError, match="needs a CUDA GPU"):
        build(tiny_bundle, tiny_images, precision="tf32")


def test_of_equal_activations_the_smallest_crops_are_kept_whenever_they_come(tiny_bundle, monkeypatch):
    monkeypatch.setattr("deconvwidgets.index.top_k._SMALLEST_BUFFER", 1)
    images = dw.open_images([Image.new("RGB", (24 + size, 24), (90, 140, 30)) for size in range(40)])
    infos, options = layers_to_index(tiny_bundle, ["conv1"]), IndexOptions(k=2)
    index_pass = IndexPass(tiny_bundle, ActivationIndex.empty(tiny_bundle, images, infos, options))
    for crops in (range(32, 40), range(32)):
        index_pass.add(decoded(tiny_bundle, images, crops))
    ranking = index_pass.index().tallies["1"].ranking
    assert ranking.crops[ranking.counts > 0].tolist() == [[0, 1]] * int((ranking.counts > 0).sum())


@pytest.mark.parametrize("activation", [nn.GELU, nn.SiLU, nn.Hardswish, nn.ELU, nn.ReLU6, nn.LeakyReLU])
def test_the_most_negative_is_what_the_activation_function_reads(tiny_bundle, tiny_images, activation):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), activation()).eval()
    bundle = replace(tiny_bundle, model=model, classifier=None, categories=None)
    index = build(bundle, tiny_images, layers=["1"], per_source=3)
    before = maps_of(bundle, tiny_images, ["0"])["0"]
    for unit in range(4):
        expected = strongest(rows_of(before, tiny_images, unit, -1), 4, 3)
        assert listed(index.tallies["1"].negative, unit) == [row for row in expected if row[0] > 0]
