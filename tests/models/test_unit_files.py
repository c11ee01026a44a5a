"""Tests of files of units."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

import deconvwidgets as dw
from deconvwidgets.errors import LayerError
from tests.conftest import make_tiny_bundle

UNITS = {("1", 1): 0.5, ("3", 2): 0.0, ("3", 4): -1.5}


@pytest.fixture
def bundle():
    return make_tiny_bundle()


@pytest.fixture
def path(bundle, tmp_path):
    return dw.save_units(bundle.with_units(UNITS), tmp_path / "units")


def test_a_saved_file_restores_the_units(bundle, path):
    assert path.name == "units.json"
    content = json.loads(path.read_text("utf-8"))
    assert (content["model"], [(layer["name"], layer["alias"], layer["units"]) for layer in content["layers"]]) == (
        "tiny",
        [("1", "conv1", [[1, 0.5]]), ("3", "conv2", [[2, 0.0], [4, -1.5]])],
    )
    assert {layer["digest"] for layer in content["layers"]} == {bundle.network.digest("conv1"), bundle.network.digest("conv2")}
    assert dw.load_units(path, bundle) == UNITS
    assert dw.load_units(path, bundle.with_units({("conv1", 0): 0.0})) == UNITS  # the digests are of the unchanged model
    assert bundle.with_units(str(path)).units == UNITS
    os.link(path, path.with_name("other.json"))
    dw.save_units(bundle, path)  # replaced as a whole: the other name keeps the old file
    assert dw.load_units(path, bundle) == {}
    assert dw.load_units(path.with_name("other.json"), bundle) == UNITS


def test_units_of_another_model_are_refused_by_name(bundle, path):
    other = replace(make_tiny_bundle(seed=1), name="mine")
    with pytest.raises(LayerError, match=r"units\.json has units of tiny's conv1 with other weights or another structure than mine has"):
        other.with_units(path)
    content = json.loads(path.read_text("utf-8"))
    content["layers"][0]["name"] = "features.28"
    path.write_text(json.dumps(content))
    with pytest.raises(LayerError, match=r"units of tiny's layer 'features\.28', which tiny does not have"):
        dw.load_units(path, bundle)


HOSTILE = [
    "", "[]", "3", "null", '"text"', "{", "{}", '{"format": 1}', "[" * 100_000, "\ufeff\udc00",
    '{"format": "deconvwidgets units 2", "model": "tiny", "layers": []}',
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_files_that_are_no_units_are_refused(bundle, path, text):
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(LayerError, match=r"units\.json is not a file of units"):
        dw.load_units(path, bundle)


VALUES = [None, True, -1, 4, 5, 10**400, 2.5, float("nan"), float("inf"), "", "x", [], {}, [1], [[]], [1, 2, 3], {"a": 1}]


def test_every_invalid_part_is_refused_in_words(bundle, path):
    content = json.loads(path.read_text("utf-8"))

    def check(changed):
        path.write_text(json.dumps(changed))
        try:
            units = dw.load_units(path, bundle)
        except LayerError as error:
            assert str(path) in str(error)  # noqa: PT017 - any other error fails the test
        else:
            assert all(unit < 5 and abs(factor) < 10 for (_, unit), factor in units.items())

    for value in VALUES:
        for key in ("format", "model", "layers"):
            check({**content, key: value})
            check({name: part for name, part in content.items() if name != key})
        for key in ("name", "digest", "units"):
            check({**content, "layers": [{**content["layers"][0], key: value}]})
        for pair in (value, [value, 0.0], [1, value]):
            check({**content, "layers": [{**content["layers"][0], "units": [pair]}]})
        check({**content, "layers": [value]})


def test_two_factors_of_one_unit_are_refused(bundle, path):
    content = json.loads(path.read_text("utf-8"))
    (layer, *others) = content["layers"]
    unit, factor = layer["units"][0]
    again = {**layer, "units": [[unit, factor + 3]]}
    for layers in ([{**layer, "units": [*layer["units"], [unit, factor + 3]]}, *others], [layer, *others, again]):
        path.write_text(json.dumps({**content, "layers": layers}))
        with pytest.raises(LayerError, match=f"unit {unit} of .* has two factors"):
            dw.load_units(path, bundle)


def test_paths_that_cannot_be_used(bundle, tmp_path):
    with pytest.raises(LayerError, match=r"no file of units .*missing\.json"):
        bundle.with_units(tmp_path / "missing.json")
    with pytest.raises(LayerError, match="Choose an existing folder"):
        dw.save_units(bundle, tmp_path / "absent" / "units.json")
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(LayerError, match="named pipe"):
        dw.load_units(tmp_path / "pipe.json", bundle)
