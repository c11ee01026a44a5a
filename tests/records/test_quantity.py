"""Quantities in words."""

import pytest

from deconvwidgets.records.quantity import Quantity, format_value

METRES = Quantity("regression", "none", "m")


def test_what_a_model_predicts_in_words():
    assert (Quantity().kind, METRES.kind, Quantity("binary").kind) == ("probability", "value", "probability")
    assert (Quantity().describe("cat"), METRES.describe("depth")) == ("probability of cat", "depth in m")
    assert Quantity("regression", "none").describe("depth") == "depth"
    assert (Quantity().format(0.452), METRES.format(3.14159), Quantity("regression").format(-2)) == ("45%", "3.142 m", "-2")
    assert repr(METRES) == "Quantity(regression, m)"
    assert repr(Quantity("multilabel", "sigmoid")) == "Quantity(multilabel, sigmoid applied)"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (12345.6, "12,346"), (0.00012345, "1.234e-04"), (-7.25, "-7.25"), (2e7, "2.000e+07"), (999.96, "1000")]
)
def test_values_have_four_digits(value, text):
    assert format_value(value) == text
