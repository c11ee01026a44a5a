"""DiagnosisApi on a tiny network: runs, arms, the shift microscope and files. The checks themselves are replaced by fakes."""

from __future__ import annotations

import csv
import gc
import io
from dataclasses import replace
from threading import Event

import numpy as np
import pytest
import torch
from PIL import Image

import deconvwidgets as dw
from deconvwidgets.errors import DiagnosisError, LayerError, PictureError, ServiceError
from deconvwidgets.instruments.diagnosis.panel_records import ShiftRequest
from deconvwidgets.instruments.diagnosis.records import SuggestedSurgery
from deconvwidgets.instruments.diagnosis.service import arms, jobs
from deconvwidgets.instruments.diagnosis.widget.content import status_content
from deconvwidgets.models import surgery
from deconvwidgets.service.worker import SynchronousExecutor
from tests.conftest import ManualExecutor, NoisePhotographs, make_tiny_bundle
from tests.instruments.diagnosis.planted import SmoothPhotographs, bundle_of, network
from tests.instruments.diagnosis.widget.fake_api import fake_diagnosis, shift_curves

BLUR = SuggestedSurgery("blur pool", "swap_pooling", {"to": "blur"})
AVERAGE = SuggestedSurgery("average pooling", "swap_pooling", {"to": "average"})


@pytest.fixture(autouse=True)
def fake_checks(monkeypatch):
    """Replace the checks; return what they were called with."""
    calls = []

    def diagnose(bundle, images, **options):
        calls.append(("diagnose", bundle))
        options["job"].check_cancelled("The diagnosis was cancelled")
        return fake_diagnosis()

    def shift_response(bundle, images, **options):
        calls.append(("shift_response", bundle))
        assert max(options["shifts"]) < bundle.input_size[2]
        return shift_curves()

    monkeypatch.setattr(jobs, "diagnose", diagnose)
    monkeypatch.setattr(jobs, "shift_response", shift_response)
    return calls


@pytest.fixture
def service():
    with_service = dw.LocalModelService(make_tiny_bundle(), NoisePhotographs(), device="cpu", worker=SynchronousExecutor())
    yield with_service
    with_service.close()


def test_a_diagnosis_is_made_once_then_the_network_as_it_is_is_measured(service, fake_checks):
    api = service.diagnosis
    assert api.status().phase == "none"
    with pytest.raises(DiagnosisError, match="There is no diagnosis yet: start it first"):
        api.wait()
    api.start()
    assert [kind for kind, _ in fake_checks] == ["diagnose", "shift_response"]
    assert api.wait(1).finding("aliasing").level == "found"
    (arm,) = api.status().arms
    assert (arm.label, arm.phase, arm.curves.photographs) == ("as it is", "done", 20)
    assert arm.accuracy is None
    assert "cat" in arm.no_accuracy  # which is no class of the model
    assert (arm.aliasing.layer, arm.no_aliasing) == ("conv1", "")
    api.start()  # the same model is not diagnosed twice
    assert [kind for kind, _ in fake_checks] == ["diagnose", "shift_response"]


def test_labels_are_used_where_they_name_classes_of_the_model(monkeypatch):
    given = []

    def diagnose(bundle, images, **options):
        given.append(options["labels"])
        return fake_diagnosis()

    monkeypatch.setattr(jobs, "diagnose", diagnose)
    for images in (SmoothPhotographs(4), NoisePhotographs()):  # of red and blue, and of cats
        service = dw.LocalModelService(bundle_of(network()), images, device="cpu", worker=SynchronousExecutor())
        service.diagnosis.start()
        service.close()
    assert given == ["auto", None]


def test_the_curves_are_measured_again_after_another_model_was_shown(service, fake_checks):
    api = service.diagnosis
    api.start()
    service.set_units({("conv1", 0): 0.0})
    service.reset_units()
    api.start()
    assert [kind for kind, _ in fake_checks] == ["diagnose", "shift_response", "shift_response"]
    assert api.status().arms[0].phase == "done"


def test_a_failure_is_told_in_words(service, monkeypatch):
    def fail(*_, **__):
        raise DiagnosisError("No photograph can be read.")

    monkeypatch.setattr(jobs, "diagnose", fail)
    monkeypatch.setattr(jobs, "shift_response", fail)
    api = service.diagnosis
    api.start()
    status = api.status()
    assert (status.phase, status.problem) == ("failed", "No photograph can be read.")
    assert (status.arms[0].phase, status.arms[0].problem) == ("failed", "No photograph can be read.")
    with pytest.raises(DiagnosisError, match="No photograph can be read"):
        api.wait()
    monkeypatch.undo()
    monkeypatch.setattr(jobs, "diagnose", lambda *_, **__: fake_diagnosis())
    monkeypatch.setattr(jobs, "shift_response", lambda *_, **__: shift_curves())
    api.start()
    assert (api.status().phase, api.status().arms[0].phase) == ("done", "done")


