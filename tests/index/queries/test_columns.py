"""Columns that need no index: classes of the strongest photographs, and histograms without the crops in which a unit is inactive."""

from types import SimpleNamespace

import numpy as np

from deconvwidgets.index.queries.columns import active_histogram, class_columns
from deconvwidgets.index.queries.peaks import count_peaks
from deconvwidgets.records.activations import LayerStats


def test_of_equally_frequent_classes_the_first_counts_and_photographs_without_labels_do_not():
    labels = np.array([[2, 1, 1, 2, -1], [-1, -1, -1, -1, -1], [3, 3, -1, -1, 0]])
    columns = class_columns(labels, ("cat", "dog", "kite"))
    assert columns["top_class"].tolist() == ["dog", "", "3"]  # a class without a name has its number
    assert columns["class_count"].tolist() == [2, 0, 2]
    np.testing.assert_array_equal(columns["class_purity"], [0.5, np.nan, 2 / 3])
    assert class_columns(np.full((2, 0), -1), ())["class_count"].tolist() == [0, 0]


def test_inactive_crops_are_no_peak_of_a_unit_that_is_never_negative():
    generator = np.random.default_rng(0)
    values = np.where(generator.random((3, 900)) < 0.5, 0, np.abs(generator.normal(5, 1, (3, 900))))
    values[1] -= np.where(values[1] > 0, 0, 0.5)  # without a rectifier: its lower peak is one
    values[2] = 0
    edges = np.arange(-64, 65) / 6
    histogram = np.array([np.histogram(row, edges)[0] for row in values])
    active = (values > 0).mean(axis=1).astype(np.float32)
    stats = SimpleNamespace(histogram=histogram, edges=np.tile(edges, (3, 1)), activation_rate=active)
    assert active_histogram(stats).sum(axis=1).tolist() == [(values[0] > 0).sum(), 900, 0]
    assert count_peaks(active_histogram(stats)).tolist() == [1, 2, 0]
    rectified, rate = [0, 2], active[[0, 2]]  # as a layer with a rectifier has it: without the bins below zero
    positive = LayerStats(rate, rate, rate, rate, rate, histogram[rectified, 64:], np.tile(edges[64:], (2, 1)))
    assert count_peaks(active_histogram(positive)).tolist() == [1, 0]
