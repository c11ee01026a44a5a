"""Heads are saved and loaded unchanged; damaged and other files are refused."""

import json
import os
from dataclasses import asdict, replace

import numpy as np
import pytest
import safetensors.numpy

from deconvwidgets.errors import HeadError
from deconvwidgets.models import head_files
from deconvwidgets.models.head_files import as_head, bundled_head, describe_classes, load_head, save_head


@pytest.fixture
def head(tiny_bundle, make_head):
    return make_head(tiny_bundle, "conv2", pool=(2, 2))


def equal(first, second):
    fields, other_fields = asdict(first), asdict(second)
    return all(np.array_equal(fields.pop(name), other_fields.pop(name)) for name in ("weight", "bias")) and fields == other_fields


def test_a_head_is_loaded_unchanged(head, tmp_path):
    unusual = replace(head, categories=("", "größer", "ant\n", "象"), alias=None, pool=None, report={"a": 1, "b": 0.1, "c": "x"})
    single = replace(head, weight=head.weight.astype(np.float32) * np.float32(1.1))
    for number, saved in enumerate((head, unusual, single)):
        loaded = load_head(save_head(saved, tmp_path / f"{number}.safetensors"))
        assert equal(saved, loaded)
        assert loaded.weight.dtype == saved.weight.dtype
        assert loaded.bias.dtype == np.float32
        assert [type(value) for value in loaded.report.values()] == [type(value) for value in saved.report.values()]


def test_reports_contain_numbers_and_strings(head, tmp_path):
    numbers = {"folds": np.int64(5), "accuracy": np.float32(0.5)}
    assert load_head(save_head(replace(head, report=numbers), tmp_path / "a")).report == {"folds": 5, "accuracy": 0.5}
    with pytest.raises(HeadError, match="numbers and strings"):
        save_head(replace(head, report={"when": object()}), tmp_path / "b")
    with pytest.raises(HeadError, match="remove infinite numbers and NaN"):
        save_head(replace(head, report={"accuracy": float("nan")}), tmp_path / "b")


@pytest.mark.parametrize("text", ["[" * 200_000, "9" * 10_000, '{"pool": Infinity}', '{"pool": null, "pool": [6, 6]}'])
def test_hostile_json_with_the_right_checksum_is_refused(head, tmp_path, text):
    arrays = {"weight": head.weight, "bias": head.bias}
    metadata = {"format": "deconvwidgets head 1", "head": text, "checksum": head_files._checksum(text, arrays)}
    (tmp_path / "a.safetensors").write_bytes(safetensors.numpy.save(arrays, metadata))
    with pytest.raises(HeadError, match="is not a head, or is damaged"):
        load_head(tmp_path / "a.safetensors")


def test_the_file_is_small_and_has_an_extension(head, tmp_path):
    path = save_head(head, tmp_path / "mine")
    assert path == tmp_path / "mine.safetensors"
    assert path.stat().st_size < head.weight.nbytes + head.bias.nbytes + 2000
    assert set(safetensors.numpy.load_file(path)) == {"weight", "bias"}


def test_a_failed_save_keeps_the_existing_file(head, tmp_path, monkeypatch):
    path = save_head(head, tmp_path / "mine.safetensors")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(HeadError, match="No space left"):
        save_head(replace(head, categories=tuple("abcd")), path)
    assert equal(load_head(path), head)
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_refused(head, tmp_path):
    with pytest.raises(HeadError, match="Choose an existing folder"):
        save_head(head, tmp_path / "nowhere" / "mine.safetensors")


def test_changed_and_missing_bytes_are_detected(head, tmp_path):
    path = save_head(head, tmp_path / "mine.safetensors")
    good = path.read_bytes()
    for position in [*range(0, len(good), 37), len(good) - 1]:
        path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        try:
            loaded = load_head(path)
        except HeadError:
            continue
        assert equal(loaded, head), f"byte {position}"  # bytes without meaning, such as padding
    for length in (0, 7, 100, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(HeadError, match="is not a head, or is damaged"):
            load_head(path)


def test_a_changed_weight_is_detected(head, tmp_path):
    path = save_head(head, tmp_path / "mine.safetensors")
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata, arrays = file.metadata(), {name: file.get_tensor(name) for name in ("weight", "bias")}
    arrays["weight"][0, 0] += 1
    safetensors.numpy.save_file(arrays, path, metadata)
    with pytest.raises(HeadError, match="is damaged"):
        load_head(path)
    described = json.loads(metadata["head"])
    safetensors.numpy.save_file(arrays, path, metadata | {"head": json.dumps(described | {"layer": "features.0"})})
    with pytest.raises(HeadError, match="is damaged"):
        load_head(path)


def test_other_files_are_refused(tmp_path):
    weights = tmp_path / "weights.safetensors"
    safetensors.numpy.save_file({"weight": np.zeros((2, 3), np.float32)}, weights)
    with pytest.raises(HeadError, match="not a head of this version"):
        load_head(weights)
    text = tmp_path / "notes.txt"
    text.write_text("not a head")
    with pytest.raises(HeadError, match="is not a head"):
        load_head(text)
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(HeadError, match="There is no head file"):
            load_head(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categories": ("a", "b")}, "2 classes cannot have"),
        ({"bias": np.zeros(3, np.float32)}, "cannot have"),
        ({"weight": np.zeros((4, 20))}, "array of float16 or float32; here it is float64"),
        ({"bias": [0.0] * 4}, "not an array"),
        ({"weight": np.full((4, 20), np.inf, np.float16)}, "not all finite"),
    ],
)
def test_parts_that_do_not_fit_are_refused(head, tmp_path, changes, message):
    with pytest.raises(HeadError, match=message):
        save_head(replace(head, **changes), tmp_path / "mine.safetensors")
    assert not list(tmp_path.iterdir())


def test_as_head_accepts_a_head_a_name_and_a_path(head, tmp_path, monkeypatch):
    monkeypatch.setattr(head_files, "BUNDLED_HEADS_FOLDER", tmp_path)
    with pytest.raises(HeadError, match=r"bundled head 'caltech101' .* is missing"):
        bundled_head("caltech101")
    path = save_head(head, tmp_path / head_files.BUNDLED_HEADS["caltech101"])
    for source in (head, "caltech101", path, str(path)):
        assert equal(as_head(source), head)
    with pytest.raises(HeadError, match="no bundled head 'imagenet', only caltech101"):
        as_head("imagenet")
    with pytest.raises(HeadError, match=r"no head file folder.mine"):
        as_head(os.path.join("folder", "mine"))
    with pytest.raises(HeadError, match="head must be a Head"):
        as_head({})


def test_describe_classes(head):
    assert describe_classes(replace(head, alias="pool5")) == "Caltech-101's 4 classes (head on pool5, 84.6%)"
    without_accuracy = replace(head, alias=None, layer="features.3", dataset="my birds", report={})
    assert describe_classes(without_accuracy) == "my birds' 4 classes (head on features.3)"
