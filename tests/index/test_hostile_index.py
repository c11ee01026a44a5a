"""Index files with the right checksum and hostile content: refused in words, whatever is wrong with them."""

import copy

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.index_file import encode_index

VALUES = [None, True, -1, 0, 7, 2**31, 2**63, 10**30, 1.5, 1e300, "", "conv9", [], [1], [[1, 2]], {}, {"a": 1}]


def places(value, path=()):
    """Return the paths of all entries of nested dicts and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in [(*path, key), *places(inner, (*path, key))]]


def changed(manifest, path, value):
    result = copy.deepcopy(manifest)
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return result


def load(tmp_path, manifest, tensors):
    (tmp_path / "a.index").write_bytes(encode_index(manifest, tensors))
    return dw.ActivationIndex.load(tmp_path / "a.index")


@pytest.fixture(scope="module")
def state(tiny_bundle):
    noise = np.random.default_rng(0).integers(0, 256, (5, 20, 20, 3), np.uint8)
    images = dw.open_images(list(noise))
    return dw.ActivationIndex.build(tiny_bundle, images, device="cpu", progress=False, k=2, samples=3).state()


def use(index):
    """Read what a file may have broken."""
    for info in index.layers:
        index.stats(info.name)
        index.labels(info.name)
        for unit in range(info.channels):
            index.top(info.name, unit)
    return index


@pytest.mark.slow
def test_every_hostile_value_in_a_manifest_is_refused_in_words_or_is_of_the_right_kind(tmp_path, state):
    manifest, tensors = state
    use(load(tmp_path, manifest, tensors))
    messages, taken = [], set()
    for path in places(manifest):
        for value in VALUES:
            try:
                use(load(tmp_path, changed(manifest, path, value), tensors))
                taken.add((*path, repr(value)))
            except ActivationIndexError as error:
                messages.append(str(error))
    assert len(messages) > 500
    assert all("a.index" in message and "overwrite=True" in message for message in messages)
    kinds = {
        "identity": {"7", "''", "'conv9'", "0", "True", "None", "2147483648"},
        "layers": {"7", "0", "-1", "''", "'conv9'", "None", "[]"},
    }
    kinds |= {"crop_ranges": {"0", "7", "2147483648"}, "photographs": {"7"}, "first_photograph": {"0"}, "negative": {"True"}}
    assert [path for path in taken if path[-1] not in kinds.get(path[0], {"[]"})] == []


def test_missing_and_cut_arrays_are_refused_in_words(tmp_path, state):
    manifest, tensors = state
    for name, array in tensors.items():
        for other in (None, array[:-1], array[None]):
            if name == "contents" and other is not None and other.ndim == 1:
                continue  # fewer photographs were seen, for all that is known
            broken = {key: value for key, value in {**tensors, name: other}.items() if value is not None}
            if other is None or other.shape != array.shape:
                with pytest.raises(ActivationIndexError, match=r"a\.index"):
                    use(load(tmp_path, manifest, broken))


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("0.ranking.values", (0, 0), np.nan),
        ("0.ranking.values", (0, 0), np.inf),
        ("0.ranking.values", (0, 0), -1e30),  # below the second
        ("0.ranking.values", (0, 1), 0.0),  # not listed: the unit is inactive
        ("0.ranking.values", (2, 0), np.inf),  # of a dead unit, without a crop
        ("0.ranking.values", (2, 0), np.nan),
        ("0.ranking.crops", (0, 0), 99),
        ("0.ranking.crops", (0, 0), -7),
        ("0.ranking.sources", (0, 0), 2**40),
        ("0.ranking.rows", (0, 0), 8),  # the map has 8 rows
        ("0.ranking.columns", (0, 0), 2**30),
        ("0.ranking.numbers", (0, 0), -2),
        ("0.ranking.contents", (0, 0), 1),
        ("0.ranking.contents", (2, 0), 1),
        ("0.negative.values", (0, 0), np.inf),
        ("1.negative.values", (0, 1), -1.0),
        ("0.stats.maximum", (0,), np.nan),
        ("0.stats.minimum", (0,), np.float32(1e38)),
        ("0.stats.fired", (0,), -1),
        ("0.stats.fired", (0,), 6),
        ("0.stats.sums", (0, 3), 2**50),
        ("0.stats.squares", (0, -1), -(2**20)),
        ("0.stats.squares", (0, slice(None)), 0),
        ("0.stats.histogram", (0, slice(0, 2)), [-3, 3]),
        ("0.stats.exponents", (0,), 2000),
        ("0.sample.values", (0, 0), np.inf),
        ("0.sample.positions", (0, 0), 64),
        ("0.sample.positions", (0, 0), -1),
        ("sample.crops", (0,), 5),
        ("sample.crops", (0,), -1),
        ("sample.sources", (0,), 5),
        ("sample.contents", (0,), 3),
        ("sample.numbers", (0,), -1),
    ],
)
def test_impossible_values_in_arrays_are_refused_in_words(tmp_path, state, name, place, value):
    manifest, tensors = state
    array = tensors[name].copy()
    array[place] = value
    with pytest.raises(ActivationIndexError, match=r"a\.index is a damaged activation index: .*overwrite=True"):
        load(tmp_path, manifest, {**tensors, name: array})


def test_an_index_of_no_crops_is_read_again(tiny_bundle, tiny_images, noise):
    for images, crops in ((tiny_images, range(0)), (noise(14, broken=range(1)), range(3))):
        index = dw.ActivationIndex.build(tiny_bundle, images, device="cpu", progress=False, crops=crops)
        assert use(dw.ActivationIndex.from_bytes(index.to_bytes())).to_bytes() == index.to_bytes()


def test_labels_of_other_photographs_are_refused(tmp_path, state):
    manifest, tensors = state
    for labels in ([[5, 0]], [[-1, 0]], [[0, -1]], [[1, 0], [0, 0]]):
        with pytest.raises(ActivationIndexError, match="labels are not those of photographs"):
            load(tmp_path, manifest, {**tensors, "labels": np.array(labels, np.int64)})
