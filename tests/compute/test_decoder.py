"""Decoded crops are the inputs that `ModelBundle.prepare` returns, whatever the batches and the workers."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile

from deconvwidgets import ModelBundle
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.decoding import decoded_batches
from deconvwidgets.images.files import FileImages
from deconvwidgets.images.open import open_images
from deconvwidgets.models.preprocess import FloorCropPreprocess, Preprocess


@pytest.fixture
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8))


def inputs_of(decoder, batches):
    parts = [decoder.to_inputs(torch.from_numpy(batch.pixels)) for batch in batches]
    return torch.cat(parts)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("size", [1, 5, 32, 1000])
def test_batches_are_the_prepared_crops_in_order(tiny_bundle, tiny_images, size, workers):
    decoder = CropDecoder.of(tiny_bundle, tiny_images)
    batches = list(decoded_batches(decoder, range(len(tiny_images)), size, workers))
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert np.concatenate([batch.crops for batch in batches]).tolist() == list(range(len(tiny_images)))
    expected = torch.stack([tiny_bundle.prepare(tiny_images.open_crop(crop)) for crop in range(len(tiny_images))])
    assert torch.equal(inputs_of(decoder, batches), expected)
    records = [tiny_images.crop(crop) for crop in range(len(tiny_images))]
    assert np.concatenate([batch.sources for batch in batches]).tolist() == [record.source for record in records]
    assert np.concatenate([batch.numbers for batch in batches]).tolist() == [record.number for record in records]


def test_content_ids_are_equal_for_copies_whatever_their_names(tmp_path, tiny_bundle, picture):
    picture.save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    picture.rotate(90).save(tmp_path / "c.png")
    decoder = CropDecoder.of(tiny_bundle, FileImages("files", tmp_path, ["a.png", "b.png", "c.png"], [0, None, 1]))
    batch = decoder.decode(range(3))
    expected = [int.from_bytes(hashlib.sha256((tmp_path / name).read_bytes()).digest()[:8], "big") for name in ("a.png", "b.png", "c.png")]
    assert batch.contents.tolist() == expected
    assert batch.contents[0] == batch.contents[1] != batch.contents[2]
    assert batch.labels.tolist() == [0, -1, 1]
    for images in (decoder.images.subset([2]), open_images([tmp_path / "c.png"])):
        assert CropDecoder.of(tiny_bundle, images).decode([0]).contents[0] == batch.contents[2]


def test_photographs_that_are_no_files_are_equal_if_their_pixels_are(tiny_bundle, tiny_images):
    batch = CropDecoder.of(tiny_bundle, tiny_images).decode(range(len(tiny_images)))
    by_source = dict(zip(batch.sources.tolist(), batch.contents.tolist(), strict=True))
    assert by_source[2] == by_source[3]  # see NoisePhotographs
    assert len(set(by_source.values())) == len(by_source) - 1


def test_a_set_that_opens_photographs_in_its_own_way_is_decoded_in_that_way(tmp_path, tiny_bundle, picture):
    class Inverted(FileImages):
        def open_source(self, source):
            return ImageChops.invert(super().open_source(source))

    picture.save(tmp_path / "a.png")
    images = Inverted("inverted", tmp_path, ["a.png"], [None])
    decoder = CropDecoder.of(tiny_bundle, images)
    assert torch.equal(inputs_of(decoder, [decoder.decode([0])])[0], tiny_bundle.prepare(ImageChops.invert(picture.convert("RGB"))))


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_photographs_are_skipped_with_all_their_crops(tiny_bundle, noise, workers):
    decoder = CropDecoder.of(tiny_bundle, noise(broken=[0, 4, 13]))
    batches = list(decoded_batches(decoder, range(42), 5, workers))
    skipped = {crop: image.name for batch in batches for crop, image in batch.skipped}
    assert skipped == {crop: f"noise-{crop // 3}" for crop in (0, 1, 2, 12, 13, 14, 39, 40, 41)}
    assert sorted(number for batch in batches for number in batch.finished.tolist()) == list(range(42))
    assert decoder.decode([0, 1]).pixels.shape == (0, 3, 16, 16)


@pytest.mark.parametrize(
    "transform",
    [
        Preprocess(),
        Preprocess(resize=None, crop=(40, 30)),
        Preprocess(resize=20, crop=(31, 33), mean=(0.449,), std=(0.226,)),
        FloorCropPreprocess(resize=33, crop=(30, 32), interpolation=Image.Resampling.BICUBIC),
        lambda image: torch.full((3, 8, 8), image.width + 0.1, dtype=torch.float64),
    ],
)
def test_inputs_are_those_of_the_bundle_bit_for_bit(transform, picture):
    size = transform.input_size if isinstance(transform, Preprocess) else (3, 8, 8)
    net = torch.nn.Sequential(torch.nn.Conv2d(size[0], 2, 3), torch.nn.Flatten()).eval()
    bundle = ModelBundle.from_module(net, transform=transform, input_size=size, task=None)
    images = open_images([picture, picture.rotate(90, expand=True), Image.new("L", (50, 60), 200)])
    decoder = CropDecoder.of(bundle, images)
    batch = pickle.loads(pickle.dumps(decoder)).decode(range(3)) if isinstance(transform, Preprocess) else decoder.decode(range(3))
    assert batch.pixels.dtype == (np.uint8 if isinstance(transform, Preprocess) else np.float32)
    expected = torch.stack([bundle.prepare(images.open_source(source)) for source in range(3)])
    for pixels in (torch.from_numpy(batch.pixels), torch.from_numpy(batch.pixels).to(memory_format=torch.channels_last)):
        assert torch.equal(decoder.to_inputs(pixels), expected)


def test_large_jpeg_files_are_decoded_at_a_smaller_size_on_request_only(tmp_path, tiny_bundle, monkeypatch):
    smooth = Image.linear_gradient("L").resize((300, 200)).convert("RGB")
    smooth.save(tmp_path / "large.jpg", quality=95)
    smooth.resize((40, 30)).save(tmp_path / "small.jpg")
    drafts = []
    draft = JpegImageFile.draft
    monkeypatch.setattr(JpegImageFile, "draft", lambda image, mode, size: (drafts.append(size), draft(image, mode, size))[1])
    images = FileImages("files", tmp_path, ["large.jpg", "small.jpg"], [None, None])
    full = CropDecoder.of(tiny_bundle, images).decode(range(2))
    assert not drafts
    scaled = CropDecoder.of(tiny_bundle, images, scaled_jpeg=True).decode(range(2))
    assert drafts == [(18, 18)] * 2  # the side that the transform resizes to
    assert np.array_equal(full.contents, scaled.contents)
    assert np.array_equal(full.pixels[1], scaled.pixels[1])
    difference = np.abs(full.pixels[0].astype(int) - scaled.pixels[0])
    assert 0 < difference.max() < 16
