"""Heads in files: what goes in comes out, and nothing damaged or foreign passes."""

import json
import os
from dataclasses import asdict, replace

import numpy as np
import pytest
import safetensors.numpy

from deconvwidgets.errors import HeadError
from deconvwidgets.models import head_files as heads
from deconvwidgets.models.head_files import as_head, bundled_head, describe_classes, load_head, save_head


@pytest.fixture
def head(tiny_bundle, make_head):
    return make_head(tiny_bundle, "conv2", pool=(2, 2))


def same(one, other):
    own, others = asdict(one), asdict(other)
    return all(np.array_equal(own.pop(name), others.pop(name)) for name in ("weight", "bias")) and own == others


def test_a_head_comes_back_as_it_was(head, tmp_path):
    odd = replace(head, categories=("", "größer", "ant\n", "象"), alias=None, pool=None, report={"a": 1, "b": 0.1, "c": "x"})
    exact = replace(head, weight=head.weight.astype(np.float32) * np.float32(1.1))
    for number, one in enumerate((head, odd, exact)):
        again = load_head(save_head(one, tmp_path / f"{number}.safetensors"))
        assert same(one, again)
        assert again.weight.dtype == one.weight.dtype
        assert again.bias.dtype == np.float32
        assert [type(value) for value in again.report.values()] == [type(value) for value in one.report.values()]


def test_reports_hold_numbers_and_words(head, tmp_path):
    numbers = {"folds": np.int64(5), "accuracy": np.float32(0.5)}
    assert load_head(save_head(replace(head, report=numbers), tmp_path / "a")).report == {"folds": 5, "accuracy": 0.5}
    with pytest.raises(HeadError, match="numbers and words"):
        save_head(replace(head, report={"when": object()}), tmp_path / "b")


def test_the_file_is_small_and_named(head, tmp_path):
    path = save_head(head, tmp_path / "mine")
    assert path == tmp_path / "mine.safetensors"
    assert path.stat().st_size < head.weight.nbytes + head.bias.nbytes + 2000
    assert set(safetensors.numpy.load_file(path)) == {"weight", "bias"}


def test_a_save_that_fails_leaves_the_old_file(head, tmp_path, monkeypatch):
    path = save_head(head, tmp_path / "mine.safetensors")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(HeadError, match="No space left"):
        save_head(replace(head, categories=tuple("abcd")), path)
    assert same(load_head(path), head)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_said(head, tmp_path):
    with pytest.raises(HeadError, match="Choose a folder that exists"):
        save_head(head, tmp_path / "nowhere" / "mine.safetensors")


def test_no_flipped_or_missing_byte_passes(head, tmp_path):
    path = save_head(head, tmp_path / "mine.safetensors")
    good = path.read_bytes()
    for place in [*range(0, len(good), 37), len(good) - 1]:
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        try:
            read = load_head(path)
        except HeadError:
            continue
        assert same(read, head), f"byte {place}"  # padding and such
    for length in (0, 7, 100, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(HeadError, match="is no head, or is damaged"):
            load_head(path)


def test_a_changed_weight_is_noticed(head, tmp_path):
    path = save_head(head, tmp_path / "mine.safetensors")
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata, arrays = file.metadata(), {name: file.get_tensor(name) for name in ("weight", "bias")}
    arrays["weight"][0, 0] += 1
    safetensors.numpy.save_file(arrays, path, metadata)
    with pytest.raises(HeadError, match="is damaged"):
        load_head(path)
    words = json.loads(metadata["head"])
    safetensors.numpy.save_file(arrays, path, metadata | {"head": json.dumps(words | {"layer": "features.0"})})
    with pytest.raises(HeadError, match="is damaged"):
        load_head(path)


def test_other_files_are_refused(tmp_path):
    foreign = tmp_path / "weights.safetensors"
    safetensors.numpy.save_file({"weight": np.zeros((2, 3), np.float32)}, foreign)
    with pytest.raises(HeadError, match="no head of this version"):
        load_head(foreign)
    text = tmp_path / "notes.txt"
    text.write_text("no head at all")
    with pytest.raises(HeadError, match="is no head"):
        load_head(text)
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(HeadError, match="There is no head file"):
            load_head(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"categories": ("a", "b")}, "2 classes cannot have"),
        ({"bias": np.zeros(3, np.float32)}, "cannot have"),
        ({"weight": np.zeros((4, 20))}, "array of float16 or float32; this one's is float64"),
        ({"bias": [0.0] * 4}, "no array"),
        ({"weight": np.full((4, 20), np.inf, np.float16)}, "not all finite"),
    ],
)
def test_parts_that_do_not_fit_are_refused(head, tmp_path, changes, words):
    with pytest.raises(HeadError, match=words):
        save_head(replace(head, **changes), tmp_path / "mine.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_head_is_found_by_name_path_or_itself(head, tmp_path, monkeypatch):
    monkeypatch.setattr(heads, "BUNDLED_HEADS_FOLDER", tmp_path)
    with pytest.raises(HeadError, match="lacks the shipped head 'caltech101'"):
        bundled_head("caltech101")
    path = save_head(head, tmp_path / heads.BUNDLED_HEADS["caltech101"])
    for what in (head, "caltech101", path, str(path)):
        assert same(as_head(what), head)
    with pytest.raises(HeadError, match="there is caltech101"):
        as_head("imagenet")
    with pytest.raises(HeadError, match="A dict is no head"):
        as_head({})


def test_whose_classes(head):
    assert describe_classes(replace(head, alias="pool5")) == "Caltech-101's 4 classes (head on pool5, 84.6 %)"
    mine = replace(head, alias=None, layer="features.3", dataset="my birds", report={})
    assert describe_classes(mine) == "my birds' 4 classes (head on features.3)"
