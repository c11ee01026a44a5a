"""The local service: every request answered, one snapshot a request, the index loaded or built beside them."""

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
from deconvwidgets.index.activation_index import ActivationIndex, default_path
from deconvwidgets.instruments.layers.records import MosaicRequest
from deconvwidgets.instruments.layers.service import unit_projections
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.service.protocol import ModelService, ServiceEvent
from deconvwidgets.service.worker import SynchronousExecutor


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory, request):
    if "slow" not in request.keywords:  # the real model keeps its fetched weights and photographs
        monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def service(tiny_bundle, tiny_images):
    made = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=SynchronousExecutor())
    yield made
    made.close()


def pixels_of(image):
    return np.asarray(Image.open(io.BytesIO(image.data)).convert("RGB"))


def test_it_is_a_model_service(service):
    assert isinstance(service, ModelService)
    assert service.wait() is service


def test_overview(service, tiny_images):
    overview = service.overview()
    assert (overview.model, overview.images, overview.photographs, overview.crops) == ("tiny", "noise", 14, 42)
    assert [(layer.info.alias, layer.dead) for layer in overview.layers] == [("conv1", 1), ("conv2", 1)]
    assert overview.index_ready
    assert overview.k == 9
    assert overview.device == "cpu"
    assert overview.version == 2  # the index came


def test_unit_table_and_detail_follow_the_index(service, tiny_images):
    index, table = service.index, service.layers.unit_table("conv2")
    np.testing.assert_array_equal(table.maximum, index.stats("conv2").maximum)
    np.testing.assert_array_equal(table.labels, index.labels("conv2"))
    assert table.categories == ("cat", "dog", "kite")
    detail = service.layers.unit_detail("conv2", 3)
    assert [entry.image for entry in detail.entries] == [one.image for one in index.top("conv2", 3)]
    for entry in detail.entries:
        source = tiny_images.crop(entry.image).source
        assert entry.source == f"noise-{source}"
        assert entry.label == (None if source == 0 else ("cat", "dog", "kite")[source % 3])
    assert sum(detail.histogram) == 42
    assert len(detail.edges) == len(detail.histogram) + 1


def test_predictions_are_the_models_answers(service, tiny_bundle, tiny_images):
    for entry in service.layers.unit_detail("conv1", 0).entries:
        with torch.no_grad():
            logits = tiny_bundle.model(tiny_bundle.prepare(tiny_images.open_crop(entry.image))[None])[0]
        assert entry.prediction == ("ant", "bee", "cow")[int(logits.argmax())]
        assert entry.probability == pytest.approx(float(logits.softmax(0).max()), rel=1e-4)


def test_nine_shows_projections_and_patches(service, tiny_bundle, tiny_images):
    tile = 32
    nine = service.layers.top_activations("conv2", 3, tile=tile)
    assert (nine.count, nine.grid, nine.tile) == (9, 3, tile)
    projections, patches = pixels_of(nine.projections).astype(int), pixels_of(nine.patches).astype(int)
    assert projections.shape == patches.shape == (3 * tile + 2 * nine.gap,) * 2 + (3,)
    for place, one in enumerate(service.index.top("conv2", 3)):
        row, column = (part * (tile + nine.gap) for part in divmod(place, 3))
        cell = (slice(row, row + tile), slice(column, column + tile))
        view = tiny_images.open_crop(one.image)
        projection = dw.project(tiny_bundle, view, "conv2", unit=3, at=[(one.row, one.column)])
        expected = display.projection_to_rgb(projection.pixels[0], tile)
        assert np.abs(projections[cell] - expected).mean() < 8  # JPEG
        seen = display.crop_patch(tiny_bundle.to_picture(tiny_bundle.prepare(view)), one.box)
        assert np.abs(patches[cell] - display.resize_image(seen, tile)).mean() < 8


def test_dead_unit_has_an_empty_nine(service):
    nine = service.layers.top_activations("conv1", 2)
    assert nine.count == 0
    assert np.abs(pixels_of(nine.projections).astype(int) - display.GREY).max() <= 1
    assert service.layers.unit_detail("conv1", 2).entries == ()
    with pytest.raises(LayerError, match="0 strongest"):
        service.layers.source("conv1", 2, 0)


def test_contrast_and_size_need_no_new_projection(service, monkeypatch):
    service.layers.top_activations("conv2", 0)
    monkeypatch.setattr(unit_projections, "project", lambda *args, **options: pytest.fail("projected again"))
    shared = service.layers.top_activations("conv2", 0, contrast="shared", tile=40)
    assert shared.tile == 40
    assert service.layers.top_activations("conv2", 0) == service.layers.top_activations("conv2", 0)


