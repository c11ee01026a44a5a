"""The results of the paper that are comparable to a run."""

import pytest

from deconvwidgets.instruments.transfer.compute.paper import RESULTS, paper_rows


def means(*arguments, **options):
    return [row.mean for row in paper_rows(*arguments, **options)]


def test_tables_are_complete():
    count = {table: sum(result.table == table for result in RESULTS) for table in (4, 5, 7)}
    assert count == {4: 4, 5: 8, 7: 16}


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (("Caltech-101", 30, "pool5"), [82.9, 86.2, 86.5, 46.5]),
        (("Caltech-101", 30, "conv5"), [82.9, 86.2, 86.5, 46.5]),
        (("Caltech-101", 30, "conv3"), [72.3, 86.5, 46.5]),
        (("Caltech-101", 30, "fc6"), [86.5, 46.5]),
        (("Caltech-101", 15, "pool5"), [83.8, 22.8]),
        (("Caltech-101", 20, "pool5"), [83.8, 86.5, 22.8, 46.5]),
        (("Caltech-101", 5, None), [83.8, 22.8]),
        (("Caltech-256", 60, "fc7"), [72.6, 71.7, 74.2, 38.8]),
        (("Caltech-256", 100, "conv1"), [74.2, 38.8]),
        (("my flowers", 30, "pool5"), []),
    ],
)
def test_comparable_results(run, expected):
    assert means(*run) == expected


def test_layers_of_models_of_other_depths_do_not_correspond():
    assert means("Caltech-101", 30, "conv5", convolutions=13) == [86.5, 46.5]
    assert means("Caltech-101", 30, "features.12") == [86.5, 46.5]
    assert means("Caltech-101", 30, "conv7") == [86.5, 46.5]  # the paper has no seventh convolution


def test_a_learning_curve_has_the_results_for_all_numbers_of_training_images():
    rows = paper_rows("Caltech-256", 30, "pool5", curve=True)
    assert [(row.images_per_class, row.mean) for row in rows] == [(30, 70.6), (15, 65.7), (45, 72.7), (60, 74.2), (30, 22.5)]
    assert rows[0].description == "paper: new softmax, 30 per class (table 5)"
    assert rows[0].std == 0.2
