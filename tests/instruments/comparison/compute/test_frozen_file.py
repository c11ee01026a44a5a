"""The file of frozen units: what is written is read again, and what others wrote is checked."""

from __future__ import annotations

import base64
import copy
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.errors import ComparisonError
from deconvwidgets.instruments.comparison.compute.frozen_file import digest_of_content, read_frozen
from deconvwidgets.instruments.comparison.compute.packed_arrays import pack_array, quantised, restored, unpack_array
from tests.conftest import NoisePhotographs, make_tiny_bundle

Document = dict[str, Any]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frozen") / "units.json"
    dw.freeze(make_tiny_bundle(), NoisePhotographs(), path, progress=False)
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    written = dw.freeze(make_tiny_bundle(), NoisePhotographs(broken=[5]), tmp_path / "u.json", progress=False)
    read = read_frozen(tmp_path / "u.json")
    assert (read.names, read.crops, read.k, read.input_size) == (written.names, written.crops, written.k, written.input_size)
    assert read.contents.tolist() == written.contents.tolist()
    assert read.contents[5] == 0
    for before, after in zip(written.layers, read.layers, strict=True):
        assert before.info == after.info
        assert (np.abs(before.values - after.values) <= after.max_error * 1.001 + 1e-7).all()
        assert np.array_equal(before.top.values, after.top.values, equal_nan=True)
        assert np.array_equal(before.descriptors, after.descriptors)
        assert before.pictures == after.pictures
        assert np.array_equal(before.statistics.mean, after.statistics.mean)


def test_another_layout_of_the_same_document_is_no_damage(path: Path, tmp_path: Path) -> None:
    (tmp_path / "u.json").write_text(json.dumps(json.loads(path.read_text()), indent=2, sort_keys=True))
    assert repr(read_frozen(tmp_path / "u.json")) == repr(read_frozen(path))


def signed(change: Callable[[Document], object]) -> Callable[[Document], None]:
    """A change of the content by somebody who also writes the right digest."""

    def apply(document: Document) -> None:
        change(document["content"])
        document["sha256"] = digest_of_content(document["content"])

    return apply


def first(content: Document) -> Document:
    layer: Document = content["layers"][0]
    return layer


BOMB = {"dtype": "|u1", "shape": [39, 4], "data": base64.b64encode(zlib.compress(bytes(1 << 26))).decode()}
DAMAGE: dict[str, tuple[Callable[[Document], object], str]] = {
    "a flipped digit": (lambda d: d["content"]["kept"].update(k=8), "SHA-256 does not match"),
    "another format": (lambda d: d.update(format="deconvwidgets units 1"), "its format is"),
    "a later version": (lambda d: d.update(version=2), "version 2 of the format, and this deconvwidgets reads up to 1"),
    "version 0": (lambda d: d.update(version=True), "its version is True"),
    "no content": (lambda d: d.pop("content"), "it lacks 'content'"),
    "no layers": (signed(lambda c: c.update(layers=[])), "there are no layers"),
    "the same layer twice": (signed(lambda c: c["layers"].append(copy.deepcopy(first(c)))), "two of the same name"),
    "a huge layer": (signed(lambda c: first(c).update(channels=1 << 19)), "instead of"),
    "an array that unpacks to more": (signed(lambda c: first(c)["values"].update(codes=BOMB)), "are not 156 bytes"),
    "NaN in statistics": (signed(lambda c: first(c)["statistics"].update(mean=pack_array(np.full(4, np.nan, np.float32)))), "not finite"),
    "a photograph that is not there": (
        signed(lambda c: first(c)["top"].update(sources=pack_array(np.full((4, 9), 99, np.int32)))),
        "of photographs that the file does not list",
    ),
    "a position outside": (
        signed(lambda c: first(c)["top"].update(rows=pack_array(np.full((4, 9), 99, np.int32)))),
        "impossible values or positions",
    ),
    "a picture of something else": (signed(lambda c: first(c)["pictures"].__setitem__(0, "PHN2Zz4=")), "is no WebP"),
    "a rule of its own": (signed(lambda c: first(c).update(rule="<b>")), "is no rule"),
    "a list for a name": (signed(lambda c: c.update(model=["a"])), "is not text"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_foreign_or_hostile_file_is_refused_by_name(path: Path, tmp_path: Path, name: str) -> None:
    change, message = DAMAGE[name]
    document = json.loads(path.read_text())
    change(document)
    (tmp_path / "units.json").write_text(json.dumps(document))
    with pytest.raises(ComparisonError, match=message):
        read_frozen(tmp_path / "units.json")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 5000, b'{"format": NaN}'])
def test_what_is_no_json_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "units.json").write_bytes(data)
    with pytest.raises(ComparisonError, match="is no file of frozen units, or is damaged"):
        read_frozen(tmp_path / "units.json")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ComparisonError, match=r"There is no file .*units.json. Write one with deconvwidgets freeze"):
        read_frozen(tmp_path / "units.json")


def test_activations_are_kept_to_half_a_step_and_zeros_exactly() -> None:
    values = np.maximum(np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32), 0)
    codes, low, step = quantised(values)
    back = restored(codes, low, step)
    assert (np.abs(back - values) <= step / 2 * 1.001).all()
    assert (back[values == 0] == 0).all()
    assert unpack_array(pack_array(codes), "uint8", (50, 6)).tolist() == codes.tolist()
