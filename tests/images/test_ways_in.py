"""The same picture gives the same pixels whichever way it enters: as a file, a PIL image, an array, an item of a data set or an upload."""

from __future__ import annotations

import colorsys
import io

import numpy as np
import pytest
import torch
from PIL import Image

from deconvwidgets.compute.inputs import as_input, as_pil_image
from deconvwidgets.errors import PictureError
from deconvwidgets.images.decode import as_rgb, open_image
from deconvwidgets.images.open import open_images
from deconvwidgets.instruments.occlusion.widget.image_upload import upload_image
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.service.image_uploads import ImageUploads

HEIGHT, WIDTH = 5, 7
RANDOM = np.random.default_rng(0)


class Items:
    """A data set of one image."""

    def __init__(self, image):
        self.image = image

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.image, 0


class Uploads(ImageUploads):
    """Uploaded images, unprepared, with the methods of the service that `upload_image` calls."""

    def __init__(self):
        super().__init__(lambda image: image, lambda image: image)

    begin_upload, add_chunk, finish_upload = ImageUploads.begin, ImageUploads.add, ImageUploads.finish


def uploaded_file(path):
    uploads, data = Uploads(), path.read_bytes()
    upload = uploads.begin(path.name, len(data))
    uploads.add(upload, 0, data)
    return uploads.get(uploads.finish(upload)).pixels


def uploaded_from_python(image):
    uploads = Uploads()
    return uploads.get(upload_image(uploads, image)).pixels


def through_a_bundle(convert):
    """The picture that a model's transform is given, from the input that it returns."""

    def pixels(image):
        transform = Preprocess(resize=None, crop=(HEIGHT, WIDTH), mean=(0.0,) * 3, std=(1.0,) * 3)
        net = torch.nn.Conv2d(3, 1, 1).eval()
        unit = convert(ModelBundle.from_module(net, transform=transform), image)
        return Image.fromarray((unit * 255).round().to(torch.uint8).permute(1, 2, 0).numpy())

    return pixels


FROM_PATHS = {
    "open_image": open_image,
    "as_pil_image": as_pil_image,
    "as_pil_image of a string": lambda path: as_pil_image(str(path)),
    "open_images": lambda path: open_images(path).open_source(0),
    "open_images of a list": lambda path: open_images([path]).open_source(0),
    "open_images of a folder": lambda path: open_images(path.parent).open_source(0),
    "a thumbnail": lambda path: open_images(path.parent).open_thumbnail(0, 4000),
    "an upload": uploaded_file,
    "an upload from Python": uploaded_from_python,
    "a model's input": through_a_bundle(as_input),
}
FROM_IMAGES = {
    "as_rgb": as_rgb,
    "as_pil_image": as_pil_image,
    "open_images": lambda image: open_images(image).open_source(0),
    "open_images of a list": lambda image: open_images([image]).open_source(0),
    "a data set": lambda image: open_images(Items(image)).open_source(0),
    "a data set without classes": lambda image: open_images([image, image] if not isinstance(image, Image.Image) else [image]).open_source(
        0
    ),
    "an upload from Python": uploaded_from_python,
    "a model's input": through_a_bundle(as_input),
    "bundle.prepare": through_a_bundle(lambda bundle, image: bundle.prepare(image)),
}
FROM_ARRAYS = {name: FROM_IMAGES[name] for name in ("as_rgb", "as_pil_image", "a data set", "an upload from Python", "a model's input")}


def values(*channels, high=256, dtype=np.uint8):
    return RANDOM.integers(0, high, (HEIGHT, WIDTH, *channels)).astype(dtype)


def gray(levels):
    return np.repeat(np.asarray(levels, float)[..., None], 3, axis=-1)


def on_white(colours, alpha):
    share = alpha[..., None] / 255
    return colours * share + 255 * (1 - share)


def cmyk(inks):
    return (255.0 - inks[..., :3]) * (255.0 - inks[..., 3:]) / 255


def ycbcr(parts):
    """JFIF's equations."""
    luma, blue, red = (parts[..., channel].astype(float) for channel in range(3))
    blue, red = blue - 128, red - 128
    return np.clip(np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], axis=-1), 0, 255)


def hsv(parts):
    return np.array([[colorsys.hsv_to_rgb(*(pixel / 255)) for pixel in row] for row in parts]) * 255


def palette_image(indices, colours, transparent=None):
    image = Image.fromarray(indices, "L").copy()
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette(colours.tobytes())
    if transparent is not None:
        image.info["transparency"] = transparent
    return image