@pytest.mark.parametrize("parts", [("patches",), ("projections",), ("patches", "projections")])
def test_only_what_is_asked_for_is_computed(service, monkeypatch, parts):
    whole = service.layers.top_activations("conv2", 3, tile=40)
    service._context.replace()  # nothing is kept
    if "projections" not in parts:
        monkeypatch.setattr(unit_projections, "project", lambda *args, **options: pytest.fail("projected"))
    if "patches" not in parts:
        monkeypatch.setattr("deconvwidgets.instruments.layers.service.mosaics.display.crop_patch", lambda *args: pytest.fail("cropped"))
    images = service.layers.mosaics(MosaicRequest("conv2", 3, tile=40, parts=parts))
    assert [image.data for image in images] == [getattr(whole, part).data for part in parts]


def test_mosaics_in_the_background_are_the_same(service):
    top = service.layers.top_activations("conv2", 3, tile=40)
    service._context.replace()  # nothing is cached
    assert service.layers.mosaics(MosaicRequest("conv2", 3, tile=40), background=True) == [top.projections, top.patches]
    with pytest.raises(LayerError):
        service.layers.mosaics(MosaicRequest("conv2", 99, tile=40), background=True)


def test_a_click_overtakes_a_tile_and_takes_over_what_it_began(tiny_bundle, tiny_images, monkeypatch):
    """Three of the tile's nine are projected when the click on the same unit comes: it does the other six, once, and the tile none."""

    index = ActivationIndex.build(tiny_bundle, tiny_images, progress=False, device="cpu")
    service = LocalModelService(tiny_bundle, tiny_images, index=index, device="cpu")
    begun, go_on, steps, answers = threading.Event(), threading.Event(), [], []
    real = unit_projections.project

    def project(network, batch, *rest, **options):
        steps.append((threading.current_thread().name, len(batch)))
        if len(steps) == 2:
            begun.set()
            go_on.wait(10)
        return real(network, batch, *rest, **options)

    monkeypatch.setattr(unit_projections, "project", project)
    monkeypatch.setattr(unit_projections.BatchSizer, "size", lambda self: 2)

    def request(background):
        answers.append(service.layers.mosaics(MosaicRequest("conv2", 3, tile=40), background=background))

    tile = threading.Thread(target=request, args=(True,), name="tile")
    tile.start()
    assert begun.wait(10)  # the tile's thread is in its second step
    click = threading.Thread(target=request, args=(False,), name="click")
    click.start()
    time.sleep(0.1)  # it waits for the device
    go_on.set()
    click.join(10)
    tile.join(10)
    assert [size for _, size in steps] == [2, 2, 5]
    assert [name == "click" for name, _ in steps] == [False, False, True]
    assert answers[0] == answers[1]
    assert service.layers._mosaics._projections._partial == {}
    service.close()


def test_requests_are_answered_after_closing(tiny_bundle, tiny_images):
    index = ActivationIndex.build(tiny_bundle, tiny_images, progress=False, device="cpu")
    service = LocalModelService(tiny_bundle, tiny_images, index=index, device="cpu")
    service.close()
    for background in (False, True):
        assert len(service.layers.mosaics(MosaicRequest("conv2", 3, tile=40), background=background)) == 2


@pytest.mark.parametrize("state", [None, "conv2", 5])
def test_a_figure_of_no_state_is_refused_in_words(service, state):
    with pytest.raises(ServiceError, match="a dict such as"):
        service.layers.figure("layer.png", state)


def test_a_source_has_the_boxes_of_receptive_field_and_crop(service, tiny_images, tiny_bundle):
    for rank, one in enumerate(service.index.top("conv1", 0)):
        shown = service.layers.source("conv1", 0, rank, size=280)
        assert (shown.image.width, shown.image.height) == (280, 240)
        view = tiny_images.crop(one.image)
        left, top, right, bottom = view.box or (0, 0, 28, 24)
        width, height = right - left, bottom - top
        # The shorter side goes to 18 pixels and the middle 16 are kept.
        scale = 18 / min(width, height)
        shift = (round((width * scale - 16) / 2), round((height * scale - 16) / 2))
        expected = [(edge + shift[side % 2]) / scale + (left, top)[side % 2] for side, edge in enumerate(one.box)]
        np.testing.assert_allclose(shown.box, np.array(expected) / [28, 24, 28, 24], atol=0.03)
        whole = [(edge + shift[side % 2]) / scale + (left, top)[side % 2] for side, edge in enumerate((0, 0, 16, 16))]
        np.testing.assert_allclose(shown.crop, np.array(whole) / [28, 24, 28, 24], atol=0.03)
        assert f"#{rank + 1}" in shown.caption
        assert f"noise-{view.source}" in shown.caption


