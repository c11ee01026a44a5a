"""The built front end as anywidget loads it. Its own tests are run by `npm test` in frontend/."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer
from deconvwidgets.instruments.occlusion.widget.explorer import OcclusionExplorer
from deconvwidgets.instruments.transfer.widget.panel import TransferPanel
from tests.widgets.chromium import STATIC

WIDGETS = (LayerExplorer, OcclusionExplorer, TransferPanel)
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_the_module_parses(widget: type, tmp_path: Path) -> None:
    module = tmp_path / "widget.mjs"
    module.write_text(str(widget._esm), encoding="utf-8")
    done = subprocess.run([str(NODE), "--check", str(module)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_nothing_is_fetched_from_elsewhere(widget: type) -> None:
    for text in (str(widget._esm), str(widget._css)):
        assert len(text) > 1000
        assert not re.search(r"https?://|@import|url\(|(?:^|[;}])import\b", text), "a module from a blob cannot import its neighbours"


def test_every_built_file_belongs_to_a_widget() -> None:
    assert {path.name for path in STATIC.iterdir()} == {
        f"{name}.{kind}" for name in ("layers", "occlusion", "transfer") for kind in ("js", "css")
    }
