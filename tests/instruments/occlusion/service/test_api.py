"""OcclusionApi: scenes, patches, heads, projections, and pages of images."""

import io
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import HeadError, LayerError, OcclusionError, PictureError, RuleError, ServiceError
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.instruments.occlusion.service.api import OcclusionApi
from deconvwidgets.instruments.occlusion.service.protocol import OcclusionService, SupportsOcclusion
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.service.worker import SynchronousExecutor


def decode(image):
    return np.asarray(Image.open(io.BytesIO(image.data)).convert("RGB"))


def run_model(service, batch):
    """Return the probabilities and the feature maps of conv2 for a batch."""
    bundle = service._context.snapshot.bundle
    with torch.no_grad():
        return bundle.model(batch).double().softmax(1).numpy(), service._context.snapshot.network.map(batch, "conv2").double().numpy()


def prepare_crop(service, index):
    state = service._context.snapshot
    return state.bundle.prepare(state.images.open_crop(index))[None]


def test_service_implements_the_protocols(service, api):
    assert isinstance(service, SupportsOcclusion)
    assert isinstance(api, OcclusionService)
    assert isinstance(api, OcclusionApi)


# Scenes


def test_scene_resolves_all_defaults(service, api, make_request):
    scene = api.scene(make_request())
    pixels = prepare_crop(service, 3)
    (shares,), (maps,) = run_model(service, pixels)
    sums = maps.sum((1, 2))
    assert (scene.request.layer, scene.request.unit, scene.request.target) == ("conv2", int(sums.argmax()), int(shares.argmax()))
    assert scene.strongest[:2] == tuple(np.argsort(-sums)[:2])
    assert scene.activity == pytest.approx(sums.max(), rel=1e-5)
    np.testing.assert_allclose(scene.map, maps[sums.argmax()], rtol=1e-5)
    assert [share.label for share in scene.classes] == list(np.argsort(-shares))
    assert [share.now for share in scene.classes] == pytest.approx(sorted(shares, reverse=True))
    assert all(share.before == share.now for share in scene.classes)
    assert {share.name for share in scene.classes} == {"ant", "bee", "cow"}
    assert (scene.caption, scene.label, scene.note) == ("noise-1", "dog", "")
    np.testing.assert_array_equal(decode(scene.image), service._context.snapshot.bundle.to_picture(pixels[0]))
    assert api.scene(scene.request).map is api.scene(make_request()).map  # the request with and without its defaults is the same


def test_scene_of_a_given_layer_unit_target_and_fill(api, make_request):
    scene = api.scene(make_request("crop:4", layer="conv1", unit=2, target=1, fill="#ff0000"))
    assert (scene.request.layer, scene.request.unit, scene.request.target, scene.request.fill) == ("conv1", 2, 1, "#ff0000")
    assert scene.caption == "noise-1, crop 2"
    assert scene.activity == 0  # a dead unit
    fill = decode(scene.fill)
    assert fill.shape == (16, 16, 3)
    assert (fill == (255, 0, 0)).all()


def test_fill_images(service, api, make_request):
    pixels = prepare_crop(service, 3)[0]
    for fill, colour in (("gray", torch.zeros(3)), ("mean", pixels.mean((1, 2)))):
        expected = service._context.snapshot.bundle.to_picture(colour[:, None, None].expand(3, 16, 16))
        np.testing.assert_array_equal(decode(api.scene(make_request(fill=fill)).fill), expected)
    blurred = decode(api.scene(make_request(fill="blur")).fill).astype(float)
    assert 0 < blurred.std() < 0.8 * decode(api.scene(make_request()).image).std()


def test_models_with_an_unknown_transform_have_no_colour_fills(make_service, api, tiny_bundle, make_request):
    opaque = ModelBundle.from_module(
        tiny_bundle.model,
        transform=lambda image: tiny_bundle.transform(image) * 3 + 1,
        categories=["a", "b", "c"],
        input_size=(3, 16, 16),
    )
    assert api.choices().colours
    api = make_service(SynchronousExecutor(), opaque).occlusion
    assert not api.choices().colours
    scene = api.scene(make_request())
    assert len(np.unique(decode(scene.fill))) == 1
    assert 0 < decode(scene.fill)[0, 0, 0] < 255
    with pytest.raises(OcclusionError, match="choose 'gray', 'mean' or 'blur'"):
        api.scene(make_request(fill="#102030"))