def cases():
    """Yield (name, image, format of a file that keeps its mode, expected pixels, tolerance)."""
    bits, level, alpha, colours, inks = values(high=2), values(), values(), values(3), values(4)
    bits[0, :2], alpha[0, :3] = (0, 1), (0, 255, 128)
    indices, palette = values(high=16), RANDOM.integers(0, 256, (16, 3)).astype(np.uint8)
    sixteen = values(high=65536, dtype=np.uint16)
    sixteen[0, :3] = (0, 65535, 128)
    unit = RANDOM.random((HEIGHT, WIDTH), dtype=np.float32)
    yield "1", Image.fromarray(bits * np.uint8(255)).convert("1"), "PNG", gray(bits * 255.0), 0
    yield "L", Image.fromarray(level), "PNG", gray(level), 0
    yield "RGB", Image.fromarray(colours), "PNG", colours, 0
    yield "P", palette_image(indices, palette), "PNG", palette[indices], 0
    transparent = np.where((indices == indices[0, 0])[..., None], 255, palette[indices])
    yield "P with a transparent colour", palette_image(indices, palette, int(indices[0, 0])), "PNG", transparent, 0
    yield "LA", Image.merge("LA", [Image.fromarray(level), Image.fromarray(alpha)]), "PNG", on_white(gray(level), alpha), 1
    rgba = np.concatenate([colours, alpha[..., None]], axis=-1)
    yield "RGBA", Image.fromarray(rgba), "PNG", on_white(colours.astype(float), alpha), 1
    keyed = Image.fromarray(colours)
    keyed.info["transparency"] = tuple(int(value) for value in colours[1, 1])
    white = np.where((colours == colours[1, 1]).all(-1, keepdims=True), 255, colours)
    yield "RGB with a transparent colour", keyed, "PNG", white, 0
    premultiplied = Image.fromarray(np.repeat(alpha[..., None], 4, axis=-1)).copy()
    yield "RGBa", Image.frombytes("RGBa", (WIDTH, HEIGHT), premultiplied.tobytes()), None, gray(np.full((HEIGHT, WIDTH), 255.0)), 2
    yield "I;16", Image.fromarray(sixteen), "PNG", gray(sixteen / 257), 0.5
    yield "I;16B", Image.frombytes("I;16B", (WIDTH, HEIGHT), sixteen.astype(">u2").tobytes()), "TIFF", gray(sixteen / 257), 0.5
    yield "I", Image.fromarray(sixteen.astype(np.int32)), "TIFF", gray(sixteen / 257), 0.5
    yield "F", Image.fromarray(unit), "TIFF", gray(unit * 255.0), 0.5
    yield (
        "CMYK",
        Image.frombytes("CMYK", (WIDTH, HEIGHT), inks.tobytes()),
        "TIFF",
        cmyk(inks),
        1,
    )
    yield "YCbCr", Image.frombytes("YCbCr", (WIDTH, HEIGHT), colours.tobytes()), None, ycbcr(colours), 2
    yield "HSV", Image.frombytes("HSV", (WIDTH, HEIGHT), colours.tobytes()), None, hsv(colours), 3
    yield "LAB of gray", Image.frombytes("LAB", (WIDTH, HEIGHT), lab_of_gray()), "TIFF", None, 0


def lab_of_gray():
    lightness = values()
    return np.stack([lightness, np.zeros_like(lightness), np.zeros_like(lightness)], axis=-1).tobytes()


CASES = {name: rest for name, *rest in cases()}


