"""The default photographs, and their crops as photographs with labels."""

from dataclasses import replace

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.errors import AssetError, PictureError
from deconvwidgets.images import photos as photos_module
from deconvwidgets.images.labels import class_notes, class_sizes
from deconvwidgets.images.open import open_images
from deconvwidgets.images.photos import crops_as_images, open_photos

# --- the photographs


def test_there_are_28_photographs_with_nine_crops_each(photos):
    assert (photos.source_count, len(photos)) == (28, 252)
    assert len({photos.source_name(source) for source in range(28)}) == 28
    assert [photos.label(source) for source in (0, 4, 19)] == [243, 949, 305]
    assert photos.categories[243] == "bull mastiff"
    assert all(photos.label(source) is None for source in range(20, 28))
    assert photos.skipped == ()


def test_crops_are_ordered_by_source_and_inside_of_it(photos):
    for index in range(len(photos)):
        crop = photos.crop(index)
        assert (crop.source, crop.number) == divmod(index, 9)
        assert index in photos.crops_of(crop.source)
        width, height = photos.open_source(crop.source).size if crop.number == 1 else (None, None)
        if width:
            boxes = [photos.crop(inner).box for inner in photos.crops_of(crop.source)]
            assert boxes[0] is None
            assert len(set(boxes)) == 9
            assert all(0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in boxes[1:])
    with pytest.raises(IndexError):
        photos.crop(252)


def test_a_crop_is_a_part_of_its_source(photos):
    crop = photos.crop(5 * 9 + 4)
    source = np.asarray(photos.open_source(crop.source))
    left, top, right, bottom = crop.box
    np.testing.assert_array_equal(np.asarray(photos.open_crop(5 * 9 + 4)), source[top:bottom, left:right])
    assert crop.geometry.to_source((0, 0, right - left, bottom - top)) == crop.box


def test_the_models_input_is_found_on_the_source(photos, alexnet):
    """The centre of the model's input is the centre of the crop's box on the source."""
    for index in (9 * 9, 21 * 9, 23 * 9 + 2):
        crop, size = photos.crop(index), photos.open_crop(index).size
        geometry = alexnet.geometry(size).after(crop.geometry)
        left, _, right, _ = geometry.to_source((0, 0, 224, 224))
        box = crop.box or (0, 0, *size)
        assert (left + right) / 2 == pytest.approx((box[0] + box[2]) / 2, abs=2)


@pytest.mark.slow
def test_missing_and_damaged_photos_are_downloaded_again(own_cache):
    images = open_photos(progress=False)
    files = sorted(path for path in own_cache.rglob("*") if path.is_file())
    assert len(files) == images.source_count == 28
    contents = [path.read_bytes() for path in files]
    files[3].write_bytes(contents[3][:-1])
    files[25].unlink()
    assert open_photos(progress=False).digest == images.digest
    assert [path.read_bytes() for path in sorted(path for path in own_cache.rglob("*") if path.is_file())] == contents


def test_error_without_a_package_index(own_cache, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(AssetError, match="pip could not download foolbox"):
        open_images("photos", progress=False)


def test_cached_photos_need_no_package_index(photos, monkeypatch):
    monkeypatch.setattr(photos_module, "fetch_members", None)
    assert open_images("photos").digest == photos.digest


# --- crops as photographs


def test_the_class_of_a_crop_is_its_photograph(tiny_images):
    crops = crops_as_images(tiny_images)
    assert (crops.source_count, len(crops)) == (28, 28)  # 14 photographs, two crops each; crops of the whole photograph are excluded
    assert crops.name == "crops of noise, labelled by photograph"
    assert class_sizes(crops) == (2,) * 14
    for source in range(28):
        crop = tiny_images.crop(3 * (source // 2) + 1 + source % 2)
        assert crops.label(source) == crop.source
        assert crops.source_name(source) == f"noise-{crop.source}#{crop.number}"
        expected = np.asarray(tiny_images.open_source(crop.source).crop(crop.box))
        np.testing.assert_array_equal(np.asarray(crops.open_source(source)), expected)
    assert crops.categories[0] == "noise-0"  # without a label
    assert crops.categories[1] == "dog (noise-1)"


def test_the_digest_depends_on_the_photographs(noise):
    first, again, other = (crops_as_images(noise(seed=seed)) for seed in (0, 0, 1))
    assert first.digest == again.digest
    assert first.digest != other.digest
    assert first.digest != noise().digest


def test_a_set_without_crops_is_refused(tmp_path, noise_image):
    for number in range(3):
        noise_image(seed=number).save(tmp_path / f"{number}.png")
    with pytest.raises(PictureError, match=r"3 crops of 3 photographs.*photo-crops"):
        crops_as_images(dw.open_images(tmp_path))


def test_classes_are_numbered_among_photographs_with_crops(tiny_images):
    part = tiny_images.subset([5, 2])
    crops = crops_as_images(part)
    assert (crops.source_count, class_sizes(crops)) == (4, (2, 2))
    assert [name.split()[-1] for name in crops.categories] == ["(noise-5)", "(noise-2)"]
    with pytest.raises(PictureError, match="two photographs"):
        crops_as_images(tiny_images.subset([5]))


def test_a_photograph_without_crops_is_not_a_class(tiny_images, monkeypatch):
    crop = tiny_images.crop
    monkeypatch.setattr(tiny_images, "crop", lambda number: replace(crop(number), box=None) if number < 3 else crop(number))
    crops = crops_as_images(tiny_images)
    assert (len(crops.categories), class_sizes(crops)) == (13, (2,) * 13)
    assert (crops.label(0), crops.categories[0], crops.source_name(0)) == (0, "dog (noise-1)", "noise-1#1")


def test_a_head_can_be_trained_on_crops(tiny_images, tiny_bundle):
    crops = crops_as_images(tiny_images)
    report = dw.train_softmax_head(tiny_bundle, crops, images_per_class=1, folds=1, store="memory", device="cpu", progress=False)
    assert len(report.sources) == 14


def test_crops_of_the_default_photographs(photos):
    crops = dw.open_images("photo-crops")
    assert crops.name == "photo crops, labelled by photograph"
    assert class_sizes(crops) == (8,) * 28
    assert class_notes(crops) == ()
    assert crops.categories[1] == "folding chair (imagenet_01_559)"
