"""Uploads of images in chunks."""

import numpy as np
import pytest
import torch
from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.service import image_uploads as module


def test_scene_and_maps_of_an_upload(service, api, upload_file, image_file, tmp_path):
    data = image_file(5)
    image = upload_file(api, data)
    (tmp_path / "same.png").write_bytes(data)
    bundle = service._context.snapshot.bundle
    pixels = bundle.prepare(Image.open(tmp_path / "same.png"))
    with torch.no_grad():
        shares = bundle.model(pixels[None]).double().softmax(1)[0].numpy()
    scene = api.scene(OcclusionRequest(image))
    assert (scene.caption, scene.label) == ("mine.png", None)
    assert [share.label for share in scene.classes] == list(np.argsort(-shares))
    assert api.wait(api.start_maps(OcclusionRequest(image), MapsSettings((4, 4), (4, 4)))).complete
    assert upload_file(api, data, "again.png") == image  # equal images have the same id
    assert api.scene(OcclusionRequest(upload_file(api, image_file(6, form="JPEG"), "other.jpg"))).caption == "other.jpg"


def test_upload_of_images_in_other_modes_and_formats(api, upload_file, image_file):
    for mode in ("L", "RGBA", "P", "1"):
        assert api.scene(OcclusionRequest(upload_file(api, image_file(mode=mode), f"{mode}.png"))).image.width == 16
    assert api.scene(OcclusionRequest(upload_file(api, image_file(form="WEBP"), "a.webp"))).caption == "a.webp"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"not an image", "mine.png cannot be decoded: it is not an image in a format that Pillow can read. Choose an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Choose an image, such as a JPEG or PNG file"),
    ],
)
def test_upload_of_a_file_that_is_not_an_image_raises_an_error(api, upload_file, image_file, data, message):
    with pytest.raises(PictureError, match=message):
        upload_file(api, data)
    assert api.choices().uploads == ()
    assert upload_file(api, image_file()) in api.choices().uploads  # the next one works


def test_upload_of_a_truncated_image_raises_an_error(api, upload_file, image_file):
    with pytest.raises(PictureError, match="cannot be decoded"):
        upload_file(api, image_file(form="JPEG")[:-200])


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_upload_of_empty_or_too_large_images_raises_an_error(api, upload_file, image_file, monkeypatch):
    for size, message in (
        ((64 << 20) + 1, r"64\.0 MiB, more than the 64\.0 MiB.*save it smaller"),
        (0, "is empty"),
        (-3, "is empty"),
        (True, "is empty"),
    ):
        with pytest.raises(PictureError, match=message):
            api.begin_upload("huge.tif", size)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(PictureError, match="40 x 30 pixels, more than the 1000"):
        upload_file(api, image_file())
    assert api.choices().uploads == ()


def test_chunks_must_be_in_order(api, image_file):
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
    for method in (api.finish_upload, lambda upload: api.add_chunk(upload, 0, b"x")):
        with pytest.raises(PictureError, match="no such upload"):
            method(number)


def test_the_number_of_uploads_is_limited(api, upload_file, image_file, monkeypatch):
    monkeypatch.setattr(module, "_MAX_IMAGES", 2)
    images = [upload_file(api, image_file(seed)) for seed in range(3)]
    assert api.choices().uploads == (images[2], images[1])
    with pytest.raises(PictureError, match="upload the file again"):
        api.scene(OcclusionRequest(images[0]))
    api.scene(OcclusionRequest(images[1]))  # it is used, so that it is kept longer
    images.append(upload_file(api, image_file(3)))
    assert api.choices().uploads == (images[3], images[1])
    numbers = [api.begin_upload("a.png", 10) for _ in range(5)]
    with pytest.raises(PictureError, match="no such upload"):
        api.add_chunk(numbers[0], 0, b"x")
    assert api.add_chunk(numbers[1], 0, b"x") == 1


def test_thumbnails_of_images_of_any_size(api, upload_file, image_file):
    for size in ((3000, 20), (20, 3000), (2, 2), (900, 700)):
        upload_file(api, image_file(size=size), f"{size}.png")
    assert {(tile.thumbnail.width, tile.thumbnail.height) for tile in api.images(0, 4, size=96).tiles} == {(96, 96)}
