"""Image files of every kind are decoded correctly or raise PictureError."""

import io

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.images.decode import check_header, open_image, to_rgb


def encode(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def gradient(size=(32, 16)):
    return np.linspace(0, 1, size[0] * size[1]).reshape(size[1], size[0])


def pixels(file):
    image = open_image(file)
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_gray_is_scaled(kind):
    values = (gradient() * 65535).round().astype(np.uint16)
    got = pixels(encode(Image.fromarray(values), kind))
    np.testing.assert_allclose(got[..., 0], values / 257, atol=0.51)


def test_a_dark_16_bit_image_stays_dark():
    got = pixels(encode(Image.fromarray(np.full((8, 8), 200, np.uint16)), "PNG"))
    assert got.max() == 1


def test_floats_are_scaled_from_0_to_1():
    got = pixels(encode(Image.fromarray(gradient().astype(np.float32)), "TIFF"))
    np.testing.assert_allclose(got[..., 1], gradient() * 255, atol=0.51)


@pytest.mark.parametrize("value", [-1.0, 1.5, 255.0, 1e9, float("nan"), float("inf")])
def test_floats_outside_the_range_are_refused(value):
    values = gradient().astype(np.float32)
    values[3, 3] = value
    with pytest.raises(PictureError, match="8 or 16 bits"):
        open_image(encode(Image.fromarray(values), "TIFF"))


def test_cmyk_is_converted():
    got = pixels(encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    assert np.abs(got - (255, 0, 0)).max() < 12


def test_a_palette_with_transparency_is_blended_with_white():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 1), 1)
    got = pixels(encode(image, "PNG", transparency=1))
    assert tuple(got[0, 0]) == (255, 0, 0)
    assert tuple(got[1, 1]) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_blended_with_white(mode):
    color = (0, 0, 0, 128) if mode == "RGBA" else (0, 128)
    assert np.abs(pixels(encode(Image.new(mode, (4, 4), color), "PNG")) - 127).max() <= 1


def test_one_bit_and_gray_are_converted():
    assert tuple(pixels(encode(Image.new("1", (4, 4), 1), "PNG"))[0, 0]) == (255, 255, 255)
    assert tuple(pixels(encode(Image.new("L", (4, 4), 77), "PNG"))[0, 0]) == (77, 77, 77)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation):
    """Each orientation is written out, so that the test does not depend on Pillow's implementation."""
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :16] = 250  # top left
    upright[:8, 16:] = 120  # top right
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    got = pixels(encode(Image.fromarray(np.ascontiguousarray(stored)), "JPEG", quality=95, exif=exif))
    assert got.shape == (16, 32, 3)
    assert np.abs(got[..., 0] - upright).max() < 30


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_of_an_animation_is_used(kind):
    frames = [Image.new("RGB", (8, 8), color) for color in ((200, 0, 0), (0, 200, 0))]
    got = pixels(encode(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert np.abs(got - (200, 0, 0)).max() < 25


@pytest.mark.parametrize("limit", [159_999, 70_000])  # Pillow only warns up to twice the limit
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_decompression_bomb_is_refused_without_a_warning(kind, limit, monkeypatch, tmp_path, recwarn):
    path = tmp_path / "bomb"  # without an extension, so that Pillow must read the header
    path.write_bytes(encode(Image.new("L", (400, 400)), kind).getvalue())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    for source in (path, io.BytesIO(path.read_bytes())):
        for read in (open_image, check_header):
            with pytest.raises(PictureError, match=r"400 x 400 pixels, more than|160000 pixels\) exceeds"):
                read(source)
    assert [str(warning.message) for warning in recwarn] == []
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 160_000)
    assert open_image(path).size == (400, 400)


def test_a_missing_file_and_a_text_file_are_refused(tmp_path):
    with pytest.raises(PictureError, match=r"gone\.jpg.*no such file"):
        open_image(tmp_path / "gone.jpg")
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(PictureError, match=r"text\.jpg.*not an image"):
        open_image(tmp_path / "text.jpg")
    with pytest.raises(PictureError):
        open_image(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of damaged TIFF files
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM"])
def test_damaged_files_are_decoded_or_refused(kind, noise_image):
    """Truncated and changed files raise no other error than PictureError."""
    whole = encode(noise_image(), kind).getvalue()
    random = np.random.default_rng(0)
    files = [whole[: int(length)] for length in np.linspace(0, len(whole) - 1, 25)]
    for _ in range(120):
        damaged = bytearray(whole)
        for position in random.integers(0, min(len(damaged), 400), 3):
            damaged[position] = random.integers(0, 256)
        files.append(bytes(damaged))
    outcomes = set()
    for data in files:
        try:
            outcomes.add(open_image(io.BytesIO(data), "damaged").mode)
        except PictureError:
            outcomes.add("refused")
    assert outcomes <= {"RGB", "refused"}
    assert "refused" in outcomes


def test_a_truncated_jpeg_is_refused(noise_image):
    whole = encode(noise_image(200, 200), "JPEG").getvalue()
    with pytest.raises(PictureError, match="truncated"):
        open_image(io.BytesIO(whole[: len(whole) // 2]))


def test_to_rgb_does_not_change_its_argument(noise_image):
    image = noise_image().convert("RGBA")
    before = image.tobytes()
    assert to_rgb(image).mode == "RGB"
    assert image.tobytes() == before


def test_a_jpeg_is_decoded_at_a_smaller_size_of_at_least_side_pixels(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (1600, 800), (40, 90, 170)).save(path)
    assert open_image(path).size == (1600, 800)
    for side, size in ((100, (200, 100)), (101, (400, 200)), (900, (1600, 800))):
        assert open_image(path, side=side).size == size
