"""Classes are found by their names."""

from __future__ import annotations

import pytest

from deconvwidgets.errors import OcclusionError
from deconvwidgets.records.class_names import class_index

NAMES = ("Crane", "crane", "sea lion", "lion", "crane", "Lamp")


@pytest.mark.parametrize(("name", "number"), [("Crane", 0), ("crane", 1), ("CRANE", 0), (" lamp ", 5), ("lion", 3)])
def test_a_class_is_found_by_its_name(name, number):
    assert class_index(name, NAMES, "net", "") == number


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("crance", "^net has no class 'crance'. Did you mean 'Crane'[?] All are listed.$"),
        ("lio", "Did you mean 'lion', 'sea lion'[?]"),
        ("zeppelin", "^net has no class 'zeppelin'. All are listed.$"),
        ("", "^net has no class ''. All are listed.$"),
    ],
)
def test_an_unknown_name_is_refused_with_suggestions(name, message):
    with pytest.raises(OcclusionError, match=message):
        class_index(name, NAMES, "net", "All are listed.")
