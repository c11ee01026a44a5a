"""LocalModelService: requests, snapshots, events, and the activation index."""

import gc
import io
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets import display
from deconvwidgets.errors import ActivationIndexError, LayerError, ModelError, PictureError, ServiceError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.cached import default_path
from deconvwidgets.instruments.layers.records import EnlargeRequest
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.records.mosaics import MosaicRequest
from deconvwidgets.service import unit_projections
from deconvwidgets.service.protocol import ModelService, ServiceEvent
from deconvwidgets.service.worker import SynchronousExecutor
from tests.widgets.requests import wait_until


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory, request):
    if "slow" not in request.keywords:  # the real model uses the weights in the user's cache
        monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def service(tiny_bundle, tiny_images):
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=SynchronousExecutor())
    yield service
    service.close()


def decode(image):
    return np.asarray(Image.open(io.BytesIO(image.data)).convert("RGB"))


def test_service_implements_the_protocol(service):
    assert isinstance(service, ModelService)
    assert service.wait() is service


def test_overview(service, tiny_images):
    overview = service.overview()
    assert (overview.model, overview.images, overview.photographs, overview.crops) == ("tiny", "noise", 14, 42)
    assert [(layer.info.alias, layer.dead) for layer in overview.layers] == [("conv1", 1), ("conv2", 0)]
    assert overview.index_ready
    assert overview.k == 9
    assert overview.device == "cpu"
    assert overview.version == 2  # the complete index increments it


def test_unit_table_and_detail_equal_the_index(service, tiny_images):
    index, table = service.index, service.layers.unit_table("conv2")
    np.testing.assert_array_equal(table.maximum, index.stats("conv2").maximum)
    np.testing.assert_array_equal(table.labels, index.labels("conv2")[:, :9])
    assert table.categories == ("cat", "dog", "kite")
    detail = service.layers.unit_detail("conv2", 3)
    assert [entry.image for entry in detail.entries] == [activation.image for activation in index.top("conv2", 3, 9)]
    for entry in detail.entries:
        source = tiny_images.crop(entry.image).source
        assert entry.source == f"noise-{source}"
        assert entry.label == (None if source == 0 else ("cat", "dog", "kite")[source % 3])
    assert sum(detail.histogram) == 42
    assert len(detail.edges) == len(detail.histogram) + 1


@pytest.mark.parametrize("contrast", ["tile", "shared"])
def test_enlarged_activation_equals_plain_pytorch(service, tiny_bundle, tiny_images, contrast):
    """conv2 is the network up to its second convolution: the map, and the gradient of its strongest value."""
    layers = service.layers
    for rank, activation in enumerate(service.index.top("conv2", 3)[:9]):
        enlarged = layers.enlarged(EnlargeRequest("conv2", 3, rank, "gradient", contrast, 96))
        pixels = tiny_bundle.prepare(tiny_images.open_crop(activation.image))[None].requires_grad_()
        feature_map = tiny_bundle.model[:4](pixels)[0, 3]
        np.testing.assert_allclose(enlarged.feature_map, feature_map.detach().numpy(), rtol=1e-5, atol=1e-6)
        assert float(enlarged.feature_map.max()) == pytest.approx(activation.value, rel=1e-5)
        assert enlarged.feature_map[activation.row, activation.column] == enlarged.feature_map.max()
        patch = display.resize_image(display.crop_patch(tiny_bundle.to_picture(pixels.detach()[0]), activation.box), 96)
        assert np.abs(decode(enlarged.patch).astype(int) - patch).mean() < 6, "as a JPEG"
        (gradient,) = torch.autograd.grad(feature_map.max() ** 2 / 2, pixels)  # seeded with the activation
        left, top, right, bottom = activation.box
        padded = torch.nn.functional.pad(gradient[0], (16, 16, 16, 16))[:, top + 16 : bottom + 16, left + 16 : right + 16].numpy()
        if contrast == "tile":
            shown = display.projection_to_rgb(padded, 96)
            assert np.abs(decode(enlarged.projection).astype(int) - shown).mean() < 6


