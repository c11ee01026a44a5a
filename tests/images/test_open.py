"""Image sets: photographs, their crops, their labels, and what was skipped."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from deconvwidgets.errors import AssetError, PictureError
from deconvwidgets.images import photos as photos_module
from deconvwidgets.images.folders import FileImages
from deconvwidgets.images.open import ImageSet, open_images
from deconvwidgets.images.photos import open_photos
from deconvwidgets.models.torchvision_import import import_torchvision


def save(path, value=100, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


# --- the default photographs


def test_photos_are_28_real_ones_in_nine_views_each(photos):
    assert (photos.source_count, len(photos)) == (28, 252)
    assert len({photos.source_name(source) for source in range(28)}) == 28
    assert [photos.label(source) for source in (0, 4, 19)] == [243, 949, 305]
    assert photos.categories[243] == "bull mastiff"
    assert all(photos.label(source) is None for source in range(20, 28))
    assert photos.skipped == ()


def test_views_are_ordered_by_source_and_crop_and_lie_inside(photos):
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


def test_a_view_is_that_part_of_its_source(photos):
    crop = photos.crop(5 * 9 + 4)
    source = np.asarray(photos.open_source(crop.source))
    left, top, right, bottom = crop.box
    np.testing.assert_array_equal(np.asarray(photos.open_crop(5 * 9 + 4)), source[top:bottom, left:right])
    assert crop.geometry.to_source((0, 0, right - left, bottom - top)) == crop.box


def test_the_models_box_is_found_on_the_source(photos, alexnet):
    """The centre of the model's input is the centre of the crop's box, on the source."""
    for index in (9 * 9, 21 * 9, 23 * 9 + 2):
        crop, size = photos.crop(index), photos.open_crop(index).size
        geometry = alexnet.geometry(size).after(crop.geometry)
        left, _, right, _ = geometry.to_source((0, 0, 224, 224))
        box = crop.box or (0, 0, *size)
        assert (left + right) / 2 == pytest.approx((box[0] + box[2]) / 2, abs=2)


@pytest.mark.slow
def test_photos_are_fetched_unpacked_and_mended(own_cache):
    images = open_photos(progress=False)
    files = sorted(path for path in own_cache.rglob("*") if path.is_file())
    assert len(files) == images.source_count == 28
    contents = [path.read_bytes() for path in files]
    files[3].write_bytes(contents[3][:-1])
    files[25].unlink()
    assert open_photos(progress=False).digest == images.digest
    assert [path.read_bytes() for path in sorted(path for path in own_cache.rglob("*") if path.is_file())] == contents


def test_without_an_index_the_reason_is_told(own_cache, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(AssetError, match="pip could not fetch foolbox"):
        open_images("photos", progress=False)


def test_cached_photos_need_no_index(photos, monkeypatch):
    monkeypatch.setattr(photos_module, "fetch_members", None)
    assert open_images("photos").digest == photos.digest


# --- folders


def test_subfolders_are_classes_in_torchvisions_order(tmp_path):
    for name in ("b/img10.png", "b/img2.png", "Zebra/1.jpg", "a/x/deep.png"):
        save(tmp_path / name)
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    (tmp_path / "a" / "._hidden.jpg").write_bytes(b"resource fork")
    images = open_images(tmp_path)
    assert images.categories == ("Zebra", "a", "b")
    named = [(images.source_name(s), images.categories[images.label(s)]) for s in range(len(images))]
    assert named == [("a/x/deep.png", "a"), ("b/img2.png", "b"), ("b/img10.png", "b"), ("Zebra/1.jpg", "Zebra")]
    assert images.categories == tuple(import_torchvision().datasets.ImageFolder(tmp_path).classes)
    assert images.skipped == ()


def test_a_flat_folder_has_no_labels(tmp_path):
    save(tmp_path / "1.png")
    save(tmp_path / "2.png")
    images = open_images(str(tmp_path))
    assert (images.categories, images.label(0), len(images), images.name) == (None, None, 2, tmp_path.name)


def test_unreadable_files_are_skipped_with_their_reason(tmp_path, monkeypatch):
    save(tmp_path / "good.png")
    save(tmp_path / "huge.png", size=(300, 300))
    (tmp_path / "broken.jpg").write_bytes(b"not a jpeg")
    (tmp_path / "empty.png").touch()
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40_000)
    images = open_images(tmp_path)
    assert len(images) == 1
    assert {skipped.name for skipped in images.skipped} == {"broken.jpg", "empty.png", "huge.png", "dangling.png"}
    assert all(skipped.reason for skipped in images.skipped)


def test_a_file_that_fails_later_is_a_picture_error(tmp_path, noise_picture):
    save(tmp_path / "good.png")
    noise_picture(100, 100).save(tmp_path / "late.jpg")
    data = (tmp_path / "late.jpg").read_bytes()
    (tmp_path / "late.jpg").write_bytes(data[: len(data) // 2])
    images = open_images(tmp_path)
    assert len(images) == 2
    with pytest.raises(PictureError, match=r"late\.jpg"):
        images.open_crop(1)


def test_links_that_loop_end(tmp_path):
    save(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
    assert len(open_images(tmp_path)) == 1


def test_the_digest_follows_the_files(tmp_path):
    save(tmp_path / "1.png")
    first = open_images(tmp_path).digest
    assert open_images(tmp_path).digest == first
    save(tmp_path / "2.png")
    second = open_images(tmp_path).digest
    os.utime(tmp_path / "1.png", ns=(1, 1))
    assert len({first, second, open_images(tmp_path).digest}) == 3


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: (folder / "x.jpg").write_bytes(b"?")])
def test_an_empty_folder_says_what_to_bring(tmp_path, make):
    make(tmp_path)
    with pytest.raises(PictureError, match="no readable photograph"):
        open_images(tmp_path)


def test_a_class_folder_without_a_picture_is_an_empty_class(tmp_path):
    """torchvision numbers it too."""
    for name in ("ant/1.png", "cow/1.png", "cow/2.png", ".hidden/1.png", "__MACOSX/ant/1.png"):
        save(tmp_path / name)
    (tmp_path / "bee").mkdir()
    images = open_images(tmp_path)
    assert images.categories == ("ant", "bee", "cow")
    assert [images.label(source) for source in range(3)] == [0, 2, 2]


def test_a_missing_folder(tmp_path):
    with pytest.raises(PictureError, match=r"no folder .*photos.*caltech101"):
        open_images(tmp_path / "nowhere")


# --- data sets and lists


def test_an_image_folder_is_read_file_by_file(tmp_path):
    save(tmp_path / "a" / "1.png", 10)
    save(tmp_path / "b" / "1.png", 20)
    (tmp_path / "b" / "2.png").write_bytes(b"broken")
    torchvision = import_torchvision()
    images = open_images(torchvision.datasets.ImageFolder(tmp_path, transform=torchvision.transforms.ToTensor()))
    assert isinstance(images, FileImages)
    assert (len(images), images.categories, images.label(1)) == (2, ("a", "b"), 1)
    assert [skipped.name for skipped in images.skipped] == [os.path.join("b", "2.png")]


@pytest.mark.parametrize("as_tensor", [False, True])
def test_a_torchvision_data_set(as_tensor):
    torchvision = import_torchvision()
    transform = torchvision.transforms.ToTensor() if as_tensor else None
    dataset = torchvision.datasets.FakeData(6, (3, 20, 30), 4, transform=transform)
    images = open_images(dataset)
    assert len(images) == 6
    assert [images.label(source) for source in range(6)] == [int(dataset[source][1]) for source in range(6)]
    expected = np.asarray(torchvision.datasets.FakeData(6, (3, 20, 30), 4)[2][0])
    np.testing.assert_array_equal(np.asarray(images.open_source(2)), expected)


class Pairs(list):
    classes = ("no", "yes")


def test_tensors_that_are_no_pictures_are_refused():
    with pytest.raises(PictureError, match="Normalize"):
        open_images(Pairs([(torch.randn(3, 5, 5), 0)]))
    with pytest.raises(PictureError, match="shape"):
        open_images(Pairs([(torch.rand(7, 5, 5), 0)]))
    with pytest.raises(PictureError, match="not a picture"):
        open_images(Pairs([("text", 0, 3)]))


def test_pairs_of_your_own():
    images = open_images(Pairs([(torch.rand(1, 5, 6), 1), (np.zeros((5, 6, 3), np.uint8), torch.tensor(0))]))
    assert (images.categories, images.label(0), images.label(1)) == (("no", "yes"), 1, 0)
    assert images.open_source(0).size == (6, 5)


def test_a_subset_of_a_data_set_keeps_its_labels():
    class WithTargets(Pairs):
        targets = (0, 1, 1)

    dataset = WithTargets([(np.full((4, 4, 3), value, np.uint8), target) for value, target in ((1, 0), (2, 1), (3, 1))])
    images = open_images(torch.utils.data.Subset(dataset, [2, 0]))
    assert [images.label(0), images.label(1)] == [1, 0]
    assert images.open_source(0).getpixel((0, 0)) == (3, 3, 3)


def test_a_list_of_pictures_and_paths(tmp_path, noise_picture):
    path = save(tmp_path / "one.png", 42)
    images = open_images([noise_picture().convert("RGBA"), path, tmp_path / "gone.png"])
    assert (len(images), images.source_name(1)) == (2, "one.png")
    assert images.open_crop(1).getpixel((0, 0)) == (42, 42, 42)
    assert [skipped.name for skipped in images.skipped] == ["gone.png"]
    assert open_images(path).source_count == open_images(noise_picture()).source_count == 1
    assert open_images([noise_picture(seed=1)]).digest != open_images([noise_picture(seed=2)]).digest


@pytest.mark.parametrize("what", [3, None, [], {1: 2}.keys()])
def test_what_is_no_set_of_pictures(what):
    with pytest.raises(PictureError):
        open_images(what)


# --- subsets


def test_a_subset_keeps_all_views_of_its_photographs(photos):
    subset = photos.subset([20, 3])
    assert (subset.source_count, len(subset)) == (2, 18)
    assert (subset.source_name(1), subset.label(0), subset.label(1)) == (photos.source_name(3), None, 990)
    assert list(subset.crops_of(1)) == list(range(9, 18))
    crop = subset.crop(10)
    assert (crop.source, crop.number, crop.box) == (1, 1, photos.crop(28).box)
    assert subset.open_crop(10).tobytes() == photos.open_crop(28).tobytes()
    assert subset.digest != photos.subset([3, 20]).digest
    with pytest.raises(IndexError):
        photos.subset([28])
    with pytest.raises(PictureError):
        photos.subset([])


def test_limit_spreads_over_the_set(photos):
    assert isinstance(open_images(photos, limit=7), ImageSet)
    names = [open_images(photos, limit=7).source_name(source) for source in range(7)]
    assert names == [photos.source_name(source) for source in range(0, 28, 4)]
    assert open_images(photos, limit=99) is photos
    with pytest.raises(PictureError):
        open_images(photos, limit=0)
