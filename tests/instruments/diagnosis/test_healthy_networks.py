"""What `dw.diagnose` finds in trained networks of torchvision: what the documentation says, and nothing else."""

from __future__ import annotations

import pytest

import deconvwidgets as dw
from deconvwidgets.instruments.diagnosis.records import Diagnosis

# AlexNet's first stride aliases, as the paper says. A single dead unit of SqueezeNet is measured: "near", not "found".
TRUE = {"alexnet": {"aliasing"}, "squeezenet1_1": set()}


@pytest.fixture(scope="module", params=TRUE)
def diagnosis(request) -> Diagnosis:
    bundle, images = dw.load_model(request.param), dw.open_images("photos")
    return dw.diagnose(bundle, images, shift_photographs=3, shifts=[1], device="cpu", progress=False)


@pytest.mark.slow
def test_no_false_alarm(diagnosis):
    found = {finding.check for finding in diagnosis.findings if finding.level == "found"}
    assert found == TRUE[diagnosis.model]
