"""Images occluded in a running service: scenes, patches, choices, heads that come and go, projections."""

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


def pixels_of(picture):
    return np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGB"))


def answers(service, batch):
    """What the network says of whole inputs, by the plainest way: probabilities, and the maps of conv2."""
    bundle = service._context.snapshot.bundle
    with torch.no_grad():
        return bundle.model(batch).double().softmax(1).numpy(), service._context.snapshot.network.map(batch, "conv2").double().numpy()


def input_of(service, view):
    state = service._context.snapshot
    return state.bundle.prepare(state.images.open_crop(view))[None]


def test_it_is_what_a_widget_asks(service, desk):
    assert isinstance(service, SupportsOcclusion)
    assert isinstance(desk, OcclusionService)
    assert isinstance(desk, OcclusionApi)


# Scenes


def test_a_scene_makes_every_default_definite(service, desk, wanted):
    scene = desk.scene(wanted())
    pixels = input_of(service, 3)
    (shares,), (maps,) = answers(service, pixels)
    sums = maps.sum((1, 2))
    assert (scene.wanted.layer, scene.wanted.unit, scene.wanted.target) == ("conv2", int(sums.argmax()), int(shares.argmax()))
    assert scene.strongest[:2] == tuple(np.argsort(-sums)[:2])
    assert scene.activity == pytest.approx(sums.max(), rel=1e-5)
    np.testing.assert_allclose(scene.map, maps[sums.argmax()], rtol=1e-5)
    assert [share.label for share in scene.classes] == list(np.argsort(-shares))
    assert [share.now for share in scene.classes] == pytest.approx(sorted(shares, reverse=True))
    assert all(share.before == share.now for share in scene.classes)
    assert {share.name for share in scene.classes} == {"ant", "bee", "cow"}
    assert (scene.caption, scene.label, scene.note) == ("noise-1", "dog", "")
    np.testing.assert_array_equal(pixels_of(scene.picture), service._context.snapshot.bundle.to_picture(pixels[0]))
    assert desk.scene(scene.wanted).map is desk.scene(wanted()).map  # definite or not, it is the same question


def test_what_is_asked_for_is_watched(desk, wanted):
    scene = desk.scene(wanted("crop:4", layer="conv1", unit=2, target=1, fill="#ff0000"))
    assert (scene.wanted.layer, scene.wanted.unit, scene.wanted.target, scene.wanted.fill) == ("conv1", 2, 1, "#ff0000")
    assert scene.caption == "noise-1, crop 2"
    assert scene.activity == 0  # a dead unit
    fill = pixels_of(scene.fill)
    assert fill.shape == (16, 16, 3)
    assert (fill == (255, 0, 0)).all()


def test_fills_are_what_patches_show(service, desk, wanted):
    pixels = input_of(service, 3)[0]
    for fill, colour in (("gray", torch.zeros(3)), ("mean", pixels.mean((1, 2)))):
        expected = service._context.snapshot.bundle.to_picture(colour[:, None, None].expand(3, 16, 16))
        np.testing.assert_array_equal(pixels_of(desk.scene(wanted(fill=fill)).fill), expected)
    blurred = pixels_of(desk.scene(wanted(fill="blur")).fill).astype(float)
    assert 0 < blurred.std() < 0.8 * pixels_of(desk.scene(wanted()).picture).std()


def test_pictures_of_an_opaque_transform_are_stretched_alike_and_colours_are_not_offered(make_service, desk, tiny_bundle, wanted):
    opaque = ModelBundle.from_module(
        tiny_bundle.model,
        transform=lambda picture: tiny_bundle.transform(picture) * 3 + 1,
        categories=["a", "b", "c"],
        input_size=(3, 16, 16),
    )
    assert desk.choices().colours
    desk = make_service(SynchronousExecutor(), opaque).occlusion
    assert not desk.choices().colours
    scene = desk.scene(wanted())
    assert len(np.unique(pixels_of(scene.fill))) == 1
    assert 0 < pixels_of(scene.fill)[0, 0, 0] < 255
    with pytest.raises(OcclusionError, match="choose 'gray', 'mean' or 'blur'"):
        desk.scene(wanted(fill="#102030"))


