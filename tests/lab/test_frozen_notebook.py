"""Tests of notebooks with pictures in place of widgets."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from deconvwidgets.cli import main
from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.lab.frozen_notebook import VIEW, freeze_notebook

PNG = "iVBORw0KGgo=\n"


def output(data: dict[str, Any], kind: str = "display_data", **more: Any) -> dict[str, Any]:
    return {"output_type": kind, "data": data, "metadata": {}, **more}


def view(model: str) -> dict[str, Any]:
    return {"version_major": 2, "version_minor": 0, "model_id": model}


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["größer ✓\n"]},
        output({VIEW: view("a"), "image/png": PNG, "text/plain": ["LayerExplorer(alexnet, conv1)"]}, "execute_result", execution_count=1),
        output({VIEW: view("b"), "text/plain": ["TransferPanel(alexnet, photos)"]}),
        output({VIEW: view("c")}),
        output({"text/html": ["<b>1</b>"], "text/plain": ["1"]}),
    ]
    cells = [
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": ["# Title\n", "text"]},
        {"cell_type": "code", "id": "c", "metadata": {"tags": ["x"]}, "source": ["explorer"], "execution_count": 1, "outputs": outputs},
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "widgets": {"application/x": {"state": {"a": {}}}}}
    path = tmp_path / "in.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    return path


def test_views_are_replaced_by_pictures_and_nothing_else_is_changed(notebook: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.ipynb"
    frozen = freeze_notebook(notebook, target)
    assert (frozen.pictures, frozen.texts) == (1, ("TransferPanel(alexnet, photos)", "A widget that has neither a picture nor a text."))
    nbformat.validate(nbformat.read(target, 4))
    expected = json.loads(notebook.read_text(encoding="utf-8"))
    del expected["metadata"]["widgets"]
    for written in expected["cells"][1]["outputs"][1:4]:
        del written["data"][VIEW]
    expected["cells"][1]["outputs"][3]["data"]["text/plain"] = "A widget that has neither a picture nor a text."
    assert json.loads(target.read_text(encoding="utf-8")) == expected


def test_command_never_overwrites_without_force(notebook: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.ipynb"
    target.write_text("mine")
    assert main(["freeze-notebook", str(notebook), str(target)]) != 0
    assert "exists. Choose another name, or overwrite it with --force." in capsys.readouterr().err
    assert target.read_text() == "mine"
    before = notebook.read_bytes()
    assert main(["freeze-notebook", str(notebook), str(notebook)]) != 0
    assert notebook.read_bytes() == before
    assert main(["freeze-notebook", "--force", str(notebook), str(target)]) == 0
    assert "1 of 3 widgets are pictures" in capsys.readouterr().out
    assert VIEW not in target.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.ipynb", "out.ipynb"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a notebook: it does not contain JSON"),
        (b"\xff\xfe", "is not a notebook"),
        (b"[" * 100_000, "is not a notebook"),
        (b"[]", "has no cells"),
        (b'{"cells": [5], "nbformat": 4}', "has no cells"),
        (b'{"cells": [], "nbformat": true}', "has no cells"),
        (b'{"cells": [], "nbformat": 5}', "has the notebook format 5: open it in JupyterLab and save it"),
        (b'{"worksheets": [], "nbformat": 3}', "has the notebook format 3: open it in JupyterLab and save it"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    source = tmp_path / "in.ipynb"
    source.write_bytes(content)
    with pytest.raises(DeconvWidgetsError, match=message):
        freeze_notebook(source, tmp_path / "out.ipynb")
    assert not (tmp_path / "out.ipynb").exists()


def test_paths_are_checked(notebook: Path, tmp_path: Path) -> None:
    with pytest.raises(DeconvWidgetsError, match="cannot be read: No such file"):
        freeze_notebook(tmp_path / "missing.ipynb", tmp_path / "out.ipynb")
    with pytest.raises(DeconvWidgetsError, match="cannot be read: Is a directory"):
        freeze_notebook(tmp_path, tmp_path / "out.ipynb")
    with pytest.raises(DeconvWidgetsError, match=r"The folder of .* does not exist"):
        freeze_notebook(notebook, tmp_path / "missing" / "out.ipynb")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DeconvWidgetsError, match="is a named pipe"):
        freeze_notebook(tmp_path / "pipe", tmp_path / "out.ipynb")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DeconvWidgetsError, match="cannot be written: Too many levels of symbolic links"):
        freeze_notebook(notebook, tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DeconvWidgetsError, match="cannot be written"):
        freeze_notebook(notebook, tmp_path / "folder", force=True)


@pytest.mark.parametrize("text", ["half \ud800 of a pair", "\x1b[2Jclear\x07", "x" * 100_000])
def test_texts_of_others_are_printed_shortened_and_escaped(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [{"cell_type": "code", "outputs": [output({VIEW: view("a"), "text/plain": text}), output({VIEW: view("b"), "image/png": ""})]}]
    (tmp_path / "in.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    printed = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(printed, "ascii", write_through=True))
    assert main(["freeze-notebook", str(tmp_path / "in.ipynb"), str(tmp_path / "größer.ipynb")]) == 0
    lines = printed.getvalue().decode("ascii").splitlines()
    assert lines[0].endswith("0 of 2 widgets are pictures.")  # an empty picture is none
    assert len(lines[1]) < 300
    assert lines[1].isprintable()
