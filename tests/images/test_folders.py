"""Folders of photographs, and Caltech-101 and Caltech-256 on small trees in their layouts."""

import os

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.images.open import open_images
from deconvwidgets.models.torchvision_import import import_torchvision


def save(path, value=100, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


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


# --- Caltech-101 and Caltech-256


LAYOUTS = {
    "caltech101": ("101_ObjectCategories", "BACKGROUND_Google", ("Faces", "ant", "yin_yang")),
    "caltech256": ("256_ObjectCategories", "257.clutter", ("001.ak47", "002.american-flag", "003.head.phones", "004.toad")),
}
SHOWN = {"caltech101": ("Faces", "ant", "yin_yang"), "caltech256": ("ak47", "american-flag", "head.phones", "toad")}


@pytest.fixture(params=LAYOUTS)
def tree(request, tmp_path, monkeypatch):
    """(name, root, folder): two pictures a class, of one grey each."""
    monkeypatch.delenv("DECONVWIDGETS_DATA", raising=False)
    inner, background, classes = LAYOUTS[request.param]
    folder = tmp_path / request.param / inner
    for number, name in enumerate((*classes, background)):
        (folder / name).mkdir(parents=True)
        for picture in (1, 2):
            # Caltech-256 numbers its pictures by class and picture, Caltech-101 by picture
            file = f"{number + 1:03}_{picture:04}.jpg" if request.param == "caltech256" else f"image_{picture:04}.jpg"
            Image.new("RGB", (12, 10), (20 * number + picture,) * 3).save(folder / name / file, quality=100)
    return request.param, tmp_path, folder


def greys(images):
    """(class, grey) of each photograph, in order."""
    shades = [int(np.asarray(images.open_source(source)).mean().round()) for source in range(len(images))]
    return [(images.label(source), shade) for source, shade in enumerate(shades)]


def test_classes_and_labels(tree):
    name, root, _ = tree
    images = open_images(name, root=root)
    count = len(SHOWN[name])
    assert images.name == {"caltech101": "Caltech-101", "caltech256": "Caltech-256"}[name]
    assert images.categories == SHOWN[name]
    assert sorted(greys(images)) == [(number, 20 * number + picture) for number in range(count) for picture in (1, 2)]


def test_the_background_is_the_last_class(tree):
    name, root, _ = tree
    images, plain = open_images(name, root=root, include_background=True), open_images(name, root=root)
    shown = {"caltech101": "BACKGROUND_Google", "caltech256": "clutter"}[name]
    assert images.categories == (*SHOWN[name], shown)
    assert greys(images)[: len(plain)] == greys(plain)
    assert [label for label, _ in greys(images)[-2:]] == [len(plain.categories)] * 2
    assert images.digest != plain.digest


def test_torchvision_agrees(tree):
    name, root, _ = tree
    if name == "caltech101":  # its reader wants the annotations too, and leaves the background out
        for outline in ("Faces_2", *SHOWN[name][1:]):
            (root / name / "Annotations" / outline).mkdir(parents=True)
    dataset = getattr(import_torchvision().datasets, name.title())(root)
    images = open_images(name, root=root, include_background=name == "caltech256")
    theirs = [(label, int(np.asarray(picture).mean().round())) for picture, label in dataset]
    assert sorted(greys(images)) == sorted(theirs)


def test_strays_are_no_pictures_of_a_class(tree):
    name, root, folder = tree
    before = open_images(name, root=root)
    first = next(path for path in sorted(folder.iterdir()) if path.is_dir() and path.name != LAYOUTS[name][1])
    (first / "deeper").mkdir()
    for place in (folder, first / "deeper"):
        Image.new("RGB", (9, 9)).save(place / "stray.jpg")
    (first / "RENAME2").write_text("no picture")
    after = open_images(name, root=root)
    assert (after.digest, after.categories) == (before.digest, before.categories)


def test_a_class_whose_pictures_are_gone_keeps_its_number(tree):
    name, root, folder = tree
    for picture in (folder / LAYOUTS[name][2][1]).iterdir():
        picture.unlink()
    images = open_images(name, root=root)
    assert images.categories == SHOWN[name]
    assert 1 not in {images.label(source) for source in range(len(images))}


def test_where_it_is_looked_for(tree, monkeypatch):
    name, root, folder = tree
    with pytest.raises(PictureError, match=r"DECONVWIDGETS_DATA.*download=True"):
        open_images(name)
    with pytest.raises(PictureError, match=f"no {name}.*{name.title()}"):
        open_images(name, root=folder / LAYOUTS[name][2][0])
    monkeypatch.setenv("DECONVWIDGETS_DATA", str(root))
    assert len({open_images(name, root=place).digest for place in (None, root, folder.parent, folder)}) == 1


def test_only_caltech_has_a_background(tree):
    with pytest.raises(PictureError, match=r"caltech101 and caltech256: .* has no background"):
        open_images(tree[2], include_background=True)


@pytest.mark.skipif("DECONVWIDGETS_DATA" not in os.environ, reason="DECONVWIDGETS_DATA names no folder with Caltech-101")
def test_the_real_one():
    images = open_images("caltech101")
    assert (len(images), len(images.categories), images.skipped) == (8677, 101, ())
    assert images.categories[images.label(0)] == images.source_name(0).split("/")[0]
    assert open_images("caltech101", limit=40).open_crop(39).mode == "RGB"
    assert len(open_images("caltech101", include_background=True)) == 9144