def test_opaque_transform_shows_the_models_input(tiny_bundle, tiny_images):
    transform = tiny_bundle.transform
    bundle = replace(tiny_bundle, transform=lambda image: transform(image))
    service = LocalModelService(bundle, tiny_images, device="cpu", worker=SynchronousExecutor())
    shown, one = service.layers.source("conv1", 0, 0, size=160), service.index.top("conv1", 0)[0]
    assert (shown.image.width, shown.image.height) == (160, 160)
    np.testing.assert_allclose(shown.box, np.array(one.box) / 16)
    assert shown.crop is None
    assert "the model's input" in shown.caption


@pytest.mark.parametrize(
    ("ask", "error"),
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
def test_what_cannot_be_answered_says_so_and_the_next_request_works(service, ask, error):
    with pytest.raises(error):
        ask(service.layers)
    assert service.layers.top_activations("conv1", 0).count == 9


def test_while_the_index_is_built_requests_say_how_far_it_is(tiny_bundle, tiny_images, manual_executor):
    worker, answers, events = manual_executor, [], []
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=worker)
    with pytest.raises(ServiceError, match="not built yet"):
        service.layers.top_activations("conv1", 0)
    assert not service.overview().index_ready
    assert [layer.dead for layer in service.overview().layers] == [None, None]

    def listen(event):
        events.append(event)
        if event.kind == "progress" and not answers:
            with pytest.raises(ServiceError) as caught:
                service.layers.unit_table("conv1")
            answers.extend([str(caught.value), *service.overview().notes])

    service.subscribe(listen)
    worker.jobs[0].run()
    assert f"{events[0].progress.done} of 42 crops" in answers[0]
    assert any("being built" in note for note in answers[1:])
    assert [event.kind for event in events[-2:]] == ["progress", "changed"]
    assert service.overview().index_ready
    assert not any("being built" in note for note in service.overview().notes)
    assert service.layers.top_activations("conv1", 0).count == 9


def test_index_is_kept_and_loaded_next_time(service, tiny_bundle, tiny_images, noise, manual_executor):
    assert default_path(tiny_bundle, tiny_images).exists()
    images = noise()
    events, worker = [], manual_executor
    again = LocalModelService(tiny_bundle, images, device="cpu", worker=worker)
    again.subscribe(events.append)
    worker.jobs[0].run()
    assert images.opened == 0
    assert [event.kind for event in events] == ["changed"]
    assert again.layers.unit_detail("conv2", 1).entries == service.layers.unit_detail("conv2", 1).entries
    worker.jobs[1].run()  # the nines' photographs, decoded before anybody asks
    opened = images.opened
    assert opened > 0
    again.layers.top_activations("conv2", 0)
    assert images.opened == opened


def test_cache_that_cannot_be_written_costs_nothing_but_a_note(tiny_bundle, tiny_images, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path / "file"))
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=SynchronousExecutor()).wait()
    assert service.layers.top_activations("conv1", 0).count == 9
    assert any("built again next time" in note for note in service.overview().notes)


def test_failure_of_the_index_reaches_everybody(tiny_model, tiny_images, manual_executor):
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


def test_foreign_index_is_refused(tiny_bundle, tiny_images, tiny_model):
    index = ActivationIndex.build(tiny_model(1), tiny_images, progress=False, device="cpu")
    with pytest.raises(ActivationIndexError, match="does not fit"):
        LocalModelService(tiny_bundle, tiny_images, index=index, device="cpu", worker=SynchronousExecutor())


def test_photograph_that_went_bad_is_named(tiny_bundle, noise, manual_executor):
    images, worker = noise(), manual_executor
    index = ActivationIndex.build(tiny_bundle, images, progress=False, device="cpu")
    images.broken = {images.crop(index.top("conv1", 0)[4].image).source}
    service = LocalModelService(tiny_bundle, images, index=index, device="cpu", worker=worker)
    with pytest.raises(PictureError, match="truncated"):
        service.layers.top_activations("conv1", 0)


