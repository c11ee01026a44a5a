"""The change of each unit under shifts, against plain PyTorch, and the units that the finding names."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import deconvwidgets as dw
from deconvwidgets.instruments.diagnosis.compute.layer_findings import shifts
from deconvwidgets.models.bundle import ModelBundle
from tests.instruments.diagnosis.planted import SmoothPhotographs, bundle_of, network

IMAGES = SmoothPhotographs(12)


@pytest.fixture(autouse=True)
def cache(own_cache):
    """Indexes are built into a folder of the test."""


def crop(source: int, right: int) -> torch.Tensor:
    """Return the input of a photograph that is moved to the right."""
    resized = IMAGES.open_source(source).resize((40, 40), Image.Resampling.BILINEAR).crop((4 - right, 4, 36 - right, 36))
    return ((torch.from_numpy(np.asarray(resized).copy()).permute(2, 0, 1) / 255 - 0.5) / 0.25)[None]


def selective() -> ModelBundle:
    """Return a network of whose last map unit 3 is active in four photographs, unit 4 in five, and unit 5 in none."""
    model = network()
    with torch.no_grad():
        before = torch.cat([model[:4](crop(source, 0)).amax((2, 3)) for source in range(12)]).sort(dim=0, descending=True).values
        for unit, photographs in ((3, 4), (4, 5)):
            model[3].bias[unit] -= before[photographs - 1 : photographs + 1, unit].mean()
        model[3].bias[5] = -1000.0
    return bundle_of(model)


def expected_changes(bundle: ModelBundle, pixels: int) -> tuple[list[float], list[int]]:
    """Return the median change of each unit of the last map at a shift, and in how many photographs it is active."""
    changes, counts = [], []
    for unit in range(16):
        found = []
        for source in range(12):
            still, moved = (float(bundle.model[:5](crop(source, right)).detach()[0, unit].max()) for right in (0, pixels))
            if still > 0:
                found.append(abs(moved - still) / still)
        changes.append(float(np.median(found)) if len(found) >= 5 else float("nan"))
        counts.append(len(found))
    return changes, counts


@pytest.mark.parametrize("pixels", [(1, 2, 4), (4, 0, 1)])
def test_the_changes_of_units_are_those_of_a_loop_over_photographs(pixels):
    bundle = selective()
    units = dw.shift_response(bundle, IMAGES, shifts=pixels, device="cpu").units
    assert (units.layer, units.shifts, units.changes.shape) == ("conv2", pixels, (3, 16))
    for row, shift in enumerate(pixels):
        changes, counts = expected_changes(bundle, shift)
        np.testing.assert_allclose(units.changes[row], changes, rtol=1e-3, atol=1e-5)
        assert np.array_equal(units.at(shift), units.changes[row], equal_nan=True)
        assert units.photographs.tolist() == counts
        assert counts[3:6] == [4, 5, 0]
        assert np.isnan(units.changes[row]).tolist() == [count < 5 for count in counts]
    assert units.at(3) is None


@pytest.mark.parametrize("layers", [["conv1", "conv2"], ["conv2", "conv1"]])
def test_the_finding_names_the_eight_units_that_change_most(layers):
    bundle = selective()
    found = dw.diagnose(bundle, IMAGES, layers=layers, device="cpu")
    finding, (changes, counts) = found.finding("shift"), expected_changes(bundle, 1)
    further = [expected_changes(bundle, pixels)[0] for pixels in (2, 4)]
    order = sorted((unit for unit in range(16) if counts[unit] >= 5), key=lambda unit: -changes[unit])[:8]
    assert [(unit.layer, unit.unit) for unit in finding.units] == [("conv2", unit) for unit in order]
    assert [unit.value for unit in finding.units] == pytest.approx([changes[unit] for unit in order], rel=1e-3)
    for unit in finding.units:
        shares = ", ".join(f"{values[unit.unit]:.0%}" for values in (changes, *further))
        assert unit.text == f"changes by {shares} at 1, 2, 4 px, {counts[unit.unit]} photographs"
    assert finding.evidence.endswith("Units: the median of the photographs in which a unit is active, at least 5.")
    rows = [row for row in csv.DictReader(io.StringIO(dw.diagnosis_file(found, "csv").decode())) if row["check"] == "shift"]
    assert [(row["layer"], int(row["unit"]), float(row["value"]), row["text"]) for row in rows] == [
        ("conv2", one.unit, one.value, one.text) for one in finding.units
    ]
    page = dw.diagnosis_file(found, "html").decode()
    assert all(f"conv2 / {one.unit} ({one.text})" in page for one in finding.units)
    units = json.loads(dw.diagnosis_file(found, "json"))["shift"]["units"]
    assert (units["layer"], units["shifts"], units["photographs"]) == ("conv2", [1, 2, 4], counts)
    assert units["changes"] == [[None if np.isnan(one) else one for one in row] for row in found.shift.units.changes.tolist()]


def test_the_finding_gives_the_changes_of_units_at_the_shifts_that_were_measured():
    curves = dw.shift_response(selective(), IMAGES, shifts=[4, 1, 3], device="cpu")
    (first, *_) = shifts(curves, "conv2", [], pools=False).units
    shares = ", ".join(f"{curves.units.at(pixels)[first.unit]:.0%}" for pixels in (1, 4))
    assert first.text.startswith(f"changes by {shares} at 1, 4 px, ")


def test_without_enough_photographs_or_a_shift_by_1_no_unit_is_named():
    bundle = selective()
    curves = dw.shift_response(bundle, IMAGES, shifts=[1], photographs=4, device="cpu")
    assert np.isnan(curves.units.changes).all()
    assert curves.units.photographs.max() == 4
    assert shifts(curves, "conv2", [], pools=False).units == ()
    later = dw.shift_response(bundle, IMAGES, shifts=[0, 2], device="cpu")
    assert later.units.at(1) is None
    assert shifts(later, "conv2", [], pools=False).units == ()
    assert dw.shift_response(bundle, IMAGES, shifts=[1], layers=["fc3"], photographs=1, device="cpu").units is None


def test_a_record_without_changes_of_units_is_written_and_names_none():
    found = dw.diagnose(selective(), IMAGES, shift_photographs=5, device="cpu")
    old = replace(found, shift=replace(found.shift, units=None))
    assert json.loads(dw.diagnosis_file(old, "json"))["shift"]["units"] is None
    assert all(dw.diagnosis_file(old, kind) for kind in ("html", "csv", "png"))
    finding = shifts(old.shift, "conv2", [], pools=False)
    assert (finding.level, finding.units) == (found.finding("shift").level, ())
    assert "Units:" not in finding.evidence
