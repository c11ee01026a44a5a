"""`dw.compare`: indexes in the cache, pairs of layers, refusals, and the comparison as a table."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import ActivationIndexError, ComparisonError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.comparison.records import Thresholds
from tests.conftest import NoisePhotographs
from tests.instruments.comparison.planted import bundle_of, conv_net, index_of, silenced, with_units_from

IMAGES = NoisePhotographs(30)
QUIET = {"progress": False, "device": "cpu"}


@pytest.fixture(scope="module")
def pair():
    changed = silenced(with_units_from(conv_net(), 0, [1, 0, 2, 3, 4, 5]), 1, 4)
    return index_of(conv_net(), IMAGES, "before"), index_of(changed, IMAGES, "after")


@pytest.fixture(scope="module")
def comparison(pair):
    return dw.compare_indexes(*pair)


def test_indexes_are_built_once(own_cache, monkeypatch):
    bundles = bundle_of(conv_net(), "before"), bundle_of(silenced(conv_net(), 1, 4), "after")
    first = dw.compare(*bundles, IMAGES, **QUIET)
    assert (first.name_a, first.name_b, first.image_set, first.died("conv2")) == ("before", "after", "noise", (4,))
    monkeypatch.setattr("deconvwidgets.index.building.build_local", None)
    again = dw.compare(*bundles, IMAGES, **QUIET)
    assert np.array_equal(first.cka, again.cka)
    part = dw.compare(*bundles, IMAGES, ["conv2"], **QUIET)
    assert [one.short_name for one in part.layers] == ["conv2"]
    assert part.died("conv2") == (4,)


def test_a_cache_that_cannot_be_written_is_said(own_cache):
    own_cache.write_text("a file, where the folder should be")
    bundle = bundle_of(conv_net())
    with pytest.warns(UserWarning, match="built without the cache"):
        assert dw.compare(bundle, bundle, IMAGES, ["conv1"], **QUIET).kept("conv1") == tuple(range(6))


def test_all_different_crops_are_compared_or_a_sample(own_cache):
    bundle = bundle_of(conv_net())
    every = dw.compare(bundle, bundle, IMAGES, ["conv1"], **QUIET)
    assert (every.crops, every.total) == (87, 90)  # one of 30 photographs, with 3 crops, is a copy
    some = dw.compare(bundle, bundle, IMAGES, ["conv1"], samples=20, **QUIET)
    assert (some.crops, some.total) == (20, 90)
    assert "20 of 90" in repr(some)
    assert some.kept("conv1") == tuple(range(6))


def test_input_sizes_may_differ():
    images = dw.open_images("photos", limit=30)
    first = index_of(conv_net(), images)
    second = ActivationIndex.build(bundle_of(conv_net(), side=36), images, samples=256, progress=False, device="cpu")
    comparison = dw.compare_indexes(first, second)
    assert any("inputs of 24 x 24 and 36 x 36 pixels" in note for note in comparison.notes)
    assert comparison.layer("conv1").median_correlation > 0.5


def test_layers_are_paired_by_name_by_cka_or_as_given(pair):
    first, second = pair
    assert [(one.info_a.alias, one.info_b.alias, one.paired) for one in dw.compare_indexes(first, second).layers] == [
        (f"conv{number}", f"conv{number}", "name") for number in (1, 2, 3)
    ]
    given = dw.compare_indexes(first, second, {"conv1": "conv2"})
    assert [(one.info_a.alias, one.info_b.alias, one.paired) for one in given.layers] == [("conv1", "conv2", "given")]
    shifted = index_of(nn.Sequential(*(nn.Identity() for _ in range(7)), *conv_net()).eval(), IMAGES)
    found = dw.compare_indexes(*(replace(index, layers=tuple(replace(i, alias=None) for i in index.layers)) for index in (first, shifted)))
    assert [(one.info_a.name, one.info_b.name, one.paired) for one in found.layers] == [
        ("1", "8", "CKA"),
        ("3", "10", "CKA"),
        ("5", "12", "CKA"),
    ]
    assert all(one.counts["kept"] == len(one.a.status) for one in found.layers)


def test_what_cannot_be_compared_is_refused(pair):
    first, second = pair
    other = index_of(conv_net(), NoisePhotographs(30, seed=1))
    with pytest.raises(ActivationIndexError, match="different image sets"):
        dw.compare_indexes(first, other)
    with pytest.raises(ComparisonError, match=r"after: .*no layer 'conv9'.*choose pairs"):
        dw.compare_indexes(first, second, {"conv1": "conv9"})
    few = index_of(conv_net(), NoisePhotographs(4), crops=range(2))
    with pytest.raises(ComparisonError, match="too few for correlations"):
        dw.compare_indexes(few, few)
    for values in ({"same": 1.1}, {"related": 0.0}, {"same": 0.4}, {"same": float("nan")}, {"related": "0.5"}):
        with pytest.raises(ComparisonError, match="0 < related <= same <= 1"):
            Thresholds(**values)
    with pytest.raises(ComparisonError, match="thresholds"):
        dw.compare_indexes(first, second, thresholds=0.95)
    comparison = dw.compare_indexes(first, second)
    with pytest.raises(ComparisonError, match=r"no layer 'conv9'. It has conv1, conv2, conv3"):
        comparison.kept("conv9")
    with pytest.raises(ComparisonError, match="choose correlation, strongest or share_active"):
        comparison.changed_most(by="size")


def test_thresholds_are_raised_where_few_crops_are_compared():
    images = NoisePhotographs(5)
    index = index_of(conv_net(), images, crops=range(9))
    comparison = dw.compare_indexes(index, index)
    assert comparison.crops == 9
    assert comparison.layer("conv2").thresholds == Thresholds(same=1, related=1)
    assert any("can be chance" in note for note in comparison.notes)
    assert comparison.kept("conv2") == tuple(range(8))


def test_the_most_changed_units_come_first(comparison):
    found = comparison.changed_most(count=1000)
    values = [match.correlation for _, match in found]
    assert values == sorted(values)
    assert len(found) == 6 + 7 + 7  # of the killed unit there is no correlation
    (layer, match), *_ = comparison.changed_most("conv2", 1, by="share_active")
    assert (layer, match.unit_a, match.status) == ("conv2", 4, "died")
    pair = comparison.layer("conv3")
    strongest = [pair.strongest[match.unit_a] for _, match in comparison.changed_most("conv3", by="strongest")]
    assert strongest == sorted(strongest)


def test_strongest_photographs_in_common(pair, comparison):
    first, second = pair
    for unit, other in enumerate(comparison.layer("conv3").a.match.tolist()):
        mine, theirs = (
            {int(index.contents[image // 3]) for image in index.image_ids("conv3")[number] if image >= 0}
            for index, number in ((first, unit), (second, other))
        )
        assert comparison.layer("conv3").strongest[unit] == pytest.approx(len(mine & theirs) / 9)


def test_the_table(comparison):
    pytest.importorskip("pandas")
    frame = comparison.to_dataframe()
    assert len(frame) == 6 + 8 + 7
    assert frame.attrs == {"a": "before", "b": "after", "images": "noise", "crops": 87}
    row = frame[(frame.layer_a == "conv2") & (frame.unit_a == 4)].iloc[0]
    assert (row.status, row.status_b, row.share_active_b) == ("died", "dead", 0)
    assert frame[frame.layer_a == "conv1"].unit_b.tolist() == [1, 0, 2, 3, 4, 5]
    table = list(csv.DictReader(io.StringIO(comparison.to_csv().decode())))
    assert list(table[0]) == list(frame.columns)
    assert [float(one["correlation"]) for one in table if one["correlation"]] == frame.correlation.dropna().tolist()


def test_the_summaries(comparison):
    text, page = repr(comparison), comparison._repr_html_()
    assert text.splitlines()[0] == "a: before, b: after, over 87 of 90 crops of 29 photographs (noise)"
    conv2 = text.splitlines()[3].split()
    assert conv2[:2] == ["conv2", "8"]
    assert dict(zip(text.splitlines()[1].split()[2:], conv2[2:], strict=False))["died"] == "1"
    assert page.count("<tr>") == 4
    escaped = dw.compare_indexes(*(index_of(conv_net(), IMAGES, "<b>x</b>"),) * 2)
    assert "<b>x</b>" not in escaped._repr_html_()


def test_torch_threads_do_not_change_a_comparison(pair):
    first, second = (dw.compare_indexes(*pair) for _ in range(2))
    assert torch.equal(torch.from_numpy(first.cka), torch.from_numpy(second.cka))
    assert first.to_csv() == second.to_csv()