def test_a_stopped_diagnosis_can_be_started_again(fake_checks):
    executor = ManualExecutor()
    service = dw.LocalModelService(make_tiny_bundle(), NoisePhotographs(), device="cpu", worker=executor)
    api = service.diagnosis
    api.start()
    version = api.status().version
    api.start()
    assert (api.status().phase, api.status().version) == ("waiting", version)  # it is running
    api.stop()
    assert (api.status().phase, api.status().arms[0].phase) == ("stopped", "stopped")
    with pytest.raises(DiagnosisError, match="was stopped: start it again"):
        api.diagnosis()
    api.start()
    assert (api.status().phase, api.status().version) == ("waiting", version + 1)
    service.close()
    assert not fake_checks


def test_a_diagnosis_that_is_being_stopped_is_started_again(monkeypatch):
    """It ends at its next step: until then it is not running for good."""
    service = dw.LocalModelService(make_tiny_bundle(), NoisePhotographs(), device="cpu")
    api = service.diagnosis
    entered, go_on, calls = Event(), Event(), []

    def diagnose(bundle, images, **options):
        calls.append("diagnose")
        if len(calls) == 1:
            entered.set()
            assert go_on.wait(20)
        options["job"].check_cancelled("The diagnosis was cancelled")
        return fake_diagnosis()

    monkeypatch.setattr(jobs, "diagnose", diagnose)
    monkeypatch.setattr(jobs, "shift_response", lambda *_, **__: shift_curves())
    api.start()
    assert entered.wait(20)
    api.stop()
    api.start()
    go_on.set()
    assert api.wait(20).finding("aliasing").level == "found"
    assert len(calls) == 2
    api.wait_for_arm(0, 20)
    assert api.status().arms[0].phase == "done"
    service.close()


def test_an_arm_is_the_bundle_that_surgery_makes_and_is_measured(service, fake_checks):
    api, bundle = service.diagnosis, service._context.snapshot.bundle
    arm = api.add_arm(BLUR)
    made = fake_checks[-1][1]
    assert fake_checks[-1][0] == "shift_response"
    assert [step.operation for step in made.surgery] == ["swap_pooling"]
    assert surgery.undo(made) is bundle
    summary = api.status().arm(arm)
    assert (summary.label, summary.parent, summary.phase) == ("blur pool", 0, "done")
    assert (summary.kept, summary.cut, summary.new) == made.surgery[-1].counts
    assert summary.steps == (made.surgery[-1].description,)
    assert api.add_arm(BLUR) == arm  # the same surgery of the same arm
    assert len(api.status().arms) == 2


def test_what_the_first_layer_aliases_is_measured_of_each_arm(fake_checks):
    bundle = bundle_of(network(stride=2))
    service = dw.LocalModelService(bundle, SmoothPhotographs(4), device="cpu", worker=SynchronousExecutor())
    api = service.diagnosis
    api.start()
    arm = api.add_arm(SuggestedSurgery("stride 1 + blur", "blur_strides", {"layers": ["conv1"]}))
    base, made = (api.status().arm(number).aliasing for number in (0, arm))
    assert (base.blurred, made.blurred, made.stride) == (False, True, (2, 2))
    assert 0 < made.mean < base.mean
    assert made.unblurred_mean == pytest.approx(base.mean, rel=1e-5)
    shown = status_content(api.status())["arms"][1]["aliasing"]
    assert (shown["mean"], shown["unblurred_mean"]) == pytest.approx((made.mean, base.mean), rel=1e-4)
    service.close()


def test_a_network_whose_first_layer_is_not_known_has_a_reason(fake_checks):
    model = torch.nn.Sequential(torch.nn.AvgPool2d(2), *network()).eval()
    service = dw.LocalModelService(bundle_of(model), SmoothPhotographs(4), device="cpu", worker=SynchronousExecutor())
    service.diagnosis.start()
    (arm,) = service.diagnosis.status().arms
    assert arm.aliasing is None
    assert "No convolution is known to read the input" in arm.no_aliasing
    service.close()


