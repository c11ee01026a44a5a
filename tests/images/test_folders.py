"""Folders of images, and Caltech-101 and Caltech-256 on small folders in their layouts."""

import os
import re

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.errors import PictureError
from deconvwidgets.images import files
from deconvwidgets.images.folders import image_paths
from deconvwidgets.images.open import open_images
from deconvwidgets.models.torchvision_import import import_torchvision


def save(path, value=100, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


def test_subfolders_are_classes_in_torchvisions_order(tmp_path):
    for name in ("b/img10.png", "b/img2.png", "Zebra/1.jpg", "a/x/deep.png"):
        save(tmp_path / name)
    (tmp_path / "a" / "notes.txt").write_text("not an image")
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


def test_unreadable_files_are_skipped_with_a_reason(tmp_path, monkeypatch):
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


def test_no_file_of_a_large_set_is_opened(tmp_path, monkeypatch, tiny_bundle):
    monkeypatch.setattr(files, "CHECKED_FILES", 3)
    for number in range(4):
        save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes(b"no image")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    with monkeypatch.context() as patch:
        patch.setattr(files, "check_header", None)
        images = open_images(tmp_path)
    assert (len(images), [skipped.name for skipped in images.skipped]) == (4, ["dangling.png"])
    batch = CropDecoder.of(tiny_bundle, images).decode(range(4))
    assert batch.crops.tolist() == [0, 1, 3]
    assert [(crop, skipped.name) for crop, skipped in batch.skipped] == [(2, "2.png")]
    monkeypatch.setattr(files, "CHECKED_FILES", 5)
    assert [skipped.name for skipped in open_images(tmp_path).skipped] == ["2.png", "dangling.png"]


def test_natural_order(tmp_path):
    ordered = ["9.png", "10.png", "A1/2.png", "a1/10.png", "a2/x.png", "a10/x.png", "b/1/z.png", "b/02.png", "b/3.png"]
    ordered += ["b.png", "B-2.png", "c 7.png", "c7.png", "c/7.png"]
    parts = {path: re.split(r"(\d+)", path.casefold()) for path in ordered}
    ordered.sort(key=lambda path: [(0, int(part)) if part.isdecimal() else (1, part) for part in parts[path]])
    for path in reversed(ordered):
        save(tmp_path / path)
    assert list(image_paths(tmp_path)) == ordered
    images = open_images(tmp_path)
    assert [images.source_name(source) for source in range(len(images))] == ordered


def test_a_file_that_cannot_be_decoded_raises_picture_error(tmp_path, noise_image):
    save(tmp_path / "good.png")
    noise_image(100, 100).save(tmp_path / "late.jpg")
    data = (tmp_path / "late.jpg").read_bytes()
    (tmp_path / "late.jpg").write_bytes(data[: len(data) // 2])
    images = open_images(tmp_path)
    assert len(images) == 2
    with pytest.raises(PictureError, match=r"late\.jpg"):
        images.open_crop(1)


def test_loops_of_links_end(tmp_path):
    save(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
    assert len(open_images(tmp_path)) == 1


def test_the_digest_depends_on_the_files(tmp_path):
    save(tmp_path / "1.png")
    first = open_images(tmp_path).digest
    assert open_images(tmp_path).digest == first
    save(tmp_path / "2.png")
    second = open_images(tmp_path).digest
    os.utime(tmp_path / "1.png", ns=(1, 1))
    assert len({first, second, open_images(tmp_path).digest}) == 3


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: (folder / "x.jpg").write_bytes(b"?")])
def test_a_folder_without_readable_images_is_refused(tmp_path, make):
    make(tmp_path)
    with pytest.raises(PictureError, match="no readable photograph"):
        open_images(tmp_path)


def test_a_class_folder_without_images_is_an_empty_class(tmp_path):
    """torchvision numbers it as well."""
    for name in ("ant/1.png", "cow/1.png", "cow/2.png", ".hidden/1.png", "__MACOSX/ant/1.png"):
        save(tmp_path / name)
    (tmp_path / "bee").mkdir()
    images = open_images(tmp_path)
    assert images.categories == ("ant", "bee", "cow")
    assert [images.label(source) for source in range(3)] == [0, 2, 2]


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(PictureError, match=r"no folder .*photos.*caltech101"):
        open_images(tmp_path / "nowhere")


# --- Caltech-101 and Caltech-256


LAYOUTS = {
    "caltech101": ("101_ObjectCategories", "BACKGROUND_Google", ("Faces", "ant", "yin_yang")),
    "caltech256": ("256_ObjectCategories", "257.clutter", ("001.ak47", "002.american-flag", "003.head.phones", "004.toad")),
}
CLASSES = {"caltech101": ("Faces", "ant", "yin_yang"), "caltech256": ("ak47", "american-flag", "head.phones", "toad")}


@pytest.fixture(params=LAYOUTS)
def tree(request, tmp_path, monkeypatch):
    """(name, root, folder) of a data set with two images per class, each of a single gray level."""
    monkeypatch.delenv("DECONVWIDGETS_DATA", raising=False)
    inner, background, classes = LAYOUTS[request.param]
    folder = tmp_path / request.param / inner
    for number, name in enumerate((*classes, background)):
        (folder / name).mkdir(parents=True)
        for image in (1, 2):
            # Caltech-256 numbers its images by class and image, Caltech-101 by image
            file = f"{number + 1:03}_{image:04}.jpg" if request.param == "caltech256" else f"image_{image:04}.jpg"
            Image.new("RGB", (12, 10), (20 * number + image,) * 3).save(folder / name / file, quality=100)
    return request.param, tmp_path, folder


def greys(images):
    """Return (class, gray level) of each photograph, in order."""
    shades = [int(np.asarray(images.open_source(source)).mean().round()) for source in range(len(images))]
    return [(images.label(source), shade) for source, shade in enumerate(shades)]


def test_classes_and_labels(tree):
    name, root, _ = tree
    images = open_images(name, root=root)
    count = len(CLASSES[name])
    assert images.name == {"caltech101": "Caltech-101", "caltech256": "Caltech-256"}[name]
    assert images.categories == CLASSES[name]
    assert sorted(greys(images)) == [(number, 20 * number + image) for number in range(count) for image in (1, 2)]


def test_the_background_is_the_last_class(tree):
    name, root, _ = tree
    images, plain = open_images(name, root=root, include_background=True), open_images(name, root=root)
    name_of_background = {"caltech101": "BACKGROUND_Google", "caltech256": "clutter"}[name]
    assert images.categories == (*CLASSES[name], name_of_background)
    assert greys(images)[: len(plain)] == greys(plain)
    assert [label for label, _ in greys(images)[-2:]] == [len(plain.categories)] * 2
    assert images.digest != plain.digest


def test_labels_agree_with_torchvision(tree):
    name, root, _ = tree
    if name == "caltech101":  # torchvision also needs the annotations, and excludes the background
        for folder_name in ("Faces_2", *CLASSES[name][1:]):
            (root / name / "Annotations" / folder_name).mkdir(parents=True)
    dataset = getattr(import_torchvision().datasets, name.title())(root)
    images = open_images(name, root=root, include_background=name == "caltech256")
    theirs = [(label, int(np.asarray(image).mean().round())) for image, label in dataset]
    assert sorted(greys(images)) == sorted(theirs)


def test_files_outside_class_folders_are_ignored(tree):
    name, root, folder = tree
    before = open_images(name, root=root)
    first = next(path for path in sorted(folder.iterdir()) if path.is_dir() and path.name != LAYOUTS[name][1])
    (first / "deeper").mkdir()
    for parent in (folder, first / "deeper"):
        Image.new("RGB", (9, 9)).save(parent / "ignored.jpg")
    (first / "RENAME2").write_text("not an image")
    after = open_images(name, root=root)
    assert (after.digest, after.categories) == (before.digest, before.categories)


def test_a_class_without_images_keeps_its_number(tree):
    name, root, folder = tree
    for file in (folder / LAYOUTS[name][2][1]).iterdir():
        file.unlink()
    images = open_images(name, root=root)
    assert images.categories == CLASSES[name]
    assert 1 not in {images.label(source) for source in range(len(images))}


def test_the_data_set_is_found_below_root(tree, monkeypatch):
    name, root, folder = tree
    with pytest.raises(PictureError, match=r"DECONVWIDGETS_DATA.*download=True"):
        open_images(name)
    with pytest.raises(PictureError, match=f'no {name}.*"{name}", download=True'):
        open_images(name, root=folder / LAYOUTS[name][2][0])
    monkeypatch.setenv("DECONVWIDGETS_DATA", str(root))
    assert len({open_images(name, root=parent).digest for parent in (None, root, folder.parent, folder)}) == 1


def test_other_sets_have_no_background(tree):
    with pytest.raises(PictureError, match=r"caltech101 and caltech256: .* has no background"):
        open_images(tree[2], include_background=True)


@pytest.mark.slow
@pytest.mark.skipif("DECONVWIDGETS_DATA" not in os.environ, reason="DECONVWIDGETS_DATA names no folder with Caltech-101")
def test_the_real_caltech101():
    images = open_images("caltech101")
    assert (len(images), len(images.categories), images.skipped) == (8677, 101, ())
    assert images.categories[images.label(0)] == images.source_name(0).split("/")[0]
    assert open_images("caltech101", limit=40).open_crop(39).mode == "RGB"
    assert len(open_images("caltech101", include_background=True)) == 9144