@pytest.mark.parametrize(
    ("image", "changes", "error", "words"),
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
def test_what_there_is_not_is_refused_in_words(desk, wanted, image, changes, error, words):
    for ask in (
        lambda given: desk.scene(given),
        lambda given: desk.answer(given, []),
        lambda given: desk.start_maps(given, MapsSettings()),
    ):
        with pytest.raises(error, match=words):
            ask(wanted(image, **changes))


def test_a_photograph_that_cannot_be_read_is_told_by_its_name(make_service, noise):
    desk = make_service(SynchronousExecutor(), images=noise(broken={2})).occlusion
    with pytest.raises(PictureError, match="noise-2 is truncated"):
        desk.scene(OcclusionRequest("crop:6"))
    assert desk.scene(OcclusionRequest("crop:5")).caption == "noise-1, crop 3"
    assert len(desk.images(0, 14).tiles) == 14  # a grey square in its place


# Patches


@pytest.mark.parametrize("fill", ["gray", "mean", "blur", "#ff8000"])
def test_a_patch_is_answered_as_the_whole_occluded_image_is(service, desk, wanted, fill):
    scene = desk.scene(wanted(fill=fill))
    boxes = [(2, 3, 9, 8), (-4, 10, 3, 22)]
    occluded = input_of(service, 3)
    from deconvwidgets.engine.occlusion.patches import patched
    from deconvwidgets.instruments.occlusion.compute.fill import fill_of

    occluded = patched(occluded[0], fill_of(service._context.snapshot.bundle, occluded[0], fill), boxes)[None]
    (shares,), (maps,) = answers(service, occluded)
    given = desk.answer(scene.wanted, boxes)
    now = {share.label: share.now for share in given.classes}
    assert list(now) == list(np.argsort(-shares))
    assert [now[label] for label in range(3)] == pytest.approx(shares, abs=1e-5)
    assert {share.label: share.before for share in given.classes} == {share.label: share.before for share in scene.classes}
    np.testing.assert_allclose(given.map, maps[scene.wanted.unit], atol=1e-4)
    assert given.activity == pytest.approx(maps[scene.wanted.unit].sum(), abs=1e-3)


def test_no_patch_is_the_scene_and_a_patch_beside_the_image_too(desk, wanted):
    scene = desk.scene(wanted())
    for boxes in ([], [(40, 40, 50, 50)], [(9, 9, 3, 3)]):
        given = desk.answer(wanted(), boxes)
        assert given.classes == scene.classes or [share.now for share in given.classes] == pytest.approx(
            [share.now for share in scene.classes], abs=1e-6
        )
        assert given.activity == pytest.approx(scene.activity, rel=1e-5)
    with pytest.raises(ServiceError, match="64 at most"):
        desk.answer(wanted(), [(0, 0, 1, 1)] * 65)


def test_the_target_stands_among_the_classes_even_where_it_is_improbable(make_service, tiny_model, tiny_bundle, make_head, wanted):
    service = make_service(SynchronousExecutor())
    service.set_head(make_head(tiny_bundle, "conv1", classes=9, pool=(2, 2)))
    desk = service.occlusion
    scene = desk.scene(wanted())
    assert len(scene.classes) == 5
    assert [share.now for share in scene.classes] == sorted((share.now for share in scene.classes), reverse=True)
    last = next(label for label in range(9) if label not in [share.label for share in scene.classes])
    shares = desk.answer(wanted(target=last), [(0, 0, 8, 8)]).classes
    assert last in [share.label for share in shares]
    assert len(shares) in (5, 6)


def test_a_patch_costs_no_scene_of_its_own(service, desk, wanted, monkeypatch):
    scene = desk.scene(wanted())
    monkeypatch.setattr(
        "deconvwidgets.instruments.occlusion.service.scenes.run_unoccluded", lambda *_: pytest.fail("the scene was made again")
    )
    for given in (wanted(), scene.wanted):
        desk.answer(given, [(1, 1, 5, 5)])
    desk.start_maps(scene.wanted, MapsSettings((4, 4), (4, 4)))
    monkeypatch.undo()
    made = []
    from deconvwidgets.instruments.occlusion.service import scenes as module

    real = module.OccludedImage
    monkeypatch.setattr(module, "OccludedImage", lambda *args, **options: made.append(1) or real(*args, **options))
    desk.answer(wanted(target=(scene.wanted.target + 1) % 3), [(1, 1, 5, 5)])
    assert made == []  # another target: the same maps below
    desk.answer(wanted(fill="mean"), [(1, 1, 5, 5)])
    assert made == [1]


# Without a classifier, and with another one


def test_without_a_classifier_there_is_activity_alone(make_service, tiny_bundle, wanted, settings):
    service = make_service(SynchronousExecutor(), tiny_bundle.with_head(None))
    desk = service.occlusion
    choices = desk.choices()
    assert (choices.classes, choices.shipped_head, choices.input) == (None, False, (16, 16))
    scene = desk.scene(wanted())
    assert (scene.classes, scene.wanted.target) == ((), None)
    given = desk.answer(wanted(), [(0, 0, 9, 9)])
    assert given.classes == ()
    assert given.activity != scene.activity
    maps = desk.wait(desk.start_maps(wanted(), settings()))
    assert (maps.probability, maps.label, maps.target, maps.complete) == (None, None, None, True)
    with pytest.raises(OcclusionError, match="no classifier"):
        desk.scene(wanted(target=1))
    with pytest.raises(HeadError):  # it is AlexNet's
        desk.use_shipped_head()


def test_the_shipped_head_is_offered_where_it_fits(make_service, monkeypatch, tiny_bundle, make_head, tmp_path, wanted):
    from deconvwidgets.models import head_files as heads

    path = tmp_path / "shipped.safetensors"
    heads.save_head(make_head(tiny_bundle, "conv1", pool=(2, 2)), path)
    monkeypatch.setattr(heads, "BUNDLED_HEADS_FOLDER", tmp_path)
    monkeypatch.setitem(heads.BUNDLED_HEADS, "caltech101", path.name)
    service = make_service(SynchronousExecutor(), tiny_bundle.with_head(None))
    desk = service.occlusion
    assert desk.choices().shipped_head
    told = []
    service.subscribe(lambda event: told.append(event.kind))
    assert "now predicts Caltech-101's 4 classes" in desk.use_shipped_head()
    assert told == ["changed"]
    assert desk.choices().classes == ("kind 0", "kind 1", "kind 2", "kind 3")
    assert not desk.choices().shipped_head
    assert len(desk.scene(wanted()).classes) == 4
    assert "no classes" in service.transfer.undo_head()  # the TransferPanel takes it back


def test_another_head_changes_classes_and_not_the_maps(service, desk, tiny_bundle, make_head, wanted):
    before = desk.scene(wanted())
    service.set_head(make_head(tiny_bundle, "conv1", classes=6, pool=(2, 2)))
    after = desk.scene(wanted())
    np.testing.assert_array_equal(after.map, before.map)
    assert after.wanted.unit == before.wanted.unit
    assert {share.name for share in after.classes} <= {f"kind {number}" for number in range(6)}
    assert {share.name for share in desk.answer(after.wanted, [(0, 0, 5, 5)]).classes} <= {f"kind {number}" for number in range(6)}
    service.reset_head()
    again = desk.scene(wanted())
    assert (again.wanted, again.classes) == (before.wanted, before.classes)
    with pytest.raises(OcclusionError, match="no class 5"):  # of the head that went
        desk.answer(wanted(target=5), [(0, 0, 5, 5)])


def test_answers_are_of_one_classifier_while_heads_come_and_go(make_service, tiny_bundle, make_head, wanted):
    service = make_service(None)
    desk = service.occlusion
    heads = [make_head(tiny_bundle, "conv1", classes=classes, pool=(2, 2)) for classes in (4, 7)]
    known = {}
    for classes, head in zip((4, 7), heads, strict=True):
        service.set_head(head)
        known[classes] = {share.label: share for share in desk.answer(wanted(target=classes - 1), [(2, 2, 9, 9)]).classes}
    over, trouble = threading.Event(), []

    def change():
        while not over.is_set():
            for head in heads:
                service.set_head(head)

    thread = threading.Thread(target=change)
    thread.start()
    seen = set()
    begun = time.monotonic()
    # The other thread never pauses: on some machines it leaves an answer so little of Python's lock that few come in a second.
    while (passed := time.monotonic() - begun) < 0.7 or (seen != {4, 7} and not trouble and passed < 60):
        shares = {share.label: share for share in desk.answer(wanted(target=3), [(2, 2, 9, 9)]).classes}
        fits = [
            classes
            for classes, given in known.items()
            if all(label in given or label == 3 for label in shares)
            and all(
                abs(shares[label].now - given[label].now) < 1e-5 and abs(shares[label].before - given[label].before) < 1e-5
                for label in shares
                if label in given
            )
        ]
        seen.update(fits)
        if not fits:
            trouble.append(shares)
    over.set()
    thread.join()
    assert not trouble
    assert seen == {4, 7}


def test_the_index_that_comes_changes_no_scene(make_service, manual_executor, wanted, monkeypatch):
    service = make_service(manual_executor)
    desk = service.occlusion
    before = desk.scene(wanted())
    run = desk.start_maps(wanted(), MapsSettings((4, 4), (4, 4)))
    manual_executor.jobs[0].run()
    assert service.overview().index_ready
    monkeypatch.setattr(
        "deconvwidgets.instruments.occlusion.service.scenes.run_unoccluded", lambda *_: pytest.fail("the scene was made again")
    )
    assert desk.scene(wanted()).map is before.map
    assert desk.start_maps(wanted(), MapsSettings((4, 4), (4, 4))) == run


# Panel c


def test_projections_of_this_image_and_of_the_strongest_others(service, desk, wanted):
    index = service.index
    scene = desk.scene(wanted(unit=0))
    entries = desk.projections(wanted(unit=0), 64)
    assert [entry.own for entry in entries] == [True, False, False, False]
    top = [one for one in index.top("conv2", 0) if service._context.snapshot.images.crop(one.image).source != 1][:3]
    assert [entry.value for entry in entries[1:]] == pytest.approx([one.value for one in top], rel=1e-4)
    assert [entry.box for entry in entries[1:]] == [one.box for one in top]
    assert entries[0].value == pytest.approx(scene.map.max(), rel=1e-4)
    assert entries[0].caption == "noise-1"
    assert all(entry.projection.width == 64 and entry.patch.width == 64 for entry in entries)
    assert "·" in entries[1].caption or entries[1].caption == "noise-0"
    assert desk.projections(scene.wanted, 64) is desk.projections(wanted(unit=0), 64)  # kept


def test_projections_of_a_dead_unit_and_before_the_index_stands(make_service, manual_executor, service, desk, wanted):
    assert tuple(desk.projections(wanted(layer="conv1", unit=2))) == ()
    waiting = make_service(manual_executor).occlusion
    assert [entry.own for entry in waiting.projections(wanted())] == [True]
    manual_executor.jobs[0].run()
    assert len(waiting.projections(wanted())) == 4
    for size in (4, 5000):
        with pytest.raises(ServiceError, match="16 to 1,024"):
            desk.projections(wanted(), size)


def test_an_upload_is_projected_beside_all_others(service, desk, send, picture_file):
    image = send(desk, picture_file())
    entries = desk.projections(OcclusionRequest(image))
    assert (len(entries), entries[0].caption) == (4, "mine.png")


def test_a_layer_that_the_deconvnet_does_not_lead_down_from(make_service, noise):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.GELU(), nn.Conv2d(4, 5, 3, padding=1), nn.Flatten(), nn.Linear(5 * 256, 3)).eval()
    bundle = ModelBundle.from_module(net, categories=["a", "b", "c"], input_size=(3, 16, 16))
    desk = make_service(SynchronousExecutor(), bundle, noise(4)).occlusion
    with pytest.raises(RuleError, match="gelu"):
        desk.projections(OcclusionRequest("crop:0", layer="conv2"))
    assert len(desk.answer(OcclusionRequest("crop:0"), [(0, 0, 4, 4)]).classes) == 3
    page = desk.file("figure.html", OcclusionRequest("crop:0", layer="conv2"), None, {}).decode()
    assert "gelu" in page


