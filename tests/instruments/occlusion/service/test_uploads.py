"""Pictures that come in chunks: decoded as the model sees them, or refused in words with nothing left."""

import numpy as np
import pytest
import torch
from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.instruments.occlusion.service import uploads as module


def test_an_upload_is_occluded_like_any_other_image(service, desk, send, picture_file, tmp_path):
    data = picture_file(5)
    image = send(desk, data)
    (tmp_path / "same.png").write_bytes(data)
    bundle = service._context.snapshot.bundle
    pixels = bundle.prepare(Image.open(tmp_path / "same.png"))
    with torch.no_grad():
        shares = bundle.model(pixels[None]).double().softmax(1)[0].numpy()
    scene = desk.scene(OcclusionRequest(image))
    assert (scene.caption, scene.label) == ("mine.png", None)
    assert [share.label for share in scene.classes] == list(np.argsort(-shares))
    assert desk.wait(desk.start_maps(OcclusionRequest(image), MapsSettings((4, 4), (4, 4)))).complete
    assert send(desk, data, "again.png") == image  # the same picture is the same image
    assert desk.scene(OcclusionRequest(send(desk, picture_file(6, form="JPEG"), "other.jpg"))).caption == "other.jpg"


def test_exif_transparency_and_gray(desk, send, picture_file):
    for mode in ("L", "RGBA", "P", "1"):
        assert desk.scene(OcclusionRequest(send(desk, picture_file(mode=mode), f"{mode}.png"))).picture.width == 16
    assert desk.scene(OcclusionRequest(send(desk, picture_file(form="WEBP"), "a.webp"))).caption == "a.webp"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no picture at all", "mine.png cannot be decoded: it is not an image in a format that Pillow can read. Choose an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Choose an image, such as a JPEG or PNG file"),
    ],
)
def test_no_picture_is_refused_and_leaves_nothing(desk, send, picture_file, data, words):
    with pytest.raises(PictureError, match=words):
        send(desk, data)
    assert desk.choices().uploads == ()
    assert send(desk, picture_file()) in desk.choices().uploads  # the next one works


def test_a_truncated_picture_is_refused(desk, send, picture_file):
    with pytest.raises(PictureError, match="cannot be decoded"):
        send(desk, picture_file(form="JPEG")[:-200])


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_too_large_in_bytes_or_pixels_and_empty(desk, send, picture_file, monkeypatch):
    for size, words in (
        ((64 << 20) + 1, r"64\.0 MiB, more than the 64\.0 MiB.*save it smaller"),
        (0, "is empty"),
        (-3, "is empty"),
        (True, "is empty"),
    ):
        with pytest.raises(PictureError, match=words):
            desk.begin_upload("huge.tif", size)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(PictureError, match="40 x 30 pixels, more than the 1000"):
        send(desk, picture_file())
    assert desk.choices().uploads == ()


def test_chunks_in_their_order(desk, picture_file):
    data = picture_file()
    number = desk.begin_upload("a.png", len(data))
    assert desk.add_chunk(number, 0, data[:500]) == 500
    assert desk.add_chunk(number, 0, data[:500]) == 500  # sent again
    with pytest.raises(PictureError, match="500 is next"):
        desk.add_chunk(number, 600, data[600:])
    with pytest.raises(PictureError, match="More than the announced"):
        desk.add_chunk(number, 500, data[500:] + b"x")
    with pytest.raises(PictureError, match=rf"500 of the {len(data):,} bytes"):
        desk.finish_upload(number)
    for ask in (desk.finish_upload, lambda upload: desk.add_chunk(upload, 0, b"x")):
        with pytest.raises(PictureError, match="no such upload"):
            ask(number)


def test_what_is_kept_and_on_its_way_is_bounded(desk, send, picture_file, monkeypatch):
    monkeypatch.setattr(module, "_MAX_IMAGES", 2)
    images = [send(desk, picture_file(seed)) for seed in range(3)]
    assert desk.choices().uploads == (images[2], images[1])
    with pytest.raises(PictureError, match="upload the file again"):
        desk.scene(OcclusionRequest(images[0]))
    numbers = [desk.begin_upload("a.png", 10) for _ in range(5)]
    with pytest.raises(PictureError, match="no such upload"):
        desk.add_chunk(numbers[0], 0, b"x")
    assert desk.add_chunk(numbers[1], 0, b"x") == 1


def test_panoramas_and_tiny_pictures_have_thumbnails(desk, send, picture_file):
    for size in ((3000, 20), (20, 3000), (2, 2), (900, 700)):
        send(desk, picture_file(size=size), f"{size}.png")
    assert {(tile.picture.width, tile.picture.height) for tile in desk.images(0, 4, size=96).tiles} == {(96, 96)}
