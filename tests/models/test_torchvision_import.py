"""torchvision is imported also if it was built for another torch; other errors are not hidden."""

import subprocess
import sys
import threading

import pytest

from deconvwidgets.models import torchvision_import
from deconvwidgets.models.torchvision_import import import_torchvision


def test_models_and_transforms_are_usable():
    torchvision = import_torchvision()
    assert torchvision.models.AlexNet_Weights.IMAGENET1K_V1.meta["categories"][0] == "tench"
    assert "alexnet" in torchvision.models.list_models(module=torchvision.models)


def test_a_second_import_is_the_same_module():
    assert import_torchvision() is import_torchvision()


@pytest.mark.slow
def test_threads_import_concurrently_in_a_new_interpreter():
    script = (
        "import threading, sys\n"
        "from deconvwidgets.models.torchvision_import import import_torchvision\n"
        "assert 'torchvision' not in sys.modules\n"
        "found = []\n"
        "threads = [threading.Thread(target=lambda: found.append(import_torchvision().models.alexnet)) for _ in range(4)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "assert len(found) == 4 and len(set(found)) == 1\n"
        "import torchvision.models\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


@pytest.mark.parametrize("message", ["operator torchvision::roi_align does not exist", "CUDA driver is too old"])
def test_other_errors_are_raised(monkeypatch, message):
    def fail(name):
        raise RuntimeError(message)

    monkeypatch.setattr(torchvision_import.importlib, "import_module", fail)
    with pytest.raises(RuntimeError, match=message):
        import_torchvision()


def test_an_operator_is_declared_at_most_once(monkeypatch):
    declared = []

    class Fragment:
        def define(self, schema):
            declared.append(schema.split("(")[0])

    def fail(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(torchvision_import, "_fragment", Fragment)
    monkeypatch.setattr(torchvision_import, "_forget_torchvision", lambda: None)
    monkeypatch.setattr(torchvision_import.importlib, "import_module", fail)
    with pytest.raises(RuntimeError, match="nms"):
        import_torchvision()
    assert declared == ["nms"]


def test_the_lock_is_released_after_an_error(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(torchvision_import.importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
        with pytest.raises(ImportError):
            import_torchvision()
    worker = threading.Thread(target=import_torchvision)
    worker.start()
    worker.join(60)
    assert not worker.is_alive()