def test_enlarged_activation_that_does_not_exist_is_refused(service):
    count = len(service.index.top("conv2", 3)[:9])
    for request in (
        EnlargeRequest("conv2", 3, count),
        EnlargeRequest("conv2", 3, -1),
        EnlargeRequest("conv2", 99, 0),
        EnlargeRequest("conv9", 0, 0),
    ):
        with pytest.raises(LayerError):
            service.layers.enlarged(request)
    with pytest.raises(ServiceError, match="size"):
        service.layers.enlarged(EnlargeRequest("conv2", 3, 0, size=4))


def test_predictions_equal_the_output_of_the_model(service, tiny_bundle, tiny_images):
    for entry in service.layers.unit_detail("conv1", 0).entries:
        with torch.no_grad():
            logits = tiny_bundle.model(tiny_bundle.prepare(tiny_images.open_crop(entry.image))[None])[0]
        assert entry.prediction == ("ant", "bee", "cow")[int(logits.argmax())]
        assert entry.probability == pytest.approx(float(logits.softmax(0).max()), rel=1e-4)


def test_top_activations_show_projections_and_patches(service, tiny_bundle, tiny_images):
    tile = 32
    mosaic = service.layers.top_activations("conv2", 3, tile=tile)
    assert (mosaic.count, mosaic.grid, mosaic.tile) == (9, 3, tile)
    projections, patches = decode(mosaic.projections).astype(int), decode(mosaic.patches).astype(int)
    assert projections.shape == patches.shape == (3 * tile + 2 * mosaic.gap,) * 2 + (3,)
    for rank, activation in enumerate(service.index.top("conv2", 3)[:9]):
        row, column = (part * (tile + mosaic.gap) for part in divmod(rank, 3))
        cell = (slice(row, row + tile), slice(column, column + tile))
        crop = tiny_images.open_crop(activation.image)
        projection = dw.project(tiny_bundle, crop, "conv2", unit=3, at=[(activation.row, activation.column)])
        expected = display.projection_to_rgb(projection.pixels[0], tile)
        assert np.abs(projections[cell] - expected).mean() < 8  # JPEG
        patch = display.crop_patch(tiny_bundle.to_picture(tiny_bundle.prepare(crop)), activation.box)
        assert np.abs(patches[cell] - display.resize_image(patch, tile)).mean() < 8


def test_dead_unit_has_an_empty_mosaic(service):
    mosaic = service.layers.top_activations("conv1", 2)
    assert mosaic.count == 0
    assert np.abs(decode(mosaic.projections).astype(int) - display.GREY).max() <= 1
    assert service.layers.unit_detail("conv1", 2).entries == ()
    with pytest.raises(LayerError, match="0 strongest"):
        service.layers.source("conv1", 2, 0)


def test_contrast_and_size_reuse_the_projections(service, monkeypatch):
    service.layers.top_activations("conv2", 0)
    monkeypatch.setattr(unit_projections, "project", lambda *args, **options: pytest.fail("projected again"))
    shared = service.layers.top_activations("conv2", 0, contrast="shared", tile=40)
    assert shared.tile == 40
    assert service.layers.top_activations("conv2", 0) == service.layers.top_activations("conv2", 0)


@pytest.mark.parametrize("parts", [("patches",), ("projections",), ("patches", "projections")])
def test_only_the_requested_parts_are_computed(service, monkeypatch, parts):
    whole = service.layers.top_activations("conv2", 3, tile=40)
    service._context.replace()  # clears the caches
    if "projections" not in parts:
        monkeypatch.setattr(unit_projections, "project", lambda *args, **options: pytest.fail("projected"))
    if "patches" not in parts:
        monkeypatch.setattr("deconvwidgets.service.mosaics.display.crop_patch", lambda *args: pytest.fail("cropped"))
    images = service.layers.mosaics(MosaicRequest("conv2", 3, tile=40, parts=parts))
    assert [image.data for image in images] == [getattr(whole, part).data for part in parts]


