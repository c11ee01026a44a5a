"""What is written of curves: the table, the charts and the page have the numbers of the curves, each in its place."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.instruments.invariance.compute.transformed import TransformedPhotograph
from deconvwidgets.instruments.invariance.figures.files import invariance_file
from deconvwidgets.instruments.invariance.figures.sheet import chart_contents
from deconvwidgets.instruments.invariance.transforms import kind_of
from tests.conftest import NoisePhotographs, make_tiny_bundle

IMAGES, AMOUNTS = NoisePhotographs(), [90, 0, 30, 60, 45, 15, 75]


@pytest.fixture(scope="module")
def curves():
    return dw.invariance(make_tiny_bundle(), IMAGES, "rotate", AMOUNTS, layers=["conv1", "conv2"], photographs=[4, 0], progress=False)


def test_every_row_of_the_table_has_its_own_numbers(curves):
    rows = list(csv.DictReader(io.StringIO(invariance_file(curves, "csv").decode())))
    assert len(rows) == 2 * 2 * 7
    for row in rows:
        photograph = ["noise-4", "noise-0"].index(row["photograph"])
        layer, place = ["conv1", "conv2"].index(row["layer"]), AMOUNTS.index(int(row["amount"]))
        assert float(row["distance"]) == pytest.approx(curves.distances[photograph, layer, place])
        assert float(row["norm"]) == pytest.approx(curves.photographs[photograph].norms[layer])
        assert float(row["relative distance"]) * float(row["norm"]) == pytest.approx(float(row["distance"]))
        assert float(row["score"]) == pytest.approx(curves.scores[photograph, place])
        assert (row["class from"], row["unit"]) == ("predicted", "°")


@pytest.mark.parametrize("measure", ["relative", "distance"])
def test_the_charts_have_a_line_per_photograph_in_the_order_of_the_amounts(curves, measure):
    charts = chart_contents(curves, measure)
    values = [*np.moveaxis(curves.relative if measure == "relative" else curves.distances, 1, 0), curves.scores]
    assert [chart.title.partition(":")[0] for chart in charts] == ["conv1", "conv2", "Probability of the true or predicted class"]
    for chart, expected in zip(charts, values, strict=True):
        assert [dict(line) for line in chart.lines] == [dict(zip(AMOUNTS, row, strict=True)) for row in expected.tolist()]
        assert all([amount for amount, _ in line] == sorted(AMOUNTS) for line in chart.lines)


def test_the_page_says_the_number_of_every_point_at_its_place(curves):
    page = invariance_file(curves, "html", "distance").decode()
    points = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"[^>]*><title>([\w-]+), (\d+)°: ([\de.%-]+)</title>', page)
    assert len(points) == 3 * 2 * 7
    texts = {"noise-4": 0, "noise-0": 1}
    for number, (x, y, name, amount, text) in enumerate(points):
        chart = number // 14
        assert float(x) == pytest.approx(46 + (380 - 46) * int(amount) / 90, abs=0.06)
        values = curves.scores if chart == 2 else curves.distances[:, chart]
        value = values[texts[name], AMOUNTS.index(int(amount))]
        assert float(text.rstrip("%")) == pytest.approx(100 * value if chart == 2 else value, rel=1e-3, abs=0.51 if chart == 2 else 0)
        if chart == 2:
            assert float(y) == pytest.approx(220 * (1 - value), abs=0.06)


def test_examples_are_the_inputs_of_their_amounts(curves):
    bundle = make_tiny_bundle()
    for one, source in zip(curves.photographs, (4, 0), strict=True):
        assert one.example_amounts == (90, 30, 60, 45, 75)  # of seven, in the order given
        photograph = TransformedPhotograph(bundle, IMAGES.open_source(source))
        np.testing.assert_array_equal(one.picture, bundle.to_picture(photograph.unchanged()))
        for amount, example in zip(one.example_amounts, one.examples, strict=True):
            np.testing.assert_array_equal(example, bundle.to_picture(photograph.input(kind_of("rotate"), amount)))