@pytest.mark.parametrize(
    ("image", "changes", "error", "message"),
    [
        ("crop:42", {}, PictureError, "crops 0 to 41: there is no 'crop:42'"),
        ("crop:-1", {}, PictureError, "named like 'crop:0'"),
        ("crop:٣", {}, PictureError, "named like 'crop:0'"),
        ("crop:" + "9" * 400, {}, PictureError, "there is no"),
        ("upload:beef", {}, PictureError, "upload the file again"),
        ("me.png", {}, PictureError, "named like 'crop:0'"),
        ("crop:3", {"layer": "conv9"}, LayerError, "conv9"),
        ("crop:3", {"unit": 5}, LayerError, "0 to 4"),
        ("crop:3", {"unit": -1}, LayerError, "0 to 4"),
        ("crop:3", {"target": 3}, OcclusionError, "no class 3"),
        ("crop:3", {"fill": "greyish"}, OcclusionError, "not 'greyish'"),
        ("crop:3", {"fill": ["gray"]}, OcclusionError, "not \\['gray'\\]"),
    ],
)
def test_invalid_requests_raise_errors(api, make_request, image, changes, error, message):
    for method in (
        lambda request: api.scene(request),
        lambda request: api.answer(request, []),
        lambda request: api.start_maps(request, MapsSettings()),
    ):
        with pytest.raises(error, match=message):
            method(make_request(image, **changes))


def test_errors_name_the_photograph_that_cannot_be_read(make_service, noise):
    api = make_service(SynchronousExecutor(), images=noise(broken={2})).occlusion
    with pytest.raises(PictureError, match="noise-2 is truncated"):
        api.scene(OcclusionRequest("crop:6"))
    assert api.scene(OcclusionRequest("crop:5")).caption == "noise-1, crop 3"
    assert len(api.images(0, 14).tiles) == 14  # a gray square replaces the photograph


# Patches


@pytest.mark.parametrize("fill", ["gray", "mean", "blur", "#ff8000"])
def test_answer_equals_the_output_for_the_occluded_image(service, api, make_request, fill):
    scene = api.scene(make_request(fill=fill))
    boxes = [(2, 3, 9, 8), (-4, 10, 3, 22)]
    occluded = prepare_crop(service, 3)
    from deconvwidgets.engine.occlusion.patches import patched
    from deconvwidgets.instruments.occlusion.compute.fill import fill_of

    occluded = patched(occluded[0], fill_of(service._context.snapshot.bundle, occluded[0], fill), boxes)[None]
    (shares,), (maps,) = run_model(service, occluded)
    answer = api.answer(scene.request, boxes)
    now = {share.label: share.now for share in answer.classes}
    assert list(now) == list(np.argsort(-shares))
    assert [now[label] for label in range(3)] == pytest.approx(shares, abs=1e-5)
    assert {share.label: share.before for share in answer.classes} == {share.label: share.before for share in scene.classes}
    np.testing.assert_allclose(answer.map, maps[scene.request.unit], atol=1e-4)
    assert answer.activity == pytest.approx(maps[scene.request.unit].sum(), abs=1e-3)


def test_answer_without_a_patch_in_the_image_equals_the_scene(api, make_request):
    scene = api.scene(make_request())
    for boxes in ([], [(40, 40, 50, 50)], [(9, 9, 3, 3)]):
        answer = api.answer(make_request(), boxes)
        assert answer.classes == scene.classes or [share.now for share in answer.classes] == pytest.approx(
            [share.now for share in scene.classes], abs=1e-6
        )
        assert answer.activity == pytest.approx(scene.activity, rel=1e-5)
    with pytest.raises(ServiceError, match="64 at most"):
        api.answer(make_request(), [(0, 0, 1, 1)] * 65)


def test_classes_include_the_target_if_it_is_improbable(make_service, tiny_model, tiny_bundle, make_head, make_request):
    service = make_service(SynchronousExecutor())
    service.set_head(make_head(tiny_bundle, "conv1", classes=9, pool=(2, 2)))
    api = service.occlusion
    scene = api.scene(make_request())
    assert len(scene.classes) == 5
    assert [share.now for share in scene.classes] == sorted((share.now for share in scene.classes), reverse=True)
    last = next(label for label in range(9) if label not in [share.label for share in scene.classes])
    shares = api.answer(make_request(target=last), [(0, 0, 8, 8)]).classes
    assert last in [share.label for share in shares]
    assert len(shares) in (5, 6)