def test_mosaics_in_the_background_are_equal(service):
    top = service.layers.top_activations("conv2", 3, tile=40)
    service._context.replace()  # clears the caches
    assert service.layers.mosaics(MosaicRequest("conv2", 3, tile=40), background=True) == [top.projections, top.patches]
    with pytest.raises(LayerError):
        service.layers.mosaics(MosaicRequest("conv2", 99, tile=40), background=True)


def test_request_continues_the_projections_of_a_background_request(tiny_bundle, tiny_images, monkeypatch):
    """A background request has computed part of the projections when a request for the same unit arrives, which computes the rest."""

    index = ActivationIndex.build(tiny_bundle, tiny_images, progress=False, device="cpu")
    service = LocalModelService(tiny_bundle, tiny_images, index=index, device="cpu")
    started, proceed, steps, answers = threading.Event(), threading.Event(), [], []
    original = unit_projections.project

    def project(network, batch, *rest, **options):
        steps.append((threading.current_thread().name, len(batch)))
        if len(steps) == 2:
            started.set()
            proceed.wait(10)
        return original(network, batch, *rest, **options)

    monkeypatch.setattr(unit_projections, "project", project)
    monkeypatch.setattr(unit_projections.BatchSizer, "size", lambda self: 2)

    def request(background):
        answers.append(service.layers.mosaics(MosaicRequest("conv2", 3, tile=40), background=background))

    background = threading.Thread(target=request, args=(True,), name="background")
    background.start()
    assert started.wait(10)  # the background request is in its second step
    urgent = threading.Thread(target=request, args=(False,), name="urgent")
    urgent.start()
    wait_until(lambda: service._context.device_lock._requests)  # it waits for the device
    proceed.set()
    urgent.join(10)
    background.join(10)
    assert [size for _, size in steps] == [2, 2, 5]
    assert [name == "urgent" for name, _ in steps] == [False, False, True]
    assert answers[0] == answers[1]
    service.close()


def test_requests_are_answered_after_close(tiny_bundle, tiny_images):
    index = ActivationIndex.build(tiny_bundle, tiny_images, progress=False, device="cpu")
    service = LocalModelService(tiny_bundle, tiny_images, index=index, device="cpu")
    service.close()
    for background in (False, True):
        assert len(service.layers.mosaics(MosaicRequest("conv2", 3, tile=40), background=background)) == 2


@pytest.mark.parametrize("state", [None, "conv2", 5])
def test_figure_with_an_invalid_state_raises_an_error(service, state):
    with pytest.raises(ServiceError, match="a dict such as"):
        service.layers.figure("layer.png", state)


def test_source_has_the_boxes_of_receptive_field_and_crop(service, tiny_images, tiny_bundle):
    for rank, activation in enumerate(service.index.top("conv1", 0)[:9]):
        shown = service.layers.source("conv1", 0, rank, size=280)
        assert (shown.image.width, shown.image.height) == (280, 240)
        crop = tiny_images.crop(activation.image)
        left, top, right, bottom = crop.box or (0, 0, 28, 24)
        width, height = right - left, bottom - top
        # The shorter side is resized to 18 pixels, and the central 16 are cropped.
        scale = 18 / min(width, height)
        shift = (round((width * scale - 16) / 2), round((height * scale - 16) / 2))
        expected = [(edge + shift[side % 2]) / scale + (left, top)[side % 2] for side, edge in enumerate(activation.box)]
        np.testing.assert_allclose(shown.box, np.array(expected) / [28, 24, 28, 24], atol=0.03)
        whole = [(edge + shift[side % 2]) / scale + (left, top)[side % 2] for side, edge in enumerate((0, 0, 16, 16))]
        np.testing.assert_allclose(shown.crop, np.array(whole) / [28, 24, 28, 24], atol=0.03)
        assert f"#{rank + 1}" in shown.caption
        assert f"noise-{crop.source}" in shown.caption


