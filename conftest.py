"""Which of the tour's notebooks need what is not everywhere."""

from __future__ import annotations

import os

import pytest

DATA_VARIABLE = "DECONVWIDGETS_DATA"
ON_CALTECH101 = {"03b_transfer_caltech101.ipynb"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The notebooks on the real Caltech-101 are slow, and skipped where it is not at hand; their saved outputs stay readable."""
    absent = pytest.mark.skip(reason=f"{DATA_VARIABLE} names no folder with Caltech-101")
    for item in items:
        if item.path.name in ON_CALTECH101:
            item.add_marker(pytest.mark.slow)
            if DATA_VARIABLE not in os.environ:
                item.add_marker(absent)