def test_answers_reuse_the_scene(service, api, make_request, monkeypatch):
    scene = api.scene(make_request())
    monkeypatch.setattr(
        "deconvwidgets.instruments.occlusion.service.scenes.run_unoccluded", lambda *_: pytest.fail("the scene was computed again")
    )
    for request in (make_request(), scene.request):
        api.answer(request, [(1, 1, 5, 5)])
    api.start_maps(scene.request, MapsSettings((4, 4), (4, 4)))
    monkeypatch.undo()
    created = []
    from deconvwidgets.instruments.occlusion.service import scenes as module

    real = module.OccludedImage
    monkeypatch.setattr(module, "OccludedImage", lambda *args, **options: created.append(1) or real(*args, **options))
    api.answer(make_request(target=(scene.request.target + 1) % 3), [(1, 1, 5, 5)])
    assert created == []  # another target has the same feature maps
    api.answer(make_request(fill="mean"), [(1, 1, 5, 5)])
    assert created == [1]


# Without a classifier, and with another one


def test_model_without_a_classifier(make_service, tiny_bundle, make_request, settings):
    service = make_service(SynchronousExecutor(), tiny_bundle.with_head(None))
    api = service.occlusion
    choices = api.choices()
    assert (choices.classes, choices.bundled_head, choices.input) == (None, False, (16, 16))
    scene = api.scene(make_request())
    assert (scene.classes, scene.request.target) == ((), None)
    answer = api.answer(make_request(), [(0, 0, 9, 9)])
    assert answer.classes == ()
    assert answer.activity != scene.activity
    maps = api.wait(api.start_maps(make_request(), settings()))
    assert (maps.probability, maps.label, maps.target, maps.complete) == (None, None, None, True)
    with pytest.raises(OcclusionError, match="no classifier"):
        api.scene(make_request(target=1))
    with pytest.raises(HeadError):  # the bundled head is for AlexNet
        api.use_bundled_head()


def test_bundled_head_is_available_for_matching_models(make_service, monkeypatch, tiny_bundle, make_head, tmp_path, make_request):
    from deconvwidgets.models import head_files as heads

    path = tmp_path / "bundled.safetensors"
    heads.save_head(make_head(tiny_bundle, "conv1", pool=(2, 2)), path)
    monkeypatch.setattr(heads, "BUNDLED_HEADS_FOLDER", tmp_path)
    monkeypatch.setitem(heads.BUNDLED_HEADS, "caltech101", path.name)
    service = make_service(SynchronousExecutor(), tiny_bundle.with_head(None))
    api = service.occlusion
    assert api.choices().bundled_head
    events = []
    service.subscribe(lambda event: events.append(event.kind))
    assert "now predicts Caltech-101's 4 classes" in api.use_bundled_head()
    assert events == ["changed"]
    assert api.choices().classes == ("kind 0", "kind 1", "kind 2", "kind 3")
    assert not api.choices().bundled_head
    assert len(api.scene(make_request()).classes) == 4
    assert "no classes" in service.transfer.undo_head()  # the TransferPanel can undo it


def test_set_head_changes_the_classes_and_keeps_the_feature_maps(service, api, tiny_bundle, make_head, make_request):
    before = api.scene(make_request())
    service.set_head(make_head(tiny_bundle, "conv1", classes=6, pool=(2, 2)))
    after = api.scene(make_request())
    np.testing.assert_array_equal(after.map, before.map)
    assert after.request.unit == before.request.unit
    assert {share.name for share in after.classes} <= {f"kind {number}" for number in range(6)}
    assert {share.name for share in api.answer(after.request, [(0, 0, 5, 5)]).classes} <= {f"kind {number}" for number in range(6)}
    service.reset_head()
    again = api.scene(make_request())
    assert (again.request, again.classes) == (before.request, before.classes)
    with pytest.raises(OcclusionError, match="no class 5"):  # a class of the former head
        api.answer(make_request(target=5), [(0, 0, 5, 5)])


def test_answers_are_consistent_while_another_thread_sets_heads(make_service, tiny_bundle, make_head, make_request):
    service = make_service(None)
    api = service.occlusion
    heads = [make_head(tiny_bundle, "conv1", classes=classes, pool=(2, 2)) for classes in (4, 7)]
    expected = {}
    for classes, head in zip((4, 7), heads, strict=True):
        service.set_head(head)
        expected[classes] = {share.label: share for share in api.answer(make_request(target=classes - 1), [(2, 2, 9, 9)]).classes}
    stop, mismatches = threading.Event(), []

    def set_heads():
        while not stop.is_set():
            for head in heads:
                service.set_head(head)

    thread = threading.Thread(target=set_heads)
    thread.start()
    seen = set()
    start = time.monotonic()
    # The other thread never pauses: it holds Python's lock most of the time, so that on some machines there are few answers per second.
    while (passed := time.monotonic() - start) < 0.7 or (seen != {4, 7} and not mismatches and passed < 60):
        shares = {share.label: share for share in api.answer(make_request(target=3), [(2, 2, 9, 9)]).classes}
        fits = [
            classes
            for classes, known in expected.items()
            if all(label in known or label == 3 for label in shares)
            and all(
                abs(shares[label].now - known[label].now) < 1e-5 and abs(shares[label].before - known[label].before) < 1e-5
                for label in shares
                if label in known
            )
        ]
        seen.update(fits)
        if not fits:
            mismatches.append(shares)
    stop.set()
    thread.join()
    assert not mismatches
    assert seen == {4, 7}


