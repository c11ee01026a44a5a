"""A network with random weights is labelled as one in every view: headers, figures, static pictures, pages, and reprs.

A new widget belongs into `VIEWS` here, or into `ELSEWHERE` with tests of its own that say so.
"""

import argparse
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.cli_prepare import load_inputs
from deconvwidgets.errors import ModelError
from deconvwidgets.models.untrained_weights import UNTRAINED_NOTE
from deconvwidgets.service.worker import SynchronousExecutor
from deconvwidgets.widgets.explorer import Explorer
from tests.conftest import NoisePhotographs, make_tiny_bundle, random_head
from tests.instruments.transfer.service.conftest import make_class_folders

ROOT = Path(__file__).parent.parent
LABEL = "random weights"


def _untrained():
    tiny = make_tiny_bundle()
    return dw.ModelBundle.from_module(tiny.model, transform=tiny.transform, categories=tiny.categories, name="tiny", trained=False)


@pytest.fixture
def service():
    with_service = dw.LocalModelService(_untrained(), NoisePhotographs(), device="cpu", worker=SynchronousExecutor())
    yield with_service
    with_service.close()


def _transfer(service, folder):
    panel = dw.TransferPanel(service, state={"data": str(make_class_folders(folder / "colours"))})
    panel.wait(panel.start(images_per_class=5, folds=1))
    return panel


def _evaluation(service, folder):
    panel = dw.EvaluationPanel(service)
    panel.wait(panel.start(mapping={"cat": ["ant"], "dog": ["bee"], "kite": ["cow"]}, automatic=False))
    return panel


def _diagnosis(service, folder):
    panel = dw.DiagnosisPanel(service)
    panel.wait()
    return panel


VIEWS = {
    "LayerExplorer": lambda service, folder: dw.LayerExplorer(service, layer="conv1"),
    "OcclusionExplorer": lambda service, folder: dw.OcclusionExplorer(service, state={"window": [8, 8], "stride": [8, 8]}),
    "TransferPanel": _transfer,
    "EvaluationPanel": _evaluation,
    "InvarianceExplorer": lambda service, folder: dw.InvarianceExplorer(service),
    "DiagnosisPanel": _diagnosis,
}
ELSEWHERE = {  # their folders of the instruments
    "EvolutionExplorer": "evolution",
    "TrainingPanel": "training",
    "AblationPanel": "ablation",
    "SideBySide": "comparison",
}


def test_every_widget_is_swept():
    public = [getattr(dw, name) for name in dw.__all__]
    widgets = {found.__name__ for found in public if isinstance(found, type) and issubclass(found, Explorer)}
    assert widgets <= {*VIEWS, *ELSEWHERE}
    for name in ELSEWHERE.values():
        sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "deconvwidgets/instruments" / name).rglob("*.py"))
        assert re.search(r"random weights|\(random\)|\.label\b|\.pretrained\b", sources), name


def test_every_header_in_the_front_end_has_the_warning():
    headers = {
        path.parent for path in (ROOT / "frontend/src").glob("*/*.ts") if "HeaderContent {" in path.read_text(encoding="utf-8")
        and path.parent.name != "ui"
    }  # fmt: skip
    assert {"layers", "occlusion", "transfer", "evaluation"} <= {folder.name for folder in headers}
    for folder in headers:
        text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.ts"))
        assert "shortWarnings(" in text or LABEL in text, folder.name


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_says_that_the_weights_are_random(name, service, tmp_path):
    widget = VIEWS[name](service, tmp_path)
    assert LABEL in repr(widget)
    for suffix in widget.FILES:
        if suffix in (".png", ".csv", ".npz"):  # the PNG is that of the drawing of the SVG, the others are tables
            continue
        path = widget.save(tmp_path / f"file{suffix}")
        text = _pdf_text(path) if suffix == ".pdf" else path.read_text(encoding="utf-8")
        assert LABEL in " ".join(text.split()), path
    assert widget.picture().size[0] > 0
    with dw.static():
        assert LABEL in widget._repr_mimebundle_()[0]["text/plain"]


def _pdf_text(path):
    pypdf = pytest.importorskip("pypdf")
    return " ".join(page.extract_text() for page in pypdf.PdfReader(path).pages)


def test_the_overview_says_it(service):
    overview = service.overview()
    assert (overview.trained, overview.label, overview.weights) == (False, "tiny (random weights)", "random weights, untrained")
    assert UNTRAINED_NOTE in overview.notes


def test_results_and_indexes_say_it(service, tmp_path):
    bundle = _untrained()
    images = NoisePhotographs()
    index = dw.ActivationIndex.build(bundle, images, layers=["conv1"], progress=False)
    assert LABEL in repr(index)
    found = dw.evaluate(bundle, images, mapping={"cat": ["ant"], "dog": ["bee"], "kite": ["cow"]}, progress=False)
    assert LABEL in repr(found)
    assert LABEL in repr(dw.freeze(bundle, images, tmp_path / "units.json", layers=["conv1"], progress=False))
    checked = dw.check(tmp_path / "units.json", bundle, images, progress=False)
    assert LABEL in repr(checked)
    assert LABEL in dw.check_file(checked, "html").decode()
    report = dw.train_softmax_head(
        bundle, make_class_folders(tmp_path / "colours"), layer="conv2", images_per_class=5, folds=1, progress=False
    )
    assert LABEL in report.model
    assert LABEL in report.head.model


def test_the_command_line_says_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("deconvwidgets.models.zoo.load_model", lambda name: _untrained())
    folder = make_class_folders(tmp_path / "colours", each=1)
    load_inputs(argparse.Namespace(device="cpu", model="timm:tiny", images=str(folder)))
    assert "tiny (random weights)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "derived",
    [
        lambda bundle: bundle.with_head(None),
        lambda bundle: bundle.with_head(random_head(bundle, "conv2")),
        lambda bundle: bundle.with_units({("conv1", 0): 0.0}),
        lambda bundle: bundle.with_output(task=None),
        lambda bundle: replace(bundle, notes=(), weights="those of my colleague"),
    ],
)
def test_a_bundle_stays_labelled_whatever_is_made_of_it(derived):
    bundle = derived(_untrained())
    assert (bundle.trained, bundle.label) == (False, "tiny (random weights)")
    assert LABEL in bundle.weights
    assert bundle.notes.count(UNTRAINED_NOTE) == 1


def test_trained_is_checked_and_true_by_default():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    trained = dw.ModelBundle.from_module(net, input_size=(3, 16, 16), name="net")
    assert (trained.trained, trained.label, trained.weights) == (True, "net", "your model's own weights")
    assert UNTRAINED_NOTE not in trained.notes
    torch.manual_seed(0)
    for value in (None, 0, 1, "no"):
        with pytest.raises(ModelError, match="trained must be True or False"):
            dw.ModelBundle.from_module(net, input_size=(3, 16, 16), trained=value)