def test_surgery_on_an_arm_adds_to_it_and_is_undone_step_by_step(service):
    api = service.diagnosis
    average = api.add_arm(AVERAGE)
    both = api.add_arm(SuggestedSurgery("stride 1 + blur", "blur_strides"), average)
    assert api.status().arm(both).label == "average pooling, stride 1 + blur"
    assert len(api.status().arm(both).steps) == 2
    with pytest.raises(DiagnosisError, match="Undo 'average pooling, stride 1 \\+ blur' first"):
        api.remove_arm(average)
    assert api.remove_arm(both) == average
    assert api.remove_arm(average) == 0
    with pytest.raises(DiagnosisError, match="cannot be undone"):
        api.remove_arm(0)
    with pytest.raises(DiagnosisError, match="There is no arm 1"):
        api.shifted(ShiftRequest("crop:0", arm=average))


@pytest.mark.parametrize(
    ("surgery", "error", "words"),
    [
        (SuggestedSurgery("x", "system"), ServiceError, "There is no surgery 'system'"),
        (SuggestedSurgery("x", "undo"), ServiceError, "There is no surgery 'undo'"),
        (SuggestedSurgery("x", "swap_pooling", {"layer": 3}), DiagnosisError, "has no such arguments"),
        (SuggestedSurgery("x", "swap_pooling", {"to": "nothing"}), Exception, "nothing"),
    ],
)
def test_a_surgery_that_is_not_possible_is_refused_and_makes_no_arm(service, surgery, error, words):
    with pytest.raises(error, match=words):
        service.diagnosis.add_arm(surgery)
    assert len(service.diagnosis.status().arms) == 1


def test_a_surgery_that_an_earlier_one_prevents_says_where_to_try_it():
    service = dw.LocalModelService(bundle_of(network()), SmoothPhotographs(3), device="cpu", worker=SynchronousExecutor())
    finer = SuggestedSurgery("finer", "change_first_layer", {"kernel_size": 3, "stride": 1})
    blur = service.diagnosis.add_arm(BLUR)
    with pytest.raises(LayerError, match=r"keep_grid=False\. 'finer' may be possible before 'blur pool': choose the network 'as it is'"):
        service.diagnosis.add_arm(finer, blur)
    assert service.diagnosis.add_arm(finer, 0) == blur + 1
    service.close()


def test_too_many_arms_are_refused_before_anything_is_computed(service, monkeypatch):
    monkeypatch.setattr(arms, "_MAX_ARMS", 2)
    service.diagnosis.add_arm(BLUR)
    monkeypatch.setattr(surgery, "swap_pooling", None)
    with pytest.raises(DiagnosisError, match="There are 2 arms: undo one of them first"):
        service.diagnosis.add_arm(AVERAGE)


def test_another_model_gets_arms_of_its_own_and_the_diagnosis_says_that_it_is_old(service):
    api = service.diagnosis
    api.start()
    api.add_arm(BLUR)
    assert api.status().current
    service.set_units({("conv1", 1): 0.0})
    status = api.status()
    assert not status.current
    assert [arm.label for arm in status.arms] == ["as it is"]
    assert status.phase == "done"  # what was found is still shown
    api.start()
    assert api.status().current


def test_the_microscope_is_that_of_the_arm(service):
    api, bundle = service.diagnosis, service._context.snapshot.bundle
    arm = api.add_arm(BLUR)
    for number, used in ((0, bundle), (arm, surgery.swap_pooling(bundle, to="blur"))):
        found = api.shifted(ShiftRequest("crop:4", 2, -1, number))
        image = service._context.snapshot.images.open_crop(4)
        expected = used.network.map(bundle.prepare(image)[None], "conv2")[0].amax(dim=(1, 2))
        layer = found.layers[1]
        assert (layer.layer, layer.unit) == ("conv2", int(expected.argmax()))
        assert layer.before == pytest.approx(float(expected.detach().max()), rel=1e-5)
        assert found.predicted is not None


def test_a_photograph_has_neighbours_and_says_what_is_filled(service):
    found = service.diagnosis.photograph("crop:0")
    neighbours = [service.diagnosis.neighbour("crop:0", step) for step in (-1, 0, 1, 15)]
    assert neighbours == ["crop:39", "crop:0", "crop:3", "crop:3"]  # the first crops of photographs 13, 0 and 1
    assert found.picture.width == found.width + 2 * found.margin
    for image in ("crop:99", "upload:1", "17", None):
        with pytest.raises(PictureError):
            service.diagnosis.photograph(image)
    with pytest.raises(PictureError):
        service.diagnosis.neighbour("crop:99")
    with pytest.raises(ServiceError, match="right must be an integer from -32 to 32"):
        service.diagnosis.shifted(ShiftRequest("crop:0", 33))
    with pytest.raises(ServiceError, match="There is no choice of layers 'most': choose few"):
        service.diagnosis.shifted(ShiftRequest("crop:0", layers="most"))