def test_source_shows_the_input_if_the_transform_is_unknown(tiny_bundle, tiny_images):
    transform = tiny_bundle.transform
    bundle = replace(tiny_bundle, transform=lambda image: transform(image))
    service = LocalModelService(bundle, tiny_images, device="cpu", worker=SynchronousExecutor())
    source, activation = service.layers.source("conv1", 0, 0, size=160), service.index.top("conv1", 0)[0]
    assert (source.image.width, source.image.height) == (160, 160)
    np.testing.assert_allclose(source.box, np.array(activation.box) / 16)
    assert source.crop is None
    assert "the model's input" in source.caption


@pytest.mark.parametrize(
    ("method", "error"),
    [
        (lambda s: s.top_activations("conv7", 0), LayerError),
        (lambda s: s.top_activations("conv1", 99), LayerError),
        (lambda s: s.top_activations("conv1", 0, rule="magic"), ServiceError),
        (lambda s: s.top_activations("conv1", 0, contrast="loud"), ServiceError),
        (lambda s: s.top_activations("conv1", 0, tile=9999), ServiceError),
        (lambda s: s.source("conv1", 0, 9), LayerError),
        (lambda s: s.source("conv1", 0, 0, size=1), ServiceError),
        (lambda s: s.unit_table("fc6"), LayerError),
        (lambda s: s.unit_detail("conv1", -1), LayerError),
        (lambda s: s.figure("poster.pdf", {}), ServiceError),
        (lambda s: s.figure("layer.png", {"sort": "beauty"}), ServiceError),
    ],
)
def test_invalid_requests_raise_errors(service, method, error):
    with pytest.raises(error):
        method(service.layers)
    assert service.layers.top_activations("conv1", 0).count == 9


def test_errors_state_the_progress_of_the_index(tiny_bundle, tiny_images, manual_executor):
    worker, answers, events = manual_executor, [], []
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=worker)
    with pytest.raises(ServiceError, match="not built yet"):
        service.layers.top_activations("conv1", 0)
    assert not service.overview().index_ready
    assert [layer.dead for layer in service.overview().layers] == [None, None]

    def listener(event):
        events.append(event)
        if event.kind == "progress" and not answers:
            with pytest.raises(ServiceError) as caught:
                service.layers.unit_table("conv1")
            answers.extend([str(caught.value), *service.overview().notes])

    service.subscribe(listener)
    worker.jobs[0].run()
    assert f"{events[0].progress.done} of 42 crops" in answers[0]
    assert any("being built" in note for note in answers[1:])
    assert [event.kind for event in events[-2:]] == ["progress", "changed"]
    assert service.overview().index_ready
    assert not any("being built" in note for note in service.overview().notes)
    assert service.layers.top_activations("conv1", 0).count == 9


def test_index_is_saved_and_loaded(service, tiny_bundle, tiny_images, noise, manual_executor):
    assert default_path(tiny_bundle, tiny_images).exists()
    images = noise()
    events, worker = [], manual_executor
    again = LocalModelService(tiny_bundle, images, device="cpu", worker=worker)
    again.subscribe(events.append)
    worker.jobs[0].run()
    assert images.opened == 0
    assert [event.kind for event in events] == ["changed"]
    assert again.layers.unit_detail("conv2", 1).entries == service.layers.unit_detail("conv2", 1).entries
    worker.jobs[1].run()  # decodes the photographs of the mosaics in advance
    opened = images.opened
    assert opened > 0
    again.layers.top_activations("conv2", 0)
    assert images.opened == opened


