"""Crops as photographs of their own, with the photograph that they were cut from as their class."""

from dataclasses import replace

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.errors import PictureError
from deconvwidgets.images.labels import class_notes, class_sizes
from deconvwidgets.images.photo_crops import crops_as_images


def test_each_crop_is_a_photograph_and_its_class_the_one_it_is_from(tiny_images):
    crops = crops_as_images(tiny_images)
    assert (crops.source_count, len(crops)) == (28, 28)  # 14 photographs, two crops each; the whole ones are left out
    assert crops.name == "crops of noise, from which photograph?"
    assert class_sizes(crops) == (2,) * 14
    for source in range(28):
        crop = tiny_images.crop(3 * (source // 2) + 1 + source % 2)
        assert crops.label(source) == crop.source
        assert crops.source_name(source) == f"noise-{crop.source}#{crop.number}"
        expected = np.asarray(tiny_images.open_source(crop.source).crop(crop.box))
        np.testing.assert_array_equal(np.asarray(crops.open_source(source)), expected)
    assert crops.categories[0] == "noise-0"  # without a label
    assert crops.categories[1] == "dog (noise-1)"


def test_the_digest_follows_the_photographs(noise):
    first, again, other = (crops_as_images(noise(seed=seed)) for seed in (0, 0, 1))
    assert first.digest == again.digest
    assert first.digest != other.digest
    assert first.digest != noise().digest


def test_a_set_without_crops_is_refused(tmp_path, noise_picture):
    for number in range(3):
        noise_picture(seed=number).save(tmp_path / f"{number}.png")
    with pytest.raises(PictureError, match=r"3 crops of 3 photographs.*photo-crops"):
        crops_as_images(dw.open_images(tmp_path))


def test_classes_are_numbered_among_photographs_with_crops(tiny_images):
    part = tiny_images.subset([5, 2])
    crops = crops_as_images(part)
    assert (crops.source_count, class_sizes(crops)) == (4, (2, 2))
    assert [name.split()[-1] for name in crops.categories] == ["(noise-5)", "(noise-2)"]
    with pytest.raises(PictureError, match="two photographs"):
        crops_as_images(tiny_images.subset([5]))


def test_a_photograph_without_crops_is_no_class(tiny_images, monkeypatch):
    crop = tiny_images.crop
    monkeypatch.setattr(tiny_images, "crop", lambda number: replace(crop(number), box=None) if number < 3 else crop(number))
    crops = crops_as_images(tiny_images)
    assert (len(crops.categories), class_sizes(crops)) == (13, (2,) * 13)
    assert (crops.label(0), crops.categories[0], crops.source_name(0)) == (0, "dog (noise-1)", "noise-1#1")


def test_a_head_can_be_trained_on_crops(tiny_images, tiny_bundle):
    crops = crops_as_images(tiny_images)
    report = dw.train_softmax_head(tiny_bundle, crops, images_per_class=1, folds=1, store="memory", device="cpu", progress=False)
    assert len(report.sources) == 14


def test_the_default_photographs(photos):
    crops = dw.open_images("photo-crops")
    assert crops.name == "photo crops, from which photograph?"
    assert class_sizes(crops) == (8,) * 28
    assert class_notes(crops) == ()
    assert crops.categories[1] == "folding chair (imagenet_01_559)"
