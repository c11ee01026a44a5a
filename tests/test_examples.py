"""All examples of the docstrings are run."""

from __future__ import annotations

import doctest
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest

import deconvwidgets as dw

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples() -> Iterator[doctest.DocTest]:
    """Every docstring of the package that has examples."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module in pkgutil.walk_packages(dw.__path__, "deconvwidgets."):
        if not module.name.endswith("__main__"):
            yield from (found for found in finder.find(import_module(module.name)) if found.examples)


EXAMPLES = {found.name.removeprefix("deconvwidgets."): found for found in examples()}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples may write files
    result = doctest.DocTestRunner(optionflags=OPTIONS).run(EXAMPLES[name])
    assert result.failed == 0


def test_every_public_name_has_an_example():
    documented = {name.rpartition(".")[2] for name in EXAMPLES}
    assert {name for name in dw.__all__ if name != "engine"} - documented == set()
