"""Images that come in chunks: decoded as the model sees them, or refused in words with nothing left."""

import numpy as np
import pytest
import torch
from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.instruments.occlusion.service import uploads as module


def test_an_upload_is_occluded_like_any_other_image(service, api, send, image_file, tmp_path):
    data = image_file(5)
    image = send(api, data)
    (tmp_path / "same.png").write_bytes(data)
    bundle = service._context.snapshot.bundle
    pixels = bundle.prepare(Image.open(tmp_path / "same.png"))
    with torch.no_grad():
        shares = bundle.model(pixels[None]).double().softmax(1)[0].numpy()
    scene = api.scene(OcclusionRequest(image))
    assert (scene.caption, scene.label) == ("mine.png", None)
    assert [share.label for share in scene.classes] == list(np.argsort(-shares))
    assert api.wait(api.start_maps(OcclusionRequest(image), MapsSettings((4, 4), (4, 4)))).complete
    assert send(api, data, "again.png") == image  # the same image is the same image
    assert api.scene(OcclusionRequest(send(api, image_file(6, form="JPEG"), "other.jpg"))).caption == "other.jpg"


def test_exif_transparency_and_gray(api, send, image_file):
    for mode in ("L", "RGBA", "P", "1"):
        assert api.scene(OcclusionRequest(send(api, image_file(mode=mode), f"{mode}.png"))).image.width == 16
    assert api.scene(OcclusionRequest(send(api, image_file(form="WEBP"), "a.webp"))).caption == "a.webp"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"not an image", "mine.png cannot be decoded: it is not an image in a format that Pillow can read. Choose an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Choose an image, such as a JPEG or PNG file"),
    ],
)
def test_a_file_that_is_not_an_image_is_refused_and_leaves_nothing(api, send, image_file, data, words):
    with pytest.raises(PictureError, match=words):
        send(api, data)
    assert api.choices().uploads == ()
    assert send(api, image_file()) in api.choices().uploads  # the next one works


def test_a_truncated_image_is_refused(api, send, image_file):
    with pytest.raises(PictureError, match="cannot be decoded"):
        send(api, image_file(form="JPEG")[:-200])


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_too_large_in_bytes_or_pixels_and_empty(api, send, image_file, monkeypatch):
    for size, words in (
        ((64 << 20) + 1, r"64\.0 MiB, more than the 64\.0 MiB.*save it smaller"),
        (0, "is empty"),
        (-3, "is empty"),
        (True, "is empty"),
    ):
        with pytest.raises(PictureError, match=words):
            api.begin_upload("huge.tif", size)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(PictureError, match="40 x 30 pixels, more than the 1000"):
        send(api, image_file())
    assert api.choices().uploads == ()


def test_chunks_in_their_order(api, image_file):
    data = image_file()
    number = api.begin_upload("a.png", len(data))
    assert api.add_chunk(number, 0, data[:500]) == 500
    assert api.add_chunk(number, 0, data[:500]) == 500  # sent again
    with pytest.raises(PictureError, match="500 is next"):
        api.add_chunk(number, 600, data[600:])
    with pytest.raises(PictureError, match="More than the announced"):
        api.add_chunk(number, 500, data[500:] + b"x")
    with pytest.raises(PictureError, match=rf"500 of the {len(data):,} bytes"):
        api.finish_upload(number)
    for ask in (api.finish_upload, lambda upload: api.add_chunk(upload, 0, b"x")):
        with pytest.raises(PictureError, match="no such upload"):
            ask(number)


def test_what_is_kept_and_on_its_way_is_bounded(api, send, image_file, monkeypatch):
    monkeypatch.setattr(module, "_MAX_IMAGES", 2)
    images = [send(api, image_file(seed)) for seed in range(3)]
    assert api.choices().uploads == (images[2], images[1])
    with pytest.raises(PictureError, match="upload the file again"):
        api.scene(OcclusionRequest(images[0]))
    numbers = [api.begin_upload("a.png", 10) for _ in range(5)]
    with pytest.raises(PictureError, match="no such upload"):
        api.add_chunk(numbers[0], 0, b"x")
    assert api.add_chunk(numbers[1], 0, b"x") == 1


def test_panoramas_and_tiny_images_have_thumbnails(api, send, image_file):
    for size in ((3000, 20), (20, 3000), (2, 2), (900, 700)):
        send(api, image_file(size=size), f"{size}.png")
    assert {(tile.thumbnail.width, tile.thumbnail.height) for tile in api.images(0, 4, size=96).tiles} == {(96, 96)}
