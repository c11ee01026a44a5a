"""The tour is copied and updated; changed notebooks are not overwritten."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.lab import tour


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only notebook of the tour, which a test can change like a new version."""
    notebook = tmp_path / "package" / "01_layers.ipynb"
    notebook.parent.mkdir()
    notebook.write_text("version 1")
    monkeypatch.setattr(tour, "notebook_paths", lambda: [notebook])
    return notebook


def test_the_real_tour_is_copied(tmp_path: Path) -> None:
    copied = tour.copy_tour(tmp_path / "new" / tour.TOUR_FOLDER)
    assert tour.FIRST_NOTEBOOK in copied.new
    cells = json.loads((copied.folder / tour.FIRST_NOTEBOOK).read_text(encoding="utf-8"))["cells"]
    assert any("LayerExplorer" in "".join(cell["source"]) for cell in cells)


def test_a_second_copy_changes_nothing(notebook: Path, tmp_path: Path) -> None:
    assert tour.copy_tour(tmp_path / "t").new == (notebook.name,)
    again = tour.copy_tour(tmp_path / "t")
    assert (again.new, again.updated, again.kept) == ((), (), ())


def test_an_unchanged_notebook_is_updated(notebook: Path, tmp_path: Path) -> None:
    tour.copy_tour(tmp_path / "t")
    notebook.write_text("version 2")
    assert tour.copy_tour(tmp_path / "t").updated == (notebook.name,)
    assert (tmp_path / "t" / notebook.name).read_text() == "version 2"


@pytest.mark.parametrize("record", ["intact", "missing", "damaged", "not a dictionary", "brackets"])
def test_a_changed_notebook_is_kept(notebook: Path, tmp_path: Path, record: str) -> None:
    tour.copy_tour(tmp_path / "t")
    changed = tmp_path / "t" / notebook.name
    changed.write_text("changed by the user")
    record_path = tmp_path / "t" / ".copied.json"
    if record == "missing":
        record_path.unlink()
    elif record != "intact":
        record_path.write_text({"damaged": "{", "not a dictionary": "[]", "brackets": "[" * 200_000}[record])
    notebook.write_text("version 2")
    assert tour.copy_tour(tmp_path / "t").kept == (notebook.name,)
    assert changed.read_text() == "changed by the user"
    assert tour.copy_tour(tmp_path / "t").kept == (notebook.name,), "also the next time"


def test_a_folder_that_cannot_be_created_is_an_error(notebook: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DeconvWidgetsError, match="write permission"):
        tour.copy_tour(tmp_path / "file" / "t")


def test_no_temporary_files_are_left(notebook: Path, tmp_path: Path) -> None:
    tour.copy_tour(tmp_path / "t")
    assert sorted(os.listdir(tmp_path / "t")) == [".copied.json", notebook.name]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, file_size_limit: Callable[[int], AbstractContextManager[None]]) -> None:
    with file_size_limit(1000), pytest.raises(DeconvWidgetsError, match=r"Cannot copy the tour .* Free some space on that disk"):
        tour.copy_tour(tmp_path / "tour")
    assert list((tmp_path / "tour").iterdir()) == []