def test_a_model_that_cannot_be_followed_says_so(make_service, noise):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 256, 3)

        def forward(self, x):
            y = torch.relu(self.conv(x))
            return self.fc(y.flatten(1)) * (2 if float(y.sum()) > 1e9 else 1)

    torch.manual_seed(0)
    bundle = ModelBundle.from_module(Odd().eval(), categories=["a", "b", "c"], input_size=(3, 16, 16))
    desk = make_service(SynchronousExecutor(), bundle, noise(4)).occlusion
    scene = desk.scene(OcclusionRequest("crop:0"))
    assert "cannot be traced" in scene.note
    maps = desk.wait(desk.start_maps(scene.wanted, MapsSettings((4, 4), (4, 4))))
    assert (maps.method, maps.complete) == ("full", True)


# Pictures to choose from


def test_pages_of_photographs_uploads_first(service, desk, send, picture_file):
    page = desk.images(0, 5)
    assert (page.total, page.start) == (14, 0)
    assert [(tile.image, tile.caption, tile.label) for tile in page.tiles[:2]] == [
        ("crop:0", "noise-0", None),
        ("crop:3", "noise-1", "dog"),
    ]
    first, second = send(desk, picture_file(1), "beach.png"), send(desk, picture_file(2, form="JPEG"), "Cat.jpg")
    page = desk.images(0, 3, size=48)
    assert (page.total, [tile.image for tile in page.tiles]) == (16, [second, first, "crop:0"])
    assert [tile.image for tile in desk.images(1, 3).tiles] == [first, "crop:0", "crop:3"]
    assert [tile.image for tile in desk.images(15, 3).tiles] == ["crop:39"]
    assert desk.images(99, 3).tiles == ()
    assert {(tile.picture.width, tile.picture.height) for tile in page.tiles} == {(48, 48)}
    assert desk.choices().uploads == (second, first)