def upload(service, image, label=None):
    data = io.BytesIO()
    image.save(data, "PNG")
    number = service.occlusion.begin_upload("mine.png", len(data.getvalue()))
    service.occlusion.add_chunk(number, 0, data.getvalue())
    return service.occlusion.finish_upload(number, label)


def test_an_upload_is_shifted_as_a_photograph_of_the_image_set_is(service):
    api, bundle = service.diagnosis, service.bundle
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8))
    first, second = upload(service, image, "cat"), upload(service, image.rotate(90))
    assert api.status().uploads == (second, first)
    shown = api.photograph(first)
    assert (shown.caption, shown.label, shown.image) == ("mine.png", "cat", first)
    assert [api.neighbour(image, step) for image in (first, second, "crop:0") for step in (-1, 1)] == [
        second, "crop:0", "crop:39", first, first, "crop:3",
    ]  # fmt: skip
    found = api.shifted(ShiftRequest(first, 2, 1)).layers[1]
    expected = bundle.network.map(bundle.prepare(image)[None], "conv2")[0].amax(dim=(1, 2))
    assert found.before == expected[found.unit].item()
    assert found.after != found.before


def test_files(service):
    api = service.diagnosis
    with pytest.raises(DiagnosisError, match="No arm is measured yet"):
        api.file("curves.csv")
    with pytest.raises(ServiceError, match=r"There is no file 'report\.doc'"):
        api.file("report.doc")
    api.start()
    rows = list(csv.DictReader(io.StringIO(api.file("curves.csv").decode())))
    assert len(rows) == 51  # 3 layers, 17 shifts
    assert (rows[17]["arm"], rows[17]["layer"], rows[18]["median_change"]) == ("as it is", "conv2", "0.010000")


def test_without_a_first_convolution_there_are_no_filters(service, monkeypatch):
    monkeypatch.setattr(jobs, "diagnose", lambda *_, **__: replace(fake_diagnosis(), first_layer=None))
    api = service.diagnosis
    with pytest.raises(DiagnosisError, match="There is no diagnosis yet"):
        api.filters()
    api.start()
    with pytest.raises(DiagnosisError, match="has no first convolution"):
        api.filters()


def test_a_service_that_nothing_refers_to_is_released(fake_checks):
    service = dw.LocalModelService(make_tiny_bundle(), NoisePhotographs(), device="cpu", worker=SynchronousExecutor())
    service.diagnosis.start()
    context = service._context
    del service
    gc.collect()
    with pytest.raises(ServiceError, match="does not exist any more"):
        _ = context.events


def test_an_arm_that_was_stopped_is_measured_again(fake_checks):
    executor = ManualExecutor()
    service = dw.LocalModelService(make_tiny_bundle(), NoisePhotographs(), device="cpu", worker=executor)
    api = service.diagnosis
    arms = [api.add_arm(BLUR), api.add_arm(AVERAGE)]
    api.stop()
    assert [api.status().arm(arm).phase for arm in arms] == ["stopped", "stopped"]
    assert api.add_arm(BLUR) == arms[0]
    assert [api.status().arm(arm).phase for arm in arms] == ["waiting", "stopped"]
    api.start()
    assert [arm.phase for arm in api.status().arms] == ["waiting"] * 3
    service.close()


def test_a_closed_service_leaves_nothing_to_wait_for():
    service = dw.LocalModelService(make_tiny_bundle(), NoisePhotographs(), device="cpu")
    api = service.diagnosis
    service.close()
    with pytest.raises(ServiceError, match="closed"):
        api.start()
    with pytest.raises(DiagnosisError, match="closed"):
        api.wait(5)
    with pytest.raises(ServiceError, match="closed"):
        api.add_arm(BLUR)
    with pytest.raises(DiagnosisError, match="closed"):
        api.wait_for_arm(1, 5)


def test_numbers_of_arms_are_not_used_again_for_another_model(service):
    first = service.diagnosis.add_arm(BLUR)
    service.set_units({("conv1", 1): 0.0})
    service.reset_units()
    assert service.diagnosis.add_arm(AVERAGE) > first


def test_the_arms_are_of_the_newest_model_whatever_is_announced_last(service):
    context = service._context
    service.set_units({("conv1", 1): 0.0})
    context._announce()  # as a thread does that replaced the snapshot before
    assert service.diagnosis._arms.base.bundle is context.snapshot.bundle