def test_cache_that_cannot_be_written_is_noted(tiny_bundle, tiny_images, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path / "file"))
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=SynchronousExecutor()).wait()
    assert service.layers.top_activations("conv1", 0).count == 9
    assert any("built again next time" in note for note in service.overview().notes)


def test_errors_of_the_index_are_published_and_raised(tiny_model, tiny_images, manual_executor):
    broken, events, worker = tiny_model(), [], manual_executor
    with torch.no_grad():
        broken.model[3].weight[0] = float("nan")
    service = LocalModelService(broken, tiny_images, device="cpu", worker=worker)
    service.subscribe(events.append)
    worker.jobs[0].run()
    assert [event.kind for event in events] == ["failed"]
    assert "NaN" in events[0].message
    with pytest.raises(ModelError, match="NaN"):
        service.wait(5)
    with pytest.raises(ServiceError, match="NaN"):
        service.layers.top_activations("conv1", 0)
    assert any("NaN" in note for note in service.overview().notes)


def test_index_of_another_model_raises_an_error(tiny_bundle, tiny_images, tiny_model):
    index = ActivationIndex.build(tiny_model(1), tiny_images, progress=False, device="cpu")
    with pytest.raises(ActivationIndexError, match="does not fit"):
        LocalModelService(tiny_bundle, tiny_images, index=index, device="cpu", worker=SynchronousExecutor())


def test_enlarging_a_photograph_that_becomes_unreadable_raises_an_error(tiny_bundle, noise, manual_executor):
    images, worker = noise(), manual_executor
    index = ActivationIndex.build(tiny_bundle, images, progress=False, device="cpu")
    images.broken = {images.crop(index.top("conv1", 0)[4].image).source}
    service = LocalModelService(tiny_bundle, images, index=index, device="cpu", worker=worker)
    with pytest.raises(PictureError, match="truncated"):
        service.layers.enlarged(EnlargeRequest("conv1", 0, 4))


def test_snapshots_are_replaced_atomically(tiny_model, tiny_images):
    """Each request uses the old snapshot or the new one."""
    bundles = [tiny_model(seed) for seed in (0, 1)]
    indexes = [ActivationIndex.build(bundle, tiny_images, progress=False, device="cpu") for bundle in bundles]
    service = LocalModelService(bundles[0], tiny_images, index=indexes[0], device="cpu", worker=SynchronousExecutor())
    other = LocalModelService(bundles[1], tiny_images, index=indexes[1], device="cpu", worker=SynchronousExecutor())
    both = [each.layers.top_activations("conv2", 3) for each in (service, other)]
    expected = {mosaic.projections.data: mosaic.patches.data for mosaic in both}
    assert len(expected) == 2
    states, stop, wrong, answered = [service._context.snapshot, other._context.snapshot], threading.Event(), [], []

    def send_requests():
        while not stop.is_set():
            mosaic = service.layers.top_activations("conv2", 3)
            answered.append(1)
            if expected.get(mosaic.projections.data) != mosaic.patches.data:
                wrong.append(mosaic)

    threads = [threading.Thread(target=send_requests) for _ in range(3)]
    for thread in threads:
        thread.start()
    versions = []
    for number in range(20):
        state = states[(number + 1) % 2]
        versions.append(service._context.replace(bundle=state.bundle, index=state.index).version)
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert answered
    assert not wrong
    assert versions == sorted(set(versions))


def test_caches_depend_on_the_version(service, tiny_model, tiny_images):
    """Results of a request with the old snapshot are not used for the new one."""
    new = tiny_model(1)
    index = ActivationIndex.build(new, tiny_images, progress=False, device="cpu")
    old = service._context.snapshot
    version = old.version + 1
    later = replace(old, version=version, bundle_version=version, layers_version=version, bundle=new, index=index)
    mosaics = [service.layers._mosaics.top_activations(state, state.index, MosaicRequest("conv2", 3, tile=32)) for state in (old, later)]
    assert mosaics[0].projections.data != mosaics[1].projections.data
    assert mosaics[0].patches.data != mosaics[1].patches.data
    crops = [activation.image for activation in old.index.top("conv2", 3)]
    assert service.layers._predictions.get(old, crops) != service.layers._predictions.get(later, crops)


