"""The suggested removal of dead units in a service: as the front end sends it, and as code of an ablation study."""

from __future__ import annotations

import json
from contextlib import closing

import torch

import deconvwidgets as dw
from deconvwidgets.instruments.diagnosis.service.ablation_code import ablation_code
from deconvwidgets.instruments.diagnosis.widget.content import diagnosis_content
from deconvwidgets.instruments.diagnosis.widget.messages import HANDLERS
from deconvwidgets.models.preprocess import default_preprocess
from deconvwidgets.widgets.messages import Request
from tests.instruments.diagnosis.planted import SIDE, SmoothPhotographs, bundle_of, network


def test_the_suggested_removal_makes_one_arm_whose_code_names_the_units(own_cache):
    model = network()
    with torch.no_grad():
        model[0].bias[[2, 7]] = -1000.0
        model[3].bias[4] = -1000.0
    service = dw.LocalModelService(bundle_of(model, default_preprocess((3, SIDE, SIDE))), SmoothPhotographs(50), device="cpu")
    with closing(service):
        api = service.diagnosis
        api.start()
        content = json.loads(json.dumps(diagnosis_content(api.wait(60))))
        (surgery,) = next(finding["surgeries"] for finding in content["findings"] if finding["check"] == "dead_units")
        request = Request({"surgery": surgery, "parent": 0})
        arm = HANDLERS["add_arm"].answer(service, request)[0]["arm"]
        api.wait_for_arm(arm, 60)
        found = dw.diagnose(api._arms.get(arm).bundle, service.images, shift_photographs=1, device="cpu")
        assert found.finding("dead_units").count_text == "0 of 25"
        assert api.add_arm(api.diagnosis().finding("dead_units").surgeries[0]) == arm  # the same surgery from Python
        code = ablation_code(api._arms.all(), "").code
        line = next(line for line in code.splitlines() if "remove_units" in line)
        variants = {"as it is": service.bundle}
        exec(line, {"dw": dw, "variants": variants})
        assert list(variants) == ["as it is", "remove 3 dead units"]
        assert [step.counts for step in variants["remove 3 dead units"].surgery] == [
            step.counts for step in api._arms.get(arm).bundle.surgery
        ]