@pytest.mark.parametrize("mode", CASES)
def test_every_mode_gives_the_same_pixels_by_every_way(mode, tmp_path):
    image, kind, expected, tolerance = CASES[mode]
    results = {f"PIL, {name}": way(image.copy()) for name, way in FROM_IMAGES.items()}
    if kind is not None:
        path = tmp_path / f"picture.{kind.lower()}"
        image.save(path, kind)
        results |= {f"a path, {name}": way(path) for name, way in FROM_PATHS.items()}
        for name, way in FROM_IMAGES.items():
            with Image.open(path) as opened:
                assert opened.mode == image.mode
                results[f"an open file, {name}"] = way(opened)
    first = np.asarray(results["PIL, as_rgb"])
    for name, result in results.items():
        assert result.mode == "RGB", name
        np.testing.assert_array_equal(np.asarray(result), first, err_msg=name)
    if expected is not None:
        np.testing.assert_allclose(first.astype(float), expected, atol=tolerance)
    else:  # a neutral gray is as light as L*, by CIE 1976 and sRGB's curve
        lightness = np.asarray(image)[..., 0].astype(float) * 100 / 255
        luminance = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
        curve = np.where(luminance > 0.0031308, 1.055 * luminance ** (1 / 2.4) - 0.055, 12.92 * luminance)
        np.testing.assert_allclose(first.astype(float), gray(curve * 255), atol=3)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16", "1"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_exif_orientation_is_applied_by_every_way(mode, orientation, tmp_path):
    image, _, expected, tolerance = CASES[mode]
    upright = np.asarray(expected, float)
    # The picture that a viewer shows, by the definition of each orientation: where the first row and column of the file are.
    shown = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, -1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, 1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "picture.png"
    image.save(path, exif=exif)
    results = {name: way(path) for name, way in FROM_PATHS.items() if name != "a model's input"}
    for name, way in FROM_IMAGES.items():
        if name not in ("a model's input", "bundle.prepare"):  # of another size
            with Image.open(path) as opened:
                results[f"an open file, {name}"] = way(opened)
                results[f"a copy, {name}"] = way(opened.copy())
    for name, result in results.items():
        np.testing.assert_allclose(np.asarray(result, float), shown, atol=tolerance, err_msg=name)
        np.testing.assert_array_equal(np.asarray(as_rgb(result)), np.asarray(result), err_msg=f"{name}: rotated twice")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (CASES["L"][0], None),
        (np.array([[True, False]] * 2), gray([[255, 0]] * 2)),
        (np.array([[0, 128, 65535]] * 2, np.uint16), gray([[0, 0, 255]] * 2)),
        (np.array([[0, 128, 65535]] * 2, ">u2"), gray([[0, 0, 255]] * 2)),
        (np.array([[0.0, 0.5, 1.0]] * 2), gray([[0, 128, 255]] * 2)),
        (np.array([[0.0, 0.25]] * 2, np.float16), gray([[0, 64]] * 2)),
        (np.array([[0, 200]] * 2, np.int64), gray([[0, 200]] * 2)),
        (CASES["RGB"][2], CASES["RGB"][2]),
        (CASES["L"][2][..., :1].astype(np.uint8), CASES["L"][2]),
    ],
)
def test_arrays_and_tensors_give_the_same_pixels_by_every_way(array, expected):
    array = np.asarray(array)
    expected = CASES["L"][2] if expected is None else expected
    native = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")))
    tensor = torch.from_numpy(native if native.ndim == 2 else np.ascontiguousarray(np.moveaxis(native, -1, 0)))
    ways = FROM_ARRAYS if array.shape[:2] == (HEIGHT, WIDTH) else {k: v for k, v in FROM_ARRAYS.items() if k != "a model's input"}
    for name, way in ways.items():
        np.testing.assert_array_equal(np.asarray(way(array)), expected, err_msg=name)
    for way in (as_rgb, lambda item: open_images(Items(item)).open_source(0)):
        np.testing.assert_array_equal(np.asarray(way(tensor)), expected)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("I", (4, 4), 200), r"8-bit values, or 16-bit values.*convert\('L'\)"),
        (Image.new("I", (4, 4), -1), "integers from -1 to -1"),
        (Image.new("I", (4, 4), 65536), "8 or 16 bits"),
        (Image.new("F", (4, 4), 1.5), "from 1.5 to 1.5, not 0 to 1"),
        (Image.new("F", (4, 4), -0.1), "not 0 to 1"),
        (Image.new("F", (4, 4), float("nan")), "not 0 to 1"),
        (Image.new("RGB", (0, 4)), "is empty"),
        (np.zeros((4, 0), np.uint8), "must be a gray or colour image"),
        (np.zeros((4, 5, 4), np.uint8), "choose three"),
        (np.zeros((4, 5, 2), np.uint8), "gray or colour"),
        (np.zeros((4, 5), complex), "not complex128"),
        (np.full((4, 5), 256, np.int64), "int64 values from 256 to 256"),
        (np.full((4, 5), -1, np.int8), "from -1 to -1"),
        (np.full((4, 5), 1.01), "Normalize"),
        (np.array(None), "gray or colour"),
    ],
)
def test_an_unknown_range_is_refused_by_every_way(image, message):
    for way in (FROM_IMAGES if isinstance(image, Image.Image) else FROM_ARRAYS).values():
        with pytest.raises(PictureError, match=message):
            way(image)


@pytest.mark.parametrize("image", [None, 3, 2.5, b"bytes", [], {}, object(), ["a", "b"], ""])
def test_anything_else_is_refused(image):
    for way in (as_rgb, as_pil_image):
        with pytest.raises(PictureError, match=r"must be a (PIL image|path)"):
            way(image)


def test_an_image_that_is_truncated_is_refused_by_every_way():
    file = io.BytesIO()
    Image.fromarray(RANDOM.integers(0, 256, (64, 64, 3)).astype(np.uint8)).save(file, "PNG")
    for name, way in FROM_IMAGES.items():
        with Image.open(io.BytesIO(file.getvalue()[:3000])) as opened, pytest.raises(PictureError, match="truncated"):
            way(opened)
        assert name


def test_one_array_is_no_image_set():
    for array in (np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.uint8), torch.zeros(3, 4, 5)):
        with pytest.raises(PictureError, match=r"open_images\(\[array\]\)"):
            open_images(array)
    assert open_images([np.zeros((4, 5, 3), np.uint8)]).open_source(0).size == (5, 4)
    assert open_images(torch.zeros(2, 3, 4, 5)).source_count == 2