def test_scene_is_unchanged_when_the_index_is_complete(make_service, manual_executor, make_request, monkeypatch):
    service = make_service(manual_executor)
    api = service.occlusion
    before = api.scene(make_request())
    run = api.start_maps(make_request(), MapsSettings((4, 4), (4, 4)))
    manual_executor.jobs[0].run()
    assert service.overview().index_ready
    monkeypatch.setattr(
        "deconvwidgets.instruments.occlusion.service.scenes.run_unoccluded", lambda *_: pytest.fail("the scene was computed again")
    )
    assert api.scene(make_request()).map is before.map
    assert api.start_maps(make_request(), MapsSettings((4, 4), (4, 4))) == run


# Projections


def test_projections_of_the_image_and_of_the_strongest_activations(service, api, make_request):
    index = service.index
    scene = api.scene(make_request(unit=0))
    entries = api.projections(make_request(unit=0), 64)
    assert [entry.own for entry in entries] == [True, False, False, False]
    top = [activation for activation in index.top("conv2", 0) if service._context.snapshot.images.crop(activation.image).source != 1][:3]
    assert [entry.value for entry in entries[1:]] == pytest.approx([activation.value for activation in top], rel=1e-4)
    assert [entry.box for entry in entries[1:]] == [activation.box for activation in top]
    assert entries[0].value == pytest.approx(scene.map.max(), rel=1e-4)
    assert entries[0].caption == "noise-1"
    assert all(entry.projection.width == 64 and entry.patch.width == 64 for entry in entries)
    assert "·" in entries[1].caption or entries[1].caption == "noise-0"
    assert api.projections(scene.request, 64) is api.projections(make_request(unit=0), 64)  # cached


def test_projections_have_the_feature_map_of_their_image(service, api, make_request):
    """As the modules compute it, one after the other. The extent by hand: the first of the 4 x 4 values is centred at 1.5 pixels."""
    state = service._context.snapshot
    entries = api.projections(make_request(unit=0), 64)
    others = [activation for activation in service.index.top("conv2", 0) if state.images.crop(activation.image).source != 1][:3]
    for entry, crop in zip(entries, [3, *(activation.image for activation in others)], strict=True):
        batch = prepare_crop(service, crop)
        with torch.no_grad():
            expected = state.bundle.model[:4](batch)[0, 0].numpy()
        np.testing.assert_allclose(entry.feature_map, expected, rtol=1e-5, atol=1e-6)
        assert entry.value == pytest.approx(expected.max(), rel=1e-4)
        difference = decode(entry.image).astype(int) - state.bundle.to_picture(batch[0])
        assert np.abs(difference).mean() < 20, "a JPEG of it: that of other noise differs by 85"
        assert entry.extent == (-0.5 / 16, -0.5 / 16, 15.5 / 16, 15.5 / 16)


def test_projections_of_a_dead_unit_and_before_the_index_is_complete(make_service, manual_executor, service, api, make_request):
    assert tuple(api.projections(make_request(layer="conv1", unit=2))) == ()
    waiting = make_service(manual_executor).occlusion
    assert [entry.own for entry in waiting.projections(make_request())] == [True]
    manual_executor.jobs[0].run()
    assert len(waiting.projections(make_request())) == 4
    for size in (4, 5000):
        with pytest.raises(ServiceError, match="16 to 1,024"):
            api.projections(make_request(), size)


def test_projections_of_an_upload(service, api, upload_file, image_file):
    image = upload_file(api, image_file())
    entries = api.projections(OcclusionRequest(image))
    assert (len(entries), entries[0].caption) == (4, "mine.png")


