"""What the sweep of arguments works on."""

from __future__ import annotations

import pytest

import deconvwidgets as dw
from deconvwidgets.instruments.evaluation.settings import EvaluationSettings
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.instruments.transfer.records import TransferSettings
from deconvwidgets.service.worker import SynchronousExecutor
from tests.arguments.checking import BUNDLE, Labelled
from tests.conftest import NoisePhotographs


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Paths such as "3" lead into an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DECONVWIDGETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        service = dw.LocalModelService(BUNDLE, NoisePhotographs(), device="cpu", worker=SynchronousExecutor())
        images = Labelled()
        service._context.replace(images=images, index=dw.ActivationIndex.build(BUNDLE, images, k=9, progress=False, device="cpu"))
        service.transfer.start(TransferSettings("images", layer="conv2", images_per_class=2, folds=1, weight_decay=1e-2))
        service.evaluation.start(EvaluationSettings(mapping={"a": (0,), "b": (1,)}, automatic=False))
        service.diagnosis.start()
        service.occlusion.start_maps(OcclusionRequest("crop:0"), MapsSettings((8, 8), (8, 8)))
        yield service
        service.close()
