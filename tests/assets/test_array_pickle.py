"""Only arrays are loaded from a pickle; anything that would run code is refused before it runs."""

import os
import pickle

import numpy as np
import pytest

from deconvwidgets.assets.array_pickle import read_array_tree
from deconvwidgets.errors import AssetError

TREE = {"Net_0": {"Conv_0": {"kernel": np.arange(12, dtype=np.float32).reshape(2, 3, 2), "bias": np.zeros(2, np.float32)}}}


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_are_loaded_unchanged(protocol):
    tree = read_array_tree(pickle.dumps(TREE, protocol=protocol))
    np.testing.assert_array_equal(tree["Net_0"]["Conv_0"]["kernel"], TREE["Net_0"]["Conv_0"]["kernel"])
    assert tree["Net_0"]["Conv_0"]["bias"].dtype == np.float32


def test_pickles_of_numpy_1_are_loaded():
    data = pickle.dumps(TREE, protocol=3).replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")
    assert b"cnumpy.core.multiarray" in data
    assert read_array_tree(data)["Net_0"]["Conv_0"]["kernel"].shape == (2, 3, 2)


def test_lists_are_read_as_dictionaries_with_numbers():
    tree = read_array_tree(pickle.dumps({"conv1": [np.ones((1, 1, 3, 2)), np.zeros(2)]}, protocol=3))
    assert list(tree["conv1"]) == ["0", "1"]
    assert tree["conv1"]["0"].shape == (1, 1, 3, 2)


class MakesFolder:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_code_in_a_pickle_does_not_run(tmp_path):
    marker = tmp_path / "ran"
    data = pickle.dumps({"Net_0": {"kernel": np.zeros(3)}, "x": MakesFolder(str(marker))})
    pickle.loads(data)
    assert marker.is_dir(), "the pickle does not run code even without protection"
    marker.rmdir()
    with pytest.raises(AssetError, match=r"mkdir"):
        read_array_tree(data)
    assert not marker.exists()


@pytest.mark.parametrize("target", [b"cbuiltins\neval\n", b"cnumpy\nload\n", b"cnumpy\nndarray.tofile\n", b"cposix\nsystem\n"])
def test_other_functions_are_refused(target):
    with pytest.raises(AssetError, match="refers to"):
        read_array_tree(target + b"(S'1'\ntR.")


@pytest.mark.parametrize(
    "content",
    [[np.zeros(2)], {"a": 3}, {"a": [3]}, {1: np.zeros(2)}, {"a": np.array([{}], dtype=object)}, {"a": np.array(["x"])}, np.zeros(2)],
)
def test_other_content_is_refused(content):
    with pytest.raises(AssetError):
        read_array_tree(pickle.dumps(content))


def test_truncated_pickles_are_refused():
    data = pickle.dumps(TREE, protocol=3)
    for length in range(len(data) - 1):
        with pytest.raises(AssetError):
            read_array_tree(data[:length])
