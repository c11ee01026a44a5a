"""Correlations of units and linear CKA against plain loops, and the alignment of two indexes' crops."""

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.similarity import aligned_values, correlations, linear_cka, varies


def literal_correlation(x, y):
    """Pearson's correlation of two lists, by its definition."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return above / (sum((a - mean_x) ** 2 for a in x) * sum((b - mean_y) ** 2 for b in y)) ** 0.5


def literal_hsic(x, y):
    """The sum over pairs of crops of the products of two centred linear kernels, times (crops - 1)^2, by its definition."""
    crops = len(x)
    kernels = []
    for values in (x, y):
        kernel = [[sum(a * b for a, b in zip(values[i], values[j], strict=True)) for j in range(crops)] for i in range(crops)]
        row = [sum(line) / crops for line in kernel]
        total = sum(row) / crops
        kernels.append([[kernel[i][j] - row[i] - row[j] + total for j in range(crops)] for i in range(crops)])
    return sum(kernels[0][i][j] * kernels[1][i][j] for i in range(crops) for j in range(crops))


@pytest.fixture(params=[(20, 3, 4), (6, 9, 11)], ids=["more crops", "more units"])
def values(request):
    crops, units_a, units_b = request.param
    generator = np.random.default_rng(crops)
    first = np.maximum(generator.normal(size=(crops, units_a)), 0)
    return first, np.abs(first[:, :1] + generator.normal(size=(crops, units_b)))


def test_correlations_are_those_of_plain_loops(values):
    first, second = values
    expected = [[literal_correlation(x.tolist(), y.tolist()) for y in second.T] for x in first.T]
    np.testing.assert_allclose(correlations(first, second), expected, rtol=0, atol=2e-12)


def test_cka_is_that_of_plain_loops(values):
    first, second = (one.tolist() for one in values)
    expected = literal_hsic(first, second) / (literal_hsic(first, first) * literal_hsic(second, second)) ** 0.5
    assert linear_cka(*values) == pytest.approx(expected, abs=2e-12)


def test_the_same_values_correlate_with_exactly_1(values):
    first, _ = values
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(first.shape[1],) * 2))[0]
    assert (np.diag(correlations(first, 3.7 * first + 2)) == 1).all()
    assert (np.diag(correlations(first, -first)) == -1).all()
    assert linear_cka(first, first) == linear_cka(first, 5 * first[:, ::-1] + 1) == 1
    assert linear_cka(first, first @ turned) == pytest.approx(1, abs=1e-12)


def test_units_that_do_not_vary_have_no_correlation():
    generator = np.random.default_rng(0)
    rounding = 7 * (1 + generator.integers(-2, 3, 30) * np.finfo(np.float32).eps)  # a constant with float32 rounding
    found = np.stack([generator.normal(size=30), np.zeros(30), np.full(30, 2.5), rounding, 1e-30 * generator.normal(size=30)], axis=1)
    assert varies(found).tolist() == [True, False, False, False, True]
    expected = np.full((5, 5), False)
    expected[np.ix_([0, 4], [0, 4])] = True
    assert np.array_equal(np.isfinite(correlations(found, found)), expected)
    assert np.isnan(linear_cka(found[:, 1:3], found))
    assert linear_cka(found[:, [0, 1]], found[:, [0]]) == 1


def test_crops_are_aligned_by_content_and_number(tiny_bundle, tiny_images):
    build = {"progress": False, "device": "cpu", "layers": ["conv1", "conv2"]}
    few, every = (dw.ActivationIndex.build(tiny_bundle, tiny_images, samples=samples, **build) for samples in (16, 256))
    first, second = aligned_values(few, "conv1", every, "conv2")
    assert (first.shape, second.shape, first.dtype) == ((16, 4), (16, 5), np.float64)
    own, found = {}, {}
    for index, layer, table in ((few, "conv1", own), (every, "conv2", found)):
        sample = index.sample
        for row, key in enumerate(zip(sample.contents.tolist(), sample.numbers.tolist(), strict=True)):
            table[key] = index.sample_values(layer)[:, row]
    rows = [(own[key], found[key]) for key in sorted(own)]
    assert np.array_equal(first, [a for a, _ in rows])
    assert np.array_equal(second, [b for _, b in rows])


def test_other_image_sets_are_refused_by_name(tiny_bundle, noise):
    build = {"progress": False, "device": "cpu", "layers": ["conv1"]}
    first, second = (dw.ActivationIndex.build(tiny_bundle, noise(seed=seed), **build) for seed in (0, 1))
    with pytest.raises(ActivationIndexError, match=rf"different image sets, 'noise' \(digest {first.identity.images[:12]}\) and 'noise'"):
        aligned_values(first, "conv1", second, "conv1")
    none = dw.ActivationIndex.build(tiny_bundle, noise(), samples=0, **build)
    with pytest.raises(ActivationIndexError, match="no sampled crop in common"):
        aligned_values(first, "conv1", none, "conv1")
