"""The examples of the pages in docs/ are run."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ["predictions.md"]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of(page):
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testfile(str(DOCS / page), module_relative=False, optionflags=options, encoding="utf-8")
    assert result.attempted > 10
    assert result.failed == 0
