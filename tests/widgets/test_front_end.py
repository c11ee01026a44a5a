"""The built front end. `npm test` in frontend/ runs the tests of its source."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deconvwidgets.instruments.ablation.widget.panel import AblationPanel
from deconvwidgets.instruments.comparison.widget.layers import SideBySideLayers
from deconvwidgets.instruments.comparison.widget.occlusion import SideBySideOcclusion
from deconvwidgets.instruments.diagnosis.widget.panel import DiagnosisPanel
from deconvwidgets.instruments.evaluation.widget.panel import EvaluationPanel
from deconvwidgets.instruments.evolution.widget.explorer import EvolutionExplorer
from deconvwidgets.instruments.invariance.widget.explorer import InvarianceExplorer
from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer
from deconvwidgets.instruments.occlusion.widget.explorer import OcclusionExplorer
from deconvwidgets.instruments.training.widget.panel import TrainingPanel
from deconvwidgets.instruments.transfer.widget.panel import TransferPanel
from tests.widgets.chromium import STATIC

WIDGETS = (
    LayerExplorer,
    OcclusionExplorer,
    InvarianceExplorer,
    TransferPanel,
    EvaluationPanel,
    DiagnosisPanel,
    EvolutionExplorer,
    SideBySideLayers,
    SideBySideOcclusion,
    TrainingPanel,
    AblationPanel,
)
BUILT = (
    "layers", "occlusion", "transfer", "evaluation", "diagnosis", "evolution", "comparison", "comparison_occlusion", "training",
    "invariance", "ablation",
)  # fmt: skip
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_module_has_no_syntax_errors(widget: type, tmp_path: Path) -> None:
    module = tmp_path / "widget.mjs"
    module.write_text(str(widget._esm), encoding="utf-8")
    result = subprocess.run([str(NODE), "--check", str(module)], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_modules_and_styles_have_no_references(widget: type) -> None:
    for text in (str(widget._esm), str(widget._css)):
        assert len(text) > 1000
        assert not re.search(r"https?://|@import|url\(|(?:^|[;}])import\b", text), "a module from a blob cannot import other files"


def test_all_built_files_belong_to_widgets() -> None:
    assert {path.name for path in STATIC.iterdir()} == {f"{name}.{kind}" for name in BUILT for kind in ("js", "css")}
