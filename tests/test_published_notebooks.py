"""Notebooks that tools execute without a page: nbconvert, papermill and MyST-NB find a picture of every widget."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image

from deconvwidgets.lab.frozen_notebook import VIEW, freeze_notebook
from deconvwidgets.widgets.static_mode import VARIABLE

STATE = "application/vnd.jupyter.widget-state+json"
CELLS = (
    """import torch, deconvwidgets as dw
torch.manual_seed(0)
nn = torch.nn
net = nn.Sequential(nn.Conv2d(3, 6, 5, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
bundle = dw.ModelBundle.from_module(net.eval(), input_size=(3, 48, 48), categories=["a", "b", "c"], name="small")
service = dw.LocalModelService(bundle, dw.open_images("photographs"), device="cpu").wait()""",
    "dw.LayerExplorer(service)",
    "dw.OcclusionExplorer(service, state={'window': 24, 'stride': 24})",
)

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a notebook that was not run, and its photographs."""
    generator = np.random.default_rng(0)
    (tmp_path / "photographs").mkdir()
    for number in range(3):
        Image.fromarray(generator.integers(0, 256, (60, 60, 3), np.uint8)).save(tmp_path / "photographs" / f"{number}.png")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "plain.ipynb")
    return tmp_path


def by_nbclient(folder: Path) -> Any:
    notebook = nbformat.read(folder / "plain.ipynb", 4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(notebook, folder / "executed.ipynb")
    return notebook


def by_papermill(folder: Path) -> Any:
    papermill = pytest.importorskip("papermill")
    papermill.execute_notebook(folder / "plain.ipynb", folder / "executed.ipynb", cwd=folder, progress_bar=False)
    return nbformat.read(folder / "executed.ipynb", 4)


def to_html(folder: Path) -> str:
    html: str = HTMLExporter().from_filename(str(folder / "executed.ipynb"))[0]  # as the command nbconvert, which needs seconds to start
    return html


def shown(notebook: Any) -> list[dict[str, Any]]:
    return [output["data"] for cell in notebook.cells[1:] for output in cell.outputs]


@pytest.mark.parametrize("execute", [by_nbclient, by_papermill])
def test_saved_state_has_the_picture_of_each_view(folder: Path, execute: Callable[[Path], Any]) -> None:
    notebook = execute(folder)
    models = notebook.metadata["widgets"][STATE]["state"]
    for data in shown(notebook):
        model = models[data[VIEW]["model_id"]]
        (picture,) = [buffer["data"] for buffer in model["buffers"] if buffer["path"] == ["_picture"]]
        saved, output = (Image.open(io.BytesIO(base64.b64decode(encoded))) for encoded in (picture, data["image/png"]))
        assert saved.size == output.size
        assert model["state"]["_comm_id"] == data[VIEW]["model_id"]
    assert "widget-view+json" in to_html(folder), "nbconvert prefers the view"
    freeze_notebook(folder / "executed.ipynb", folder / "executed.ipynb", force=True)
    html = to_html(folder)
    assert "widget-view+json" not in html
    assert html.count('src="data:image/png;base64,') == 2


def test_static_mode_leaves_pictures_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    notebook = by_nbclient(folder)
    assert [set(data) for data in shown(notebook)] == [{"image/png", "text/plain"}] * 2
    assert not notebook.metadata.get("widgets", {}).get(STATE, {}).get("state")
    html = to_html(folder)
    assert "widget-view+json" not in html
    assert html.count('src="data:image/png;base64,') == 2


def test_myst_nb_shows_the_pictures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("myst_nb")
    monkeypatch.setenv(VARIABLE, "1")
    settings = {"extensions": ["myst_nb"], "nb_execution_mode": "force", "root_doc": "plain", "exclude_patterns": ["out"]}
    (folder / "conf.py").write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    subprocess.run([sys.executable, "-m", "sphinx", "-q", "-b", "html", ".", "out"], cwd=folder, check=True, timeout=200)
    assert len(list((folder / "out" / "_images").glob("*.png"))) == 2
    assert "widget-view+json" not in (folder / "out" / "plain.html").read_text(encoding="utf-8")
