"""Settings of all tests: threads that wait passively, notebooks marked as slow, and those on Caltech-101 skipped without it."""

from __future__ import annotations

import gc
import os

import pytest

DATA_VARIABLE = "DECONVWIDGETS_DATA"
ON_CALTECH101 = {"03b_transfer_caltech101.ipynb", "04_planted_cue.ipynb"}

# For the processes of pytest-xdist and the notebooks' kernels, before they import torch: the threads of OpenMP that spin while they wait
# take the cores from the other processes, which makes a test up to 30 times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cells of notebooks as slow, and skip the notebooks on Caltech-101 without the data; their saved outputs are kept.

    The longest tests are run first: those in JupyterLab, then the notebooks. A notebook must not be the first to download weights and
    photographs, because the progress bars are not among its saved outputs.
    """
    items.sort(key=_rank)
    absent = pytest.mark.skip(reason=f"{DATA_VARIABLE} names no folder with Caltech-101")
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.slow)
        if item.path.name in ON_CALTECH101 and DATA_VARIABLE not in os.environ:
            item.add_marker(absent)


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of garbage collections: tests that collect garbage would go through all of it each time."""
    gc.collect()
    gc.freeze()


def _rank(item: pytest.Item) -> int:
    return 0 if item.path.parent.name == "browser" else 1 if item.path.suffix == ".ipynb" else 2
