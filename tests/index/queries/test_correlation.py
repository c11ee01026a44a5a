"""Correlations of units compared with np.corrcoef, and the map of units that is made of them."""

import builtins
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.queries import correlation
from deconvwidgets.index.queries.correlation import Profiles, near_copies, nearest_units
from deconvwidgets.index.queries.unit_map import principal_coordinates, scaled, unit_map


@pytest.fixture
def values():
    """Activations (40 crops, 9 units): unit 6 is a copy of unit 2, unit 7 its opposite, units 4 and 8 never change."""
    values = np.random.default_rng(0).gamma(2, size=(40, 9)).astype(np.float32)
    values[:, 6], values[:, 7] = 3 * values[:, 2] + 1, -values[:, 2]
    values[:, 1] = values[:, 0] + 0.1 * values[:, 3]
    values[:, 4], values[:, 8] = 0, 2.5
    return values


def literal_correlation(values, unit, other):
    left, right = values[:, unit].astype(float), values[:, other].astype(float)
    if left.std() == 0 or right.std() == 0:
        return np.nan
    return np.mean((left - left.mean()) * (right - right.mean())) / (left.std() * right.std())


@pytest.fixture(params=[1, 3, 512], autouse=True)
def blocks(request, monkeypatch):
    monkeypatch.setattr(correlation, "_BLOCK", request.param)


def test_the_nearest_unit_equals_a_search_of_all_pairs(values):
    nearest, found = nearest_units(Profiles.from_values(values))
    for unit in range(9):
        all_others = {other: literal_correlation(values, unit, other) for other in range(9) if other != unit}
        known = {other: value for other, value in all_others.items() if not np.isnan(value)}
        if known:
            best = max(known, key=lambda other: (round(known[other], 9), -other))
            assert nearest[unit] == best
            assert found[unit] == pytest.approx(known[best], abs=1e-9)
        else:
            assert (nearest[unit], np.isnan(found[unit])) == (-1, True)
    assert (nearest[2], nearest[6]) == (6, 2)
    assert found[2] == found[6] == 1.0
    assert nearest[[4, 8]].tolist() == [-1, -1]


def test_near_copies_are_all_pairs_above_a_correlation(values):
    profiles = Profiles.from_values(values)
    for at_least in (1.0, 0.9, 1e-9):
        expected = [
            (-round(literal_correlation(values, unit, other), 9), unit, other)
            for unit in range(9)
            for other in range(unit + 1, 9)
            if round(literal_correlation(values, unit, other), 9) >= at_least
        ]
        found = near_copies(profiles, at_least)
        assert [(-round(pair.correlation, 9), pair.unit, pair.other) for pair in found] == sorted(expected)
    assert [(pair.unit, pair.other, pair.correlation) for pair in near_copies(profiles, 1)] == [(2, 6, 1.0)]
    assert [(pair.unit, pair.other) for pair in near_copies(profiles, 0.9)] == [(2, 6), (0, 1)]


@pytest.mark.parametrize("at_least", [0, 1.1, -1, np.nan, "0.9", None, True])
def test_a_correlation_that_is_none_is_refused(values, at_least):
    with pytest.raises(ActivationIndexError, match="at_least must be a correlation"):
        near_copies(Profiles.from_values(values), at_least)


def test_without_crops_or_with_one_no_unit_has_a_neighbour():
    for crops in (0, 1):
        profiles = Profiles.from_values(np.ones((crops, 3), np.float32))
        nearest, found = nearest_units(profiles)
        assert nearest.tolist() == [-1, -1, -1]
        assert np.isnan(found).all()
        assert near_copies(profiles, 0.5) == []
        assert unit_map(profiles, "conv1", crops, "auto", 0).left_out.tolist() == [0, 1, 2]


