"""The examples of the pages in docs/ are run, and the links of the README lead somewhere. `.ci/run` builds docs/ with Sphinx."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# and how many examples they have, at least
PAGES = {
    "how-to/predictions.md": 20,
    "how-to/own-model.md": 8,
    "how-to/units.md": 8,
    "how-to/index-at-scale.md": 25,
    "how-to/compare-models.md": 18,
    "how-to/invariance.md": 7,
    "how-to/diagnosis.md": 18,
}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples may write files
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testfile(str(DOCS / page), module_relative=False, optionflags=options, encoding="utf-8")
    assert result.attempted >= PAGES[page]
    assert result.failed == 0


def test_the_links_of_the_readme_lead_to_files():
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []
