"""Caltech-101 and Caltech-256 on small made trees of their layouts, numbered as torchvision numbers them."""

import os

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.images.open import open_images
from deconvwidgets.models.torchvision_import import import_torchvision

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
