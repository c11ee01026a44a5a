"""Settings of all tests: threads that wait passively, notebooks marked as slow, and Caltech-101 for those that use it."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

DATA_VARIABLE = "DECONVWIDGETS_DATA"
ON_CALTECH101 = {"03b_transfer_caltech101.ipynb", "04_planted_cue.ipynb"}
ON_WHOLE_CALTECH101 = "03b_transfer_caltech101.ipynb"
OBJECT_CATEGORIES = Path("caltech101") / "101_ObjectCategories"
CLASS_STEP, PHOTOGRAPHS = 3, 33  # in tests: every third class, and for each the 30 to train on and 3 to test
PART = pytest.StashKey[TemporaryDirectory[str]]()

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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Start the kernel of the notebook on all of Caltech-101 with a part of it, because the features of all take minutes.

    What the notebook prints about all photographs is in `tests/nbval_sanitize.cfg`.
    """
    if item.path.name != ON_WHOLE_CALTECH101 or DATA_VARIABLE not in os.environ:
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_VARIABLE, _part_of_caltech101(item.config))
        return (yield)


def _part_of_caltech101(config: pytest.Config) -> str:
    """Return a folder with links to some photographs of Caltech-101, which is made once."""
    if PART not in config.stash:
        config.stash[PART] = TemporaryDirectory()
        config.add_cleanup(config.stash[PART].cleanup)
        part = Path(config.stash[PART].name)
        whole = Path(os.environ[DATA_VARIABLE]).absolute() / OBJECT_CATEGORIES
        for folder in sorted(whole.iterdir())[::CLASS_STEP]:
            (part / OBJECT_CATEGORIES / folder.name).mkdir(parents=True)
            for path in sorted(folder.glob("*.jpg"))[:PHOTOGRAPHS]:
                (part / OBJECT_CATEGORIES / folder.name / path.name).symlink_to(path)
    return config.stash[PART].name


def _rank(item: pytest.Item) -> int:
    return 0 if item.path.parent.name == "browser" else 1 if item.path.suffix == ".ipynb" else 2
