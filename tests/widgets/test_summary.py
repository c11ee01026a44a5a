"""The summaries of the explorers, on a real service with a small network."""

from __future__ import annotations

import json
from threading import Event, Thread, current_thread

import numpy as np
import pytest
import torch
import traitlets

import deconvwidgets as dw
from deconvwidgets.service.worker import SynchronousExecutor
from deconvwidgets.widgets.summary import Summarized, UpdateOrder
from tests.widgets.fake_service import FakeService


@pytest.fixture
def service(tiny_bundle, tiny_images):
    with_index = dw.LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=SynchronousExecutor())
    yield with_index
    with_index.close()


def test_a_layer_explorer_summarizes_its_unit(service, tiny_bundle, tiny_images):
    explorer = dw.LayerExplorer(service, layer="conv2", state={"unit": 3})
    explorer.state = {"unit": 4}
    with torch.no_grad():
        maps = torch.cat(
            [tiny_bundle.model[:4](tiny_bundle.prepare(tiny_images.open_crop(crop))[None]) for crop in range(len(tiny_images))]
        )
    maxima = maps[:, 4].amax(dim=(1, 2)).numpy()
    summary = explorer.summary
    assert (summary["layer"], summary["unit"]) == ("conv2", 4)
    assert summary["maximum"] == pytest.approx(maxima.max(), rel=1e-5)
    assert summary["mean"] == pytest.approx(maxima.mean(), rel=1e-5)
    assert summary["top"][0]["activation"] == pytest.approx(maxima.max(), rel=1e-5)
    assert summary["top"][0]["photograph"] == tiny_images.source_name(tiny_images.crop(int(maxima.argmax())).source)
    json.dumps(summary, allow_nan=False)


def test_a_summary_can_be_sent_as_json():
    explorer = dw.LayerExplorer(FakeService(), layer="conv2", state={"unit": 3})  # its selectivity is nan
    assert explorer.summary["selectivity"] is None
    json.dumps(explorer.summary, allow_nan=False)


def test_an_occlusion_explorer_summarizes_the_patches(service, tiny_bundle, tiny_images):
    explorer = dw.OcclusionExplorer(service, state={"image": "crop:5", "window": [4, 6], "patches": [[8, 8]], "unit": 1})
    explorer.state = {"patches": [[3, 5]]}
    image = tiny_bundle.prepare(tiny_images.open_crop(5))
    occluded = image.clone()
    occluded[:, 1:5, 2:8] = 0  # gray is zero after normalization
    with torch.no_grad():
        before, after = torch.softmax(tiny_bundle.model(torch.stack([image, occluded])), 1).numpy()
        activities = tiny_bundle.model[:4](torch.stack([image, occluded]))[:, 1].sum(dim=(1, 2)).tolist()
    shares = {share["name"]: (share["without_patches"], share["with_patches"]) for share in explorer.summary["classes"]}
    for number, name in enumerate(tiny_bundle.categories):
        assert shares[name] == pytest.approx((before[number], after[number]), rel=1e-4)
    activity = explorer.summary["activity"]
    assert (activity["without_patches"], activity["with_patches"]) == pytest.approx(tuple(activities), rel=1e-4)
    json.dumps(explorer.summary, allow_nan=False)


def test_a_transfer_panel_summarizes_the_run_that_is_shown(service):
    panel = dw.TransferPanel(service, state={"layer": "conv1", "images_per_class": 1, "folds": 2})
    assert panel.summary == {}
    results = panel.wait(panel.start(data="images"))
    assert panel.summary["phase"] == "done"
    assert panel.summary["per_fold"] == list(results.summary.per_fold)
    assert panel.summary["mean"] == np.mean(results.summary.per_fold)
    json.dumps(panel.summary, allow_nan=False)


def test_a_summary_is_empty_until_the_index_is_built(tiny_bundle, tiny_images, manual_executor):
    service = dw.LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=manual_executor)
    explorer = dw.LayerExplorer(service)
    assert explorer.summary == {}
    seen = []
    explorer.observe(lambda change: seen.append(change["new"]), "summary")
    manual_executor.jobs[0].run()
    explorer.state = {"unit": 1}
    assert seen[-1]["unit"] == 1
    service.close()


def test_a_summary_can_only_be_read(service):
    explorer = dw.LayerExplorer(service, layer="conv2", state={"unit": 3})
    before = explorer.summary
    with pytest.raises(traitlets.TraitError, match="read-only"):
        explorer.summary = {}
    explorer.set_state({"summary": {}, "height": 500})  # marimo sends whole models
    assert explorer.summary == before
    assert explorer.height == 500


def test_the_summary_is_of_the_last_state_whatever_thread_ends_last(service, monkeypatch):
    """An event is summarised in a thread of its own, which may take longer than the change of the state meanwhile."""
    for explorer, before, after in (
        (dw.InvarianceExplorer(service, state={"transform": "rotate", "amount": 0}), {"amount": 0}, {"amount": 90}),
        (dw.LayerExplorer(service, state={"layer": "conv1", "unit": 0}), {"layer": "conv1", "unit": 0}, {"layer": "conv2", "unit": 3}),
    ):
        explorer.state = after
        expected = explorer.summary
        explorer.state = before
        assert explorer.summary != expected
        begun, go_on, main = Event(), Event(), current_thread()
        summarize = explorer._summarize

        def delayed(summarize=summarize, begun=begun, go_on=go_on, main=main):
            found = summarize()
            if current_thread() is not main:
                begun.set()
                assert go_on.wait(20)
            return found

        monkeypatch.setattr(explorer, "_summarize", delayed)
        thread = Thread(target=explorer._update_summary)
        thread.start()
        assert begun.wait(20)
        explorer.state = after
        go_on.set()
        thread.join(20)
        assert explorer.summary == expected


def test_an_update_that_overwrote_a_newer_one_is_made_again():
    """Between its last look and its writing another one began, wrote and ended."""
    shown = Shown()
    shown.shown = "old"
    shown._update_summary()
    assert shown.summary == {"shown": "new"}


class Shown(Summarized):
    """While the summary of "old" is written, "new" is shown and summarised elsewhere."""

    shown = ""

    def __init__(self):
        super().__init__()
        self._updates = UpdateOrder()

    def _summarize(self):
        return {"shown": self.shown}

    def set_trait(self, name, value):
        if self.shown == "old":
            self.shown = "new"
            other = Thread(target=self._update_summary)
            other.start()
            other.join()
        super().set_trait(name, value)