def test_swapping_the_state_is_atomic(tiny_model, tiny_images):
    """Requests in flight see the old state or the new one, never a mixture."""
    bundles = [tiny_model(seed) for seed in (0, 1)]
    indexes = [ActivationIndex.build(bundle, tiny_images, progress=False, device="cpu") for bundle in bundles]
    service = LocalModelService(bundles[0], tiny_images, index=indexes[0], device="cpu", worker=SynchronousExecutor())
    other = LocalModelService(bundles[1], tiny_images, index=indexes[1], device="cpu", worker=SynchronousExecutor())
    both = [one.layers.top_activations("conv2", 3) for one in (service, other)]
    expected = {one.projections.data: one.patches.data for one in both}
    assert len(expected) == 2
    states, stop, wrong, asked = [service._context.snapshot, other._context.snapshot], threading.Event(), [], []

    def ask():
        while not stop.is_set():
            nine = service.layers.top_activations("conv2", 3)
            asked.append(1)
            if expected.get(nine.projections.data) != nine.patches.data:
                wrong.append(nine)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    versions = []
    for turn in range(20):
        state = states[(turn + 1) % 2]
        versions.append(service._context.replace(bundle=state.bundle, index=state.index).version)
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert asked
    assert not wrong
    assert versions == sorted(set(versions))


def test_caches_tell_versions_apart(service, tiny_model, tiny_images):
    """A request that is still on the old state must leave nothing that answers for the new one."""
    new = tiny_model(1)
    index = ActivationIndex.build(new, tiny_images, progress=False, device="cpu")
    old = service._context.snapshot
    version = old.version + 1
    later = replace(old, version=version, layers_version=version, bundle=new, index=index)
    nines = [service.layers._mosaics.top_activations(state, state.index, MosaicRequest("conv2", 3, tile=32)) for state in (old, later)]
    assert nines[0].projections.data != nines[1].projections.data
    assert nines[0].patches.data != nines[1].patches.data
    views = [one.image for one in old.index.top("conv2", 3)]
    assert service.layers._predictions.get(old, views) != service.layers._predictions.get(later, views)


def test_requests_from_many_threads_agree(service):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(service.layers.top_activations("conv2", 3, "guided"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 6
    assert len({answer.projections.data for answer in answers}) == 1


def test_a_listener_that_fails_stays_subscribed_and_is_logged_once(service, caplog):
    failing, calls, received = [True, True, False, True, False], [], []

    def listen(event):
        calls.append(event)
        if failing[len(calls) - 1]:
            raise RuntimeError("page closed")

    service.subscribe(listen)
    unsubscribe = service.subscribe(received.append)
    for number in range(4):
        service._context.replace()
        assert len(calls) == len(received) == number + 1
    assert caplog.text.count("RuntimeError: page closed") == 2  # of consecutive failures the first
    unsubscribe()
    unsubscribe()
    service._context.replace()
    assert (len(calls), len(received)) == (5, 4)


def test_a_listener_receives_the_kinds_it_subscribed_to(service):
    received = []
    service.subscribe(received.append, kinds={"failed", "transfer"})
    for kind in ("progress", "failed", "changed", "occlusion", "transfer"):
        service._events.publish(ServiceEvent(kind))
    assert [event.kind for event in received] == ["failed", "transfer"]


def test_a_subscribed_method_does_not_keep_its_object_alive(service):
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


def test_closing_cancels_the_index(tiny_bundle, noise):
    reached = threading.Event()

    class Slow(noise):
        def open_source(self, source):
            reached.set()
            time.sleep(0.02)
            return super().open_source(source)

    service = LocalModelService(tiny_bundle, Slow(400), device="cpu")
    assert reached.wait(10)
    begun = time.monotonic()
    service.close()
    assert time.monotonic() - begun < 5
    with pytest.raises(Exception, match="cancelled"):
        service.wait(5)


def test_a_model_that_cannot_be_traced_is_noted(tiny_images, tiny_bundle):
    class Stubborn(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return torch.relu(self.conv(x)) if float(x.sum()) > -1e9 else x  # a branch on values

    bundle = dw.ModelBundle.from_module(Stubborn().eval(), transform=tiny_bundle.transform)
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


def test_figures_follow_the_explorers_state(service, monkeypatch):
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
    made = LocalModelService(dw.load_model("alexnet"), dw.open_images("photos"), device="cpu")
    yield made.wait(300)
    made.close()


@pytest.mark.slow
def test_alexnet_answers_about_photographs(alexnet):
    overview = alexnet.overview()
    assert [layer.info.alias for layer in overview.layers] == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    assert overview.photographs >= 25
    nine = alexnet.layers.top_activations("conv5", 133)
    assert nine.count == 9
    shown = pixels_of(nine.projections).astype(int)
    assert shown.std() > 20  # not a grey field
    detail = alexnet.layers.unit_detail("conv5", 133)
    assert len({entry.source for entry in detail.entries}) == 9
    assert alexnet.layers.source("conv5", 133, 0).image.width >= 300
