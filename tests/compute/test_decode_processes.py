"""Decoding in processes: the same batches, and words for what can go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from deconvwidgets.compute.decode_processes import why_no_processes
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.decoding import decoded_batches
from deconvwidgets.errors import ModelError, PictureError
from tests.conftest import NoisePhotographs


class Photographs(NoisePhotographs):
    """Photograph 5 kills the process that opens it if `deadly`, and has another error if not."""

    def __init__(self, count, deadly=None):
        super().__init__(count, broken=[1])
        self.deadly = deadly

    def open_source(self, source):
        if source == 5 and self.deadly is True:
            os.kill(os.getpid(), signal.SIGKILL)
        if source == 5 and self.deadly is False:
            raise ModelError("photograph 5 is not for this model")
        return super().open_source(source)


@pytest.fixture
def importable(monkeypatch):
    """New processes can import this module, which is not on the path of a test of the installed package."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


def workers():
    return [child for child in psutil.Process().children(recursive=True) if child.name() == "pt_data_worker"]


@pytest.mark.slow
@pytest.mark.usefixtures("importable")
def test_processes_decode_the_same_batches_and_end(tiny_bundle):
    images = Photographs(40)
    decoder = CropDecoder.of(tiny_bundle, images)
    expected = list(decoded_batches(decoder, range(len(images)), 32, 0))
    found = list(decoded_batches(decoder, range(len(images)), 32, 2, processes=True))
    assert images.opened == 40  # by this process, for `expected`
    for here, there in zip(expected, found, strict=True):
        assert all(
            np.array_equal(getattr(here, name), getattr(there, name)) for name in ("crops", "sources", "contents", "labels", "pixels")
        )
        assert here.skipped == there.skipped
    decoder = CropDecoder.of(tiny_bundle, Photographs(40, deadly=False))
    with pytest.raises(ModelError) as caught:
        list(decoded_batches(decoder, range(120), 32, 1, processes=True))
    assert str(caught.value) == "photograph 5 is not for this model"
    assert not workers()
    batches = decoded_batches(CropDecoder.of(tiny_bundle, Photographs(4000)), range(12000), 8, 1, 32, processes=True)
    next(batches)
    assert len(workers()) == 1
    batches.close()
    assert not workers()


@pytest.mark.slow
@pytest.mark.usefixtures("importable")
def test_a_killed_process_is_said_in_words(tiny_bundle):
    decoder = CropDecoder.of(tiny_bundle, Photographs(400, deadly=True))
    with pytest.raises(PictureError, match="process that decodes images ended before its work did"):
        list(decoded_batches(decoder, range(1200), 32, 1, processes=True))
    assert not workers()


SCRIPT = """
import os, signal, sys
sys.path[:0] = {path!r}
from tests.compute.test_decode_processes import Photographs, workers
from tests.conftest import make_tiny_bundle
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.decoding import decoded_batches

if __name__ == "__main__":
    batches = decoded_batches(CropDecoder.of(make_tiny_bundle(), Photographs(4000)), range(12000), 8, 1, 32, processes=True)
    next(batches)
    print(*[worker.pid for worker in workers()], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_processes_end_with_a_killed_kernel(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(path=[str(Path(__file__).parents[2])]))
    found = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    pids = [int(pid) for pid in found.stdout.split()]
    assert len(pids) == 1, found.stderr
    deadline = time.monotonic() + 100
    while any(map(psutil.pid_exists, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.usefixtures("importable")
def test_reasons_for_threads(tiny_bundle, tiny_images, monkeypatch, tmp_path):
    main = sys.modules["__main__"]
    decoder = CropDecoder.of(tiny_bundle, tiny_images)
    assert why_no_processes(decoder) is None
    notebook_class = type("MyImages", (NoisePhotographs,), {"__module__": "__main__"})
    with monkeypatch.context() as patch:
        patch.setattr(main, "MyImages", notebook_class, raising=False)
        patch.setattr(main, "__spec__", None)
        patch.delattr(main, "__file__", raising=False)
        assert "MyImages is defined in the notebook" in why_no_processes(CropDecoder.of(tiny_bundle, notebook_class()))
    assert "cannot be sent" in why_no_processes(CropDecoder(tiny_images, lambda image: torch.zeros(3, 16, 16), (3, 16, 16), "tiny"))
    elsewhere = type("Elsewhere", (NoisePhotographs,), {"__module__": "not_on_the_path"})
    monkeypatch.setitem(sys.modules, "not_on_the_path", types.SimpleNamespace(Elsewhere=elsewhere))
    assert "Elsewhere is in the module not_on_the_path" in why_no_processes(CropDecoder.of(tiny_bundle, elsewhere()))
    script = tmp_path / "script.py"
    for text, problem in (("build()", True), ("if __name__ == '__main__':\n    build()", False)):
        script.write_text(text)
        with monkeypatch.context() as patch:
            patch.setattr(main, "__file__", str(script), raising=False)
            assert ("__main__" in (why_no_processes(decoder) or "")) == problem
