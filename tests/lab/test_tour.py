"""The tour is copied once, brought up to date, and never over the user's own work."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.lab import tour


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shipped notebook that a test may change, as a new version would."""
    notebook = tmp_path / "shipped" / "01_layers.ipynb"
    notebook.parent.mkdir()
    notebook.write_text("version 1")
    monkeypatch.setattr(tour, "notebooks", lambda: [notebook])
    return notebook


def test_the_real_tour_is_shipped_and_copied(tmp_path: Path) -> None:
    copied = tour.copy_tour(tmp_path / "there" / tour.FOLDER)
    assert tour.FIRST in copied.new
    cells = json.loads((copied.folder / tour.FIRST).read_text(encoding="utf-8"))["cells"]
    assert any("LayerExplorer" in "".join(cell["source"]) for cell in cells)


def test_copying_twice_changes_nothing(shipped: Path, tmp_path: Path) -> None:
    assert tour.copy_tour(tmp_path / "t").new == (shipped.name,)
    again = tour.copy_tour(tmp_path / "t")
    assert (again.new, again.updated, again.kept) == ((), (), ())


def test_an_untouched_notebook_follows_a_new_version(shipped: Path, tmp_path: Path) -> None:
    tour.copy_tour(tmp_path / "t")
    shipped.write_text("version 2")
    assert tour.copy_tour(tmp_path / "t").updated == (shipped.name,)
    assert (tmp_path / "t" / shipped.name).read_text() == "version 2"


@pytest.mark.parametrize("record", ["as written", "lost", "damaged", "not a table"])
def test_a_changed_notebook_is_kept_and_named(shipped: Path, tmp_path: Path, record: str) -> None:
    tour.copy_tour(tmp_path / "t")
    mine = tmp_path / "t" / shipped.name
    mine.write_text("my own work")
    note = tmp_path / "t" / ".copied.json"
    if record == "lost":
        note.unlink()
    elif record != "as written":
        note.write_text("{" if record == "damaged" else "[]")
    shipped.write_text("version 2")
    assert tour.copy_tour(tmp_path / "t").kept == (shipped.name,)
    assert mine.read_text() == "my own work"
    assert tour.copy_tour(tmp_path / "t").kept == (shipped.name,), "and again the next time"


def test_a_folder_that_cannot_be_written_is_told(shipped: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DeconvWidgetsError, match="may write"):
        tour.copy_tour(tmp_path / "file" / "t")


def test_no_part_files_stay(shipped: Path, tmp_path: Path) -> None:
    tour.copy_tour(tmp_path / "t")
    assert sorted(os.listdir(tmp_path / "t")) == [".copied.json", shipped.name]