def test_requests_from_many_threads_are_equal(service):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(service.layers.top_activations("conv2", 3, "guided"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 6
    assert len({answer.projections.data for answer in answers}) == 1


def test_errors_of_listeners_are_logged_once(service, caplog):
    failing, calls, received = [True, True, False, True, False], [], []

    def listener(event):
        calls.append(event)
        if failing[len(calls) - 1]:
            raise RuntimeError("page closed")

    service.subscribe(listener)
    unsubscribe = service.subscribe(received.append)
    for number in range(4):
        service._context.replace()
        assert len(calls) == len(received) == number + 1
    assert caplog.text.count("RuntimeError: page closed") == 2  # the first of consecutive errors
    unsubscribe()
    unsubscribe()
    service._context.replace()
    assert (len(calls), len(received)) == (5, 4)


def test_listeners_receive_their_kinds_of_events(service):
    received = []
    service.subscribe(received.append, kinds={"failed", "transfer"})
    for kind in ("progress", "failed", "changed", "occlusion", "transfer"):
        service._events.publish(ServiceEvent(kind))
    assert [event.kind for event in received] == ["failed", "transfer"]


def test_subscription_holds_methods_weakly(service):
    class Widget:
        def listen(self, event):
            pytest.fail("the object is gone")

    widget = Widget()
    service.subscribe(widget.listen)
    assert len(service._events) == 1
    del widget
    gc.collect()
    service._context.replace()
    assert len(service._events) == 0


def test_close_cancels_the_index(tiny_bundle, noise):
    reached = threading.Event()

    class Slow(noise):
        def open_source(self, source):
            reached.set()
            time.sleep(0.02)
            return super().open_source(source)

    service = LocalModelService(tiny_bundle, Slow(4000), device="cpu")
    assert reached.wait(60)
    started = time.monotonic()
    service.close()
    assert time.monotonic() - started < 40, "opening all photographs takes 80 seconds"
    with pytest.raises(Exception, match="closed before the index was complete"):
        service.wait(5)


def test_model_that_cannot_be_traced_is_noted(tiny_images, tiny_bundle):
    class Untraceable(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return torch.relu(self.conv(x)) if float(x.sum()) > -1e9 else x  # a branch on values

    bundle = dw.ModelBundle.from_module(Untraceable().eval(), transform=tiny_bundle.transform)
    service = LocalModelService(bundle, tiny_images, device="cpu", worker=SynchronousExecutor()).wait()
    overview = service.overview()
    assert any("cannot be traced" in note for note in overview.notes)
    assert any("no classifier" in note for note in overview.notes)
    layer = overview.layers[0].info.name
    unit = int(np.argmax(service.layers.unit_table(layer).maximum))
    assert service.layers.top_activations(layer, unit).count == 9
    assert service.layers.unit_detail(layer, unit).entries[0].prediction is None


@pytest.mark.parametrize("kind", ["explorer.png", "layer.svg", "unit.html"])
def test_figures(service, kind):
    data = service.layers.figure(kind, {"layer": "conv2", "unit": 3, "units": 2, "sort": "selectivity"})
    assert data.startswith(b"\x89PNG" if kind.endswith("png") else b"<")


def test_figures_depend_on_the_state(service, monkeypatch):
    sheets = []
    monkeypatch.setattr("deconvwidgets.instruments.layers.service.figures.render", lambda kind, sheet: sheets.append(sheet) or b"")
    service.layers.figure("explorer.png", {"layer": "conv2", "sort": "mean", "units": 2, "unit": 3, "rank": 4, "rule": "guided"})
    service.layers.figure("layer.png", {"layer": "conv1", "filter": "KITE", "units": 9, "unit": None})
    explorer, layer = sheets
    table = service.layers.unit_table("conv2")
    assert [panel.unit for panel in explorer.panels] == np.argsort(-table.mean)[:2].tolist()
    assert (explorer.unit.unit, explorer.rule) == (3, "guided")
    assert explorer.source == service.layers.source("conv2", 3, 4)
    kites = [unit for unit in range(4) if 2 in service.layers.unit_table("conv1").labels[unit]]
    assert sorted(panel.unit for panel in layer.panels) == kites
    assert f"the {len(kites)} strongest of 4 units" in layer.selection
    assert "KITE" in layer.selection


def test_from_environment(monkeypatch, tmp_path, tiny_images):
    for source in range(4):
        Image.fromarray(tiny_images.pixels[source]).save(tmp_path / f"{source}.png")
    monkeypatch.setenv("DECONVWIDGETS_IMAGES", str(tmp_path))
    monkeypatch.setenv("DECONVWIDGETS_DEVICE", "cpu")
    monkeypatch.setenv("DECONVWIDGETS_MODEL", "alexnet")
    monkeypatch.setattr("deconvwidgets.models.zoo.load_model", lambda name: load_random(name))
    service = LocalModelService.from_environment()
    service.close()
    assert service.overview().model == "alexnet"
    assert service.overview().photographs == 4


def load_random(name):
    from deconvwidgets.models.zoo import _random

    return _random(name)


@pytest.fixture(scope="module")
def alexnet():
    service = LocalModelService(dw.load_model("alexnet"), dw.open_images("photos"), device="cpu")
    yield service.wait(300)
    service.close()


@pytest.mark.slow
def test_alexnet(alexnet):
    overview = alexnet.overview()
    assert [layer.info.alias for layer in overview.layers] == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    assert overview.photographs >= 25
    mosaic = alexnet.layers.top_activations("conv5", 133)
    assert mosaic.count == 9
    shown = decode(mosaic.projections).astype(int)
    assert shown.std() > 20  # not uniformly gray
    detail = alexnet.layers.unit_detail("conv5", 133)
    assert len({entry.source for entry in detail.entries}) == 9
    assert alexnet.layers.source("conv5", 133, 0).image.width >= 300


@pytest.mark.parametrize(
    ("kind", "state", "message"),
    [
        ("layer", {"units": []}, "no unit to draw"),
        ("layer", {"units": range(10**12)}, "a unit of conv1 must be an integer from 0 to 3"),
        ("layer", {"units": [True]}, "a unit of conv1 must be an integer"),
        ("layer", {"layer": np.array([1, 2])}, "layer must be the name of a layer"),
        ("layer", {"rule": False}, "There is no rule False"),
        ("layer", {"sort": np.array([1, 2])}, "There is no sort order"),
        ("layer", {"filter": 3}, "The filter is a class name"),
        ("unit", {"rank": False}, "rank must be an integer"),
        ("layers", {"units": {"conv1": 3}}, r"The units of 'conv1' must be a list such as"),
        ("layers", {"units": {"conv1": "12"}}, r"The units of 'conv1' must be a list such as"),
        ("layers", {"units": {1: [1]}}, "layer must be the name of a layer"),
        ("layers", {"layers": []}, "no unit to draw"),
    ],
)
def test_options_of_a_figure_are_checked_and_never_replaced(service, kind, state, message):
    with pytest.raises((LayerError, ServiceError), match=message):
        service.layers.figure(f"{kind}.png", {"layer": "conv1", **state})


def test_units_of_a_figure_may_be_an_array(service):
    chosen = np.argsort(-service.layers.unit_table("conv1").maximum)[:2]
    assert service.layers.figure("layer.svg", {"units": chosen}) == service.layers.figure("layer.svg", {"units": chosen.tolist()})
