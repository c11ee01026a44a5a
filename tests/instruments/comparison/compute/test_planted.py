"""Changes that are planted in a network are found exactly, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import deconvwidgets as dw
from tests.conftest import NoisePhotographs
from tests.instruments.comparison.planted import conv_net, index_of, parts, silenced, with_units_from

LAYERS = ("conv1", "conv2", "conv3")
WIDTHS = (6, 8, 7)
IMAGES = NoisePhotographs(40)


def net():
    return conv_net(WIDTHS)


@pytest.fixture(scope="module")
def index():
    return index_of(net(), IMAGES)


def compare_to(index, changed):
    return dw.compare_indexes(index, index_of(changed, IMAGES, "changed"))


def lists(comparison, layer):
    """All lists of a layer that are not empty."""
    names = ("kept", "moved", "changed", "split", "merged", "died", "lost", "new")
    return {name: getattr(comparison, name)(layer) for name in names if getattr(comparison, name)(layer)}


def every(*left_out, units):
    return tuple(unit for unit in range(units) if unit not in left_out)


def check_accounts(comparison):
    """Every unit of both layers is in the matches once, and has a status; matches and correlations are those of both sides."""
    for pair in comparison.layers:
        assert sorted(match.unit_a for match in pair.matches if match.unit_a is not None) == list(range(len(pair.a.status)))
        assert sorted(match.unit_b for match in pair.matches if match.unit_b is not None) == list(range(len(pair.b.status)))
        for match in pair.matches:
            if match.unit_a is not None and match.unit_b is not None:
                assert pair.b.match[match.unit_b] == match.unit_a
                assert np.array_equal(pair.b.correlation[match.unit_b], match.correlation, equal_nan=True)
        assert sum(count for status, count in pair.counts.items() if status not in ("split", "new")) == len(pair.a.status)
        for match in pair.matches:
            if match.status in ("kept", "moved", "changed"):
                assert match.status_b in (match.status, "split")


def test_a_network_compared_with_itself_differs_nowhere(index):
    comparison = dw.compare_indexes(index, index)
    for layer, units in zip(LAYERS, WIDTHS, strict=True):
        assert lists(comparison, layer) == {"kept": every(units=units)}
        pair = comparison.layer(layer)
        assert (pair.a.correlation == 1).all()
        assert (pair.strongest == 1).all()
        assert pair.cka == 1
    assert (np.diag(comparison.cka) == 1).all()
    assert np.array_equal(comparison.cka, comparison.cka.T)
    check_accounts(comparison)


def test_a_permuted_copy(index):
    orders = [[3, 0, 5, 1, 4, 2], [7, 1, 0, 2, 6, 5, 4, 3], [1, 2, 3, 4, 5, 6, 0]]
    changed = net()
    for layer, order in enumerate(orders):
        changed = with_units_from(changed, layer, order)
    comparison = compare_to(index, changed)
    for layer, order in zip(LAYERS, orders, strict=True):
        kept = tuple(unit for unit, source in enumerate(order) if unit == source)
        moved = tuple(sorted((source, unit) for unit, source in enumerate(order) if unit != source))
        assert lists(comparison, layer) == ({"kept": kept} if kept else {}) | {"moved": moved}
    assert np.allclose(np.diag(comparison.cka), 1, rtol=0, atol=1e-9)
    check_accounts(comparison)


def test_two_units_swapped(index):
    comparison = compare_to(index, with_units_from(net(), 1, [0, 4, 2, 3, 1, 5, 6, 7]))
    assert lists(comparison, "conv1") == {"kept": every(units=6)}
    assert lists(comparison, "conv2") == {"kept": every(1, 4, units=8), "moved": ((1, 4), (4, 1))}
    assert lists(comparison, "conv3") == {"kept": every(units=7)}


def test_a_killed_unit(index):
    comparison = compare_to(index, silenced(net(), 1, 5))
    assert lists(comparison, "conv1") == {"kept": every(units=6)}
    assert lists(comparison, "conv2") == {"kept": every(5, units=8), "died": (5,)}
    back = dw.compare_indexes(index_of(silenced(net(), 1, 5), IMAGES), index)
    assert lists(back, "conv2") == {"kept": every(5, units=8), "new": (5,)}
    assert back.layer("conv2").a.status[5] == "dead"
    check_accounts(comparison)


def test_a_killed_unit_of_a_permuted_copy(index):
    order = [7, 1, 0, 2, 6, 5, 4, 3]
    comparison = compare_to(index, silenced(with_units_from(net(), 1, order), 1, 4))  # unit 4 was 6
    moved = tuple(sorted((source, unit) for unit, source in enumerate(order) if unit != source and source != 6))
    assert lists(comparison, "conv2") == {"kept": (1, 5), "moved": moved, "died": (6,)}


def test_a_duplicated_unit(index):
    wider = with_units_from(net(), 1, [*range(8), 3], [1, 1, 1, 0.5, 1, 1, 1, 1, 0.5])
    comparison = compare_to(index, wider)
    assert lists(comparison, "conv2") == {"kept": every(units=8), "split": ((3, (3, 8)),)}
    assert comparison.layer("conv2").b.status[8] == "split"
    assert lists(comparison, "conv3") == {"kept": every(units=7)}
    back = dw.compare_indexes(index_of(wider, IMAGES), index)
    assert lists(back, "conv2") == {"kept": every(units=8), "merged": (((3, 8), 3),)}
    check_accounts(comparison)
    check_accounts(back)


def test_a_unit_that_replaces_another(index):
    comparison = compare_to(index, with_units_from(net(), 1, [0, 1, 2, 3, 4, 3, 6, 7]))
    found = lists(comparison, "conv2")
    assert found == {"kept": every(5, units=8), "split": ((3, (3, 5)),), "lost": (5,)}
    check_accounts(comparison)


def test_a_removed_and_an_added_unit(index):
    comparison = compare_to(index, with_units_from(net(), 1, every(2, units=8)))
    shifted = tuple((unit, unit - 1) for unit in range(3, 8))
    assert lists(comparison, "conv2") == {"kept": (0, 1), "moved": shifted, "lost": (2,)}
    back = dw.compare_indexes(index_of(with_units_from(net(), 1, every(2, units=8)), IMAGES), index)
    assert lists(back, "conv2") == {"kept": (0, 1), "moved": tuple((b, a) for a, b in shifted), "new": (2,)}
    check_accounts(comparison)
    check_accounts(back)


def test_a_scaled_unit_is_the_same(index):
    changed = net()
    own, following = parts(changed)[1:3]
    with torch.no_grad():
        own.weight[4] *= 3.7
        own.bias[4] *= 3.7
        following.weight[:, 4] /= 3.7
    comparison = compare_to(index, changed)
    assert all(lists(comparison, layer) == {"kept": every(units=units)} for layer, units in zip(LAYERS, WIDTHS, strict=True))
    assert comparison.layer("conv2").a.correlation[4] == 1
    (_, first), *_ = comparison.changed_most("conv2", 1, by="correlation")
    assert first.correlation > 1 - 1e-9


def test_dead_and_constant_units_have_statuses_of_their_own():
    changed = silenced(silenced(net(), 1, 2), 1, 6, bias=2.5)
    comparison = dw.compare_indexes(index_of(changed, IMAGES), index_of(changed, IMAGES))
    pair = comparison.layer("conv2")
    assert lists(comparison, "conv2") == {"kept": every(2, 6, units=8)}
    assert pair.a.status[[2, 6]].tolist() == pair.b.status[[2, 6]].tolist() == ["dead", "constant"]
    assert pair.a.match.tolist() == list(range(8))
    assert np.isnan(pair.a.correlation[[2, 6]]).all()
    assert compare_to(index_of(net(), IMAGES), changed).died("conv2") == (2, 6)
    check_accounts(comparison)


def test_equal_units_of_one_network_keep_their_numbers():
    twins = with_units_from(net(), 1, [0, 1, 1, 3, 1, 5, 6, 7])
    comparison = dw.compare_indexes(index_of(twins, IMAGES), index_of(twins, IMAGES))
    assert lists(comparison, "conv2") == {"kept": every(units=8)}


@pytest.mark.slow
def test_unrelated_networks_have_next_to_nothing_in_common():
    """On photographs, of two seeds: at most 10 % of the units are kept or moved, none by its number, and a note says so."""
    photographs = dw.open_images("photos", limit=100)
    comparison = dw.compare_indexes(*(index_of(conv_net((24, 32, 32), seed), photographs, f"seed {seed}") for seed in (1, 2)))
    for pair in comparison.layers:
        same = pair.counts["kept"] + pair.counts["moved"]
        assert same <= 0.1 * len(pair.a.status), pair.short_name
        assert pair.counts["kept"] <= 1
    assert any("hardly more than with other units" in note for note in comparison.notes)


@pytest.mark.slow
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_permutation_of_any_network(data):
    widths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    original = conv_net(widths, data.draw(st.integers(0, 10**6)))
    images = NoisePhotographs(12)
    orders = [data.draw(st.permutations(range(width))) for width in widths]
    changed = original
    for layer, order in enumerate(orders):
        changed = with_units_from(changed, layer, order)
    first, second = index_of(original, images), index_of(changed, images)
    comparison = dw.compare_indexes(first, second)
    check_accounts(comparison)
    for pair, order in zip(comparison.layers, orders, strict=True):
        alive = np.flatnonzero(~np.isin(pair.a.status, ["dead", "constant"]))
        expected = np.argsort(order)
        assert pair.a.match[alive].tolist() == expected[alive].tolist()
        assert pair.a.status[alive].tolist() == ["kept" if expected[unit] == unit else "moved" for unit in alive]
        assert (pair.a.correlation[alive] > 1 - 1e-9).all()