def test_principal_coordinates_equal_classical_scaling_of_the_correlations(values):
    rows = Profiles.from_values(values).rows
    units = [unit for unit in range(9) if unit not in (4, 8)]
    matrix = np.array([[literal_correlation(values, unit, other) for other in units] for unit in units])
    centring = np.eye(7) - 1 / 7
    strength, vectors = np.linalg.eigh(centring @ matrix @ centring)  # Torgerson's: of squared distances 2 - 2 r
    for axis in (0, 1):
        expected = vectors[:, -1 - axis] * np.sqrt(strength[-1 - axis])
        expected *= np.sign(expected[np.abs(expected).argmax()])
        np.testing.assert_allclose(principal_coordinates(rows)[:, axis], expected, atol=1e-6)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_map_repeats_and_leaves_out_units_without_a_correlation(values, method):
    profiles = Profiles.from_values(values)
    found, again = (unit_map(profiles, "conv1", 40, method, seed=3) for _ in range(2))
    assert np.array_equal(found.coordinates, again.coordinates)
    assert found.units.tolist() == [0, 1, 2, 3, 5, 6, 7]
    assert found.left_out.tolist() == [4, 8]
    assert (found.layer, found.method, found.samples, found.seed) == ("conv1", method, 40, 3)
    assert found.coordinates.dtype == np.float32
    assert np.isfinite(found.coordinates).all()
    assert np.abs(found.coordinates).max() == pytest.approx(1)
    distances = np.linalg.norm(found.coordinates[:, None] - found.coordinates, axis=2) + 9 * np.eye(7)
    assert distances[2].argmin() == 5  # unit 6 is a copy of unit 2


def test_a_map_keeps_groups_of_units_together():
    generator = np.random.default_rng(1)
    causes = generator.normal(size=(60, 3))
    values = (causes[:, np.repeat([0, 1, 2], 20)] + 0.3 * generator.normal(size=(60, 60))).astype(np.float32)
    for method in ("pca", "tsne"):
        points = unit_map(Profiles.from_values(values), "conv1", 60, method, 0).coordinates
        distances = np.linalg.norm(points[:, None] - points, axis=2) + 9 * np.eye(60)
        assert (distances.argmin(axis=1) // 20 == np.arange(60) // 20).all()


@pytest.mark.parametrize("units", [0, 1, 2, 3, 4])
def test_a_layer_of_few_units_has_a_map_of_principal_components(units):
    values = np.random.default_rng(2).normal(size=(12, units)).astype(np.float32)
    found = unit_map(Profiles.from_values(values), "conv1", 12, "auto", 0)
    assert found.method == "pca"
    assert found.coordinates.shape == (units, 2)
    assert np.isfinite(found.coordinates).all()
    with pytest.raises(ActivationIndexError, match=f"{units} units that vary .* tsne needs 5: take method='pca'"):
        unit_map(Profiles.from_values(values), "conv1", 12, "tsne", 0)


def test_scaled_points_fit_the_square():
    assert scaled(np.array([[0.0, 5.0], [4.0, 6.0]])).tolist() == [[-1.0, -0.25], [1.0, 0.25]]
    assert scaled(np.array([[3.0, 5.0]])).tolist() == [[0.0, 0.0]]


def test_what_a_method_needs_is_said_in_words(values, monkeypatch):
    profiles = Profiles.from_values(values)
    real = builtins.__import__
    missing = lambda name, *rest: real("no_such_module_" + name) if name in ("sklearn.manifold", "umap") else real(name, *rest)  # noqa: E731
    monkeypatch.setattr(builtins, "__import__", missing)
    monkeypatch.setattr("deconvwidgets.index.queries.unit_map.find_spec", lambda name: None)
    assert unit_map(profiles, "conv1", 40, "auto", 0).method == "pca"
    with pytest.raises(ActivationIndexError, match=r"t-SNE needs scikit-learn: pip install 'deconvwidgets\[transfer\]'"):
        unit_map(profiles, "conv1", 40, "tsne", 0)
    with pytest.raises(ActivationIndexError, match="UMAP needs umap-learn: pip install umap-learn"):
        unit_map(profiles, "conv1", 40, "umap", 0)
    with pytest.raises(ActivationIndexError, match="no method 'isomap': choose auto, pca, tsne or umap"):
        unit_map(profiles, "conv1", 40, "isomap", 0)
    with pytest.raises(ActivationIndexError, match="seed must be an integer"):
        unit_map(profiles, "conv1", 40, "pca", -1)


def test_umap_is_called_with_the_profiles_and_the_seed(values, monkeypatch):
    """umap-learn is not among the packages of the tests: this checks what it is given."""
    given = {}

    class UMAP:
        def __init__(self, **options):
            given.update(options)

        def fit_transform(self, rows):
            given["rows"] = rows
            return rows[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=UMAP))
    profiles = Profiles.from_values(values)
    found = unit_map(profiles, "conv1", 40, "umap", 5)
    assert (given["random_state"], given["n_neighbors"], given["n_components"]) == (5, 6, 2)
    assert np.array_equal(found.coordinates, scaled(profiles.rows[:, :2]))
