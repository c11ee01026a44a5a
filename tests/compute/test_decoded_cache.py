"""The cache of decoded crops: the same batches, without decoding, and damage is found."""

from __future__ import annotations

import errno
import os
import random

import numpy as np
import pytest

from deconvwidgets.compute import cached_decoding, decoded_cache
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.decoding import decoded_batches
from deconvwidgets.errors import PictureError
from tests.conftest import NoisePhotographs

FIELDS = ("crops", "sources", "numbers", "contents", "labels", "pixels")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    for module in (decoded_cache, cached_decoding):
        monkeypatch.setattr(module, "PART_CROPS", 20)


def joined(decoder, crops, **arguments):
    batches = list(decoded_batches(decoder, crops, 7, **arguments))
    skipped = [entry for batch in batches for entry in batch.skipped]
    return [np.concatenate([getattr(batch, name) for batch in batches]) for name in FIELDS], skipped


def equal(found, expected):
    return all(map(np.array_equal, found[0], expected[0])) and found[1] == expected[1]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_second_pass_decodes_nothing(tiny_bundle, tmp_path, workers):
    decoder = CropDecoder.of(tiny_bundle, NoisePhotographs(30))
    expected = joined(decoder, range(90), workers=0)
    assert equal(joined(decoder, range(90), workers=workers, cache=tmp_path), expected)
    decoder.images.opened = 0
    again = CropDecoder.of(tiny_bundle, decoder.images)
    assert equal(joined(again, range(90), workers=workers, cache=tmp_path), expected)
    assert decoder.images.opened == 0
    for crops in (range(13, 55), [3, 4, 50, 89], range(40, 60)):
        assert equal(joined(again, crops, workers=workers, cache=tmp_path), joined(decoder, crops, workers=0))


def test_parts_are_written_whole_and_without_unreadable_photographs(tiny_bundle, tmp_path):
    images = NoisePhotographs(30, broken=[9])  # crops 27 to 29
    decoder = CropDecoder.of(tiny_bundle, images)
    assert equal(joined(decoder, range(10, 90), workers=0, cache=tmp_path), joined(decoder, range(10, 90), workers=0))
    assert sorted(path.name for path in tmp_path.rglob("*part*")) == ["part-00000002", "part-00000003", "part-00000004"]
    images.broken = set()
    assert joined(decoder, range(90), workers=0, cache=tmp_path)[1] == []
    assert len(list(tmp_path.rglob("part*"))) == 5


def test_a_damaged_part_is_decoded_again(tiny_bundle, tmp_path):
    decoder = CropDecoder.of(tiny_bundle, NoisePhotographs(30))
    expected = joined(decoder, range(90), workers=0, cache=tmp_path)
    path = next(tmp_path.rglob("part-00000001"))
    intact, draw = path.read_bytes(), random.Random(0)
    other = next(tmp_path.rglob("part-00000002")).read_bytes()
    damages = [intact[:-1], intact[:10], b"", intact + b"x", b"x" + intact, other]
    for place in (0, len(intact) - 1, len(intact) - 40, len(intact) - 44, *(draw.randrange(len(intact)) for _ in range(10))):
        damages.append(intact[:place] + bytes([intact[place] ^ (1 << draw.randrange(8))]) + intact[place + 1 :])
    for damaged in damages:
        path.write_bytes(damaged)
        decoder.images.opened = 0
        assert equal(joined(decoder, range(90), workers=0, cache=tmp_path), expected)
        assert 0 < decoder.images.opened < 10
        assert path.read_bytes() == intact


def test_other_images_and_other_pixels_are_other_caches(tiny_bundle, tiny_model, tmp_path):
    images = NoisePhotographs(10)
    transform = tiny_bundle.transform
    changed = type(transform)(resize=20, crop=transform.crop, mean=transform.mean, std=transform.std)
    other_mean = type(transform)(resize=18, crop=transform.crop, mean=(0.1, 0.2, 0.3), std=transform.std)
    of = [
        CropDecoder.of(tiny_bundle, images),
        CropDecoder.of(tiny_bundle, images, scaled_jpeg=True),
        CropDecoder(images, changed, (3, 16, 16), "tiny"),
        CropDecoder.of(tiny_bundle, NoisePhotographs(10, seed=1)),
    ]
    for decoder in of:
        expected = joined(decoder, range(30), workers=0)
        assert equal(joined(decoder, range(30), workers=0, cache=tmp_path), expected)
    assert len(list(tmp_path.iterdir())) == len(of)
    joined(CropDecoder(images, other_mean, (3, 16, 16), "another"), range(30), workers=0, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == len(of), "models that differ in normalisation share a cache"
    with pytest.raises(PictureError, match="has none that is known"):
        joined(CropDecoder(images, lambda image: None, (3, 16, 16), "mine"), range(30), cache=tmp_path)


def test_a_full_disk_is_said_and_the_pass_goes_on(tiny_bundle, tmp_path, monkeypatch):
    decoder = CropDecoder.of(tiny_bundle, NoisePhotographs(30))

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match="No space left on device. Decoding goes on") as warned:
        found = joined(decoder, range(90), workers=0, cache=tmp_path)
    assert len(warned) == 1
    assert equal(found, joined(decoder, range(90), workers=0))
    assert not list(tmp_path.rglob("*part*"))