def test_operations_without_a_backward_rule(make_service, noise):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.GELU(), nn.Conv2d(4, 5, 3, padding=1), nn.Flatten(), nn.Linear(5 * 256, 3)).eval()
    bundle = ModelBundle.from_module(net, categories=["a", "b", "c"], input_size=(3, 16, 16))
    api = make_service(SynchronousExecutor(), bundle, noise(4)).occlusion
    with pytest.raises(RuleError, match="gelu"):
        api.projections(OcclusionRequest("crop:0", layer="conv2"))
    assert len(api.answer(OcclusionRequest("crop:0"), [(0, 0, 4, 4)]).classes) == 3
    page = api.file("figure.html", OcclusionRequest("crop:0", layer="conv2"), None, {}).decode()
    assert "gelu" in page


def test_model_that_cannot_be_traced(make_service, noise):
    class Untraceable(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 256, 3)

        def forward(self, x):
            y = torch.relu(self.conv(x))
            return self.fc(y.flatten(1)) * (2 if float(y.sum()) > 1e9 else 1)

    torch.manual_seed(0)
    bundle = ModelBundle.from_module(Untraceable().eval(), categories=["a", "b", "c"], input_size=(3, 16, 16))
    api = make_service(SynchronousExecutor(), bundle, noise(4)).occlusion
    scene = api.scene(OcclusionRequest("crop:0"))
    assert "cannot be traced" in scene.note
    maps = api.wait(api.start_maps(scene.request, MapsSettings((4, 4), (4, 4))))
    assert (maps.method, maps.complete) == ("full", True)


# Pages of images


def test_pages_of_images_begin_with_uploads(service, api, upload_file, image_file):
    page = api.images(0, 5)
    assert (page.total, page.start) == (14, 0)
    assert [(tile.image, tile.caption, tile.label) for tile in page.tiles[:2]] == [
        ("crop:0", "noise-0", None),
        ("crop:3", "noise-1", "dog"),
    ]
    first, second = upload_file(api, image_file(1), "beach.png"), upload_file(api, image_file(2, form="JPEG"), "Cat.jpg")
    page = api.images(0, 3, size=48)
    assert (page.total, [tile.image for tile in page.tiles]) == (16, [second, first, "crop:0"])
    assert [tile.image for tile in api.images(1, 3).tiles] == [first, "crop:0", "crop:3"]
    assert [tile.image for tile in api.images(15, 3).tiles] == ["crop:39"]
    assert api.images(99, 3).tiles == ()
    assert {(tile.thumbnail.width, tile.thumbnail.height) for tile in page.tiles} == {(48, 48)}
    assert api.choices().uploads == (second, first)


def test_search_for_images_by_name_and_label(api, upload_file, image_file):
    upload_file(api, image_file(), "My CAT.png")
    assert [tile.caption for tile in api.images(0, 20, "cat").tiles] == ["My CAT.png", "noise-3", "noise-6", "noise-9", "noise-12"]
    assert api.images(0, 2, "cat").total == 5
    assert [tile.caption for tile in api.images(0, 20, " noise-1 CAT ").tiles] == ["noise-12"]
    assert api.images(0, 20, "zebra").tiles == ()
    for page in ((-1, 3), (0, 0), (0, 1000)):
        with pytest.raises(ServiceError, match=r"(start|count) must be an integer"):
            api.images(*page)


# Real photographs


def test_alexnet(alexnet_and_photographs):
    bundle, images = alexnet_and_photographs
    with_classes = bundle if bundle.classifier else bundle.with_head("caltech101")
    service = dw.LocalModelService(with_classes, images, device="cpu", worker=SynchronousExecutor())
    try:
        api = service.occlusion
        scene = api.scene(OcclusionRequest("crop:0"))
        assert (scene.request.layer, scene.map.shape, scene.image.width) == ("conv5", (13, 13), 224)
        maps = api.wait(api.start_maps(scene.request, MapsSettings((64, 64), (40, 40))))
        assert (maps.method, maps.activity.shape) == ("incremental", (5, 5))
        row, column = np.unravel_index(int(maps.activity.argmin()), maps.activity.shape)
        top, left = (maps.centres[row, column] - 32).astype(int)
        answer = api.answer(scene.request, [(left, top, left + 64, top + 64)])
        assert answer.activity == pytest.approx(maps.activity[row, column], rel=1e-3)
        assert answer.activity < scene.activity
        share = next(share for share in answer.classes if share.label == scene.request.target)
        assert share.now == pytest.approx(maps.probability[row, column], abs=1e-4)
    finally:
        service.close()


@pytest.fixture
def alexnet_and_photographs(monkeypatch):
    monkeypatch.delenv("DECONVWIDGETS_CACHE")  # use the weights in the cache of the user
    images = dw.open_images("photos").subset([0, 1, 2])
    return dw.load_model("alexnet"), images