def test_images_are_found_by_name_and_label(desk, send, picture_file):
    send(desk, picture_file(), "My CAT.png")
    assert [tile.caption for tile in desk.images(0, 20, "cat").tiles] == ["My CAT.png", "noise-3", "noise-6", "noise-9", "noise-12"]
    assert desk.images(0, 2, "cat").total == 5
    assert [tile.caption for tile in desk.images(0, 20, " noise-1 CAT ").tiles] == ["noise-12"]
    assert desk.images(0, 20, "zebra").tiles == ()
    for page in ((-1, 3), (0, 0), (0, 1000)):
        with pytest.raises(ServiceError, match="1 to 100"):
            desk.images(*page)


# Real photographs


def test_alexnet_changes_its_mind(own_photographs):
    bundle, images = own_photographs
    with_classes = bundle if bundle.classifier else bundle.with_head("caltech101")
    service = dw.LocalModelService(with_classes, images, device="cpu", worker=SynchronousExecutor())
    try:
        desk = service.occlusion
        scene = desk.scene(OcclusionRequest("crop:0"))
        assert (scene.wanted.layer, scene.map.shape, scene.picture.width) == ("conv5", (13, 13), 224)
        maps = desk.wait(desk.start_maps(scene.wanted, MapsSettings((64, 64), (40, 40))))
        assert (maps.method, maps.activity.shape) == ("incremental", (5, 5))
        row, column = np.unravel_index(int(maps.activity.argmin()), maps.activity.shape)
        top, left = (maps.centres[row, column] - 32).astype(int)
        given = desk.answer(scene.wanted, [(left, top, left + 64, top + 64)])
        assert given.activity == pytest.approx(maps.activity[row, column], rel=1e-3)
        assert given.activity < scene.activity
        share = next(share for share in given.classes if share.label == scene.wanted.target)
        assert share.now == pytest.approx(maps.probability[row, column], abs=1e-4)
    finally:
        service.close()


@pytest.fixture
def own_photographs(monkeypatch):
    monkeypatch.delenv("DECONVWIDGETS_CACHE")  # what is fetched already need not be fetched again
    images = dw.open_images("photos").subset([0, 1, 2])
    return dw.load_model("alexnet"), images
