"""The studies that come with the package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# benchmarks/make_first_layer_study.py wrote it; the folder's README.md says how, and on what.
SHIPPED: Mapping[str, Path] = {"first-layer": Path(__file__).parents[1] / "first_layer_study"}


def folder_name(folder: Path) -> str:
    """Return what opens a study: the name of one that comes with the package, else its folder."""
    return next((name for name, shipped in SHIPPED.items() if shipped == folder), str(folder))
