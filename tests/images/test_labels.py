"""Labels are checked before training; errors name the classes and the next step."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from deconvwidgets.errors import HeadError
from deconvwidgets.images.empty_classes import left_out_note, without_empty_classes
from deconvwidgets.images.labels import class_names, class_notes, class_sizes, labels_of, require_classes
from deconvwidgets.images.open import open_images


@pytest.fixture
def folder(tmp_path):
    """Return a function that creates a folder with classes of these sizes and opens it."""

    def make(**sizes):
        for name, size in sizes.items():
            add(tmp_path / name, size)
        return open_images(tmp_path)

    return make


def add(folder, count, first=0):
    folder.mkdir(exist_ok=True)
    for number in range(first, first + count):
        Image.new("RGB", (4, 4)).save(folder / f"{number}.png")


def dataset(labels, classes=None):
    pairs = TensorDataset(torch.zeros(len(labels), 3, 4, 4), torch.tensor(labels))
    pairs.targets = labels
    if classes is not None:
        pairs.classes = classes
    return open_images(pairs)


def test_sizes_and_labels(folder):
    images = folder(ant=3, bee=1, cow=2)
    assert class_sizes(images) == (3, 1, 2)
    assert labels_of(images).tolist() == [0, 0, 0, 1, 2, 2]
    assert labels_of(images).dtype == np.int64
    assert class_names(images) == ("ant", "bee", "cow")
    assert class_notes(images) == ()


def test_a_class_needs_one_image_more_than_the_training_images(folder):
    images = folder(ant=4, bee=3)
    assert require_classes(images, 2) == (4, 3)
    with pytest.raises(
        HeadError, match=r"^1 class of 2 with fewer than 4 images \(3 to train, 1 or more to test\): 'bee' \(3\)\. Use at most 2 per class"
    ):
        require_classes(images, 3)
    with pytest.raises(
        HeadError, match=r"2 classes of 2 .* 'bee' \(3\), 'ant' \(4\)\. Use at most 2 per class, or remove these classes\.$"
    ):
        require_classes(images, 4)
    with pytest.raises(HeadError, match="1 or more images per class, not 0"):
        require_classes(images, 0)


def test_a_class_of_one_image_cannot_be_tested(folder):
    with pytest.raises(HeadError, match=r"'bee' \(1\)\. A class of one image cannot be trained and tested"):
        require_classes(folder(ant=4, bee=1), 1)


def test_many_small_classes_are_counted_and_the_first_are_named(folder):
    images = folder(**{f"c{number}": 2 for number in range(8)}, big=9)
    with pytest.raises(HeadError, match=r"8 classes of 9 .* 'c4' \(2\) and 3 more\."):
        require_classes(images, 2)


def test_an_empty_class_is_left_out_with_a_note(folder, tmp_path):
    (tmp_path / "bare").mkdir()
    images = folder(ant=3, cat=2)
    kept = without_empty_classes(images)
    assert (class_sizes(images), class_sizes(kept), kept.categories) == ((3, 0, 2), (3, 2), ("ant", "cat"))
    assert [kept.categories[kept.label(source)] for source in range(5)] == ["ant"] * 3 + ["cat"] * 2
    assert [kept.source_name(source) for source in range(5)] == [images.source_name(source) for source in range(5)]
    assert (kept.digest, len(kept), kept.open_crop(4).tobytes()) == (images.digest, 5, images.open_crop(4).tobytes())
    assert left_out_note(kept) == "1 class of 3 has no readable image and is left out: 'bare'."
    assert require_classes(kept, 1) == (3, 2)
    assert without_empty_classes(kept) is kept
    assert left_out_note(images) is None


def test_a_class_of_unreadable_files_is_empty_and_the_files_are_listed(folder, tmp_path):
    (tmp_path / "bad").mkdir()
    for number in range(7):
        (tmp_path / "bad" / f"{number}.jpg").write_bytes(b"not an image")
    images = without_empty_classes(folder(ant=3, bee=3))
    assert left_out_note(images) == "1 class of 3 has no readable image and is left out: 'bad'."
    (note,) = class_notes(images)
    assert note.startswith("7 files could not be read and will not be used: bad/0.jpg cannot be opened")
    assert note.count("bad/0.jpg") == 1
    assert note.endswith("and 2 more")


def test_images_without_labels_are_refused(folder, tmp_path):
    add(tmp_path / "only", 3)
    for images in (open_images(tmp_path), open_images(tmp_path / "only"), open_images([Image.new("RGB", (4, 4))])):
        for check in (class_sizes, class_names, lambda images: require_classes(images, 1)):
            with pytest.raises(HeadError, match=r"has no labels.*folder of its own"):
                check(images)


def test_a_single_class_is_refused(tmp_path):
    with pytest.raises(HeadError, match="only one class, 'class 1'"):
        require_classes(dataset([0, 0, 0]), 1)


def test_images_outside_class_folders_are_not_used(folder, tmp_path):
    images = folder(ant=2, bee=2)
    add(tmp_path, 1)
    images = open_images(tmp_path)
    assert class_sizes(images) == (2, 2)
    assert class_notes(images) == ("1 photograph without a label will not be used.",)


def test_names_are_made_printable_and_unique(tmp_path):
    long = "x" * 200
    for name in ("   ", "a\nb\tc", long, long + "y", "Dog", "dog", "\udcff bytes", "größe", "نیم‌فاصله"):
        add(tmp_path / name, 2)
    images = open_images(tmp_path)
    names = class_names(images)
    own = dict(zip(images.categories, names, strict=True))
    assert own["   "] == "class 1"
    assert own["a\nb\tc"] == "a b c"
    assert [own["Dog"], own["dog"]] == ["Dog (class 2)", "dog (class 4)"]
    assert (own["größe"], own["نیم‌فاصله"]) == ("größe", "نیم‌فاصله")
    assert own["\udcff bytes"] == "? bytes"
    assert own[long].startswith("x" * 47 + "… (class ")
    assert own[long + "y"] != own[long]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(name.isprintable() or "‌" in name for name in names)
    assert require_classes(images, 1) == (2,) * 9
    (note,) = class_notes(images)
    assert note.startswith("7 classes were renamed: '   ' is shown as 'class 1', ")
    "".join([*names, note]).encode()  # everything can be written to a file


def test_a_name_that_is_only_cut_is_not_reported_as_renamed(tmp_path):
    for name in ("x" * 120, "ant"):
        add(tmp_path / name, 2)
    images = open_images(tmp_path)
    assert class_names(images)[1] == "x" * 47 + "…"
    assert class_notes(images) == ()


def test_missing_and_equal_class_names_are_completed(tmp_path):
    assert class_names(dataset([0, 2, 2])) == ("class 1", "class 2", "class 3")
    assert class_sizes(dataset([0, 2, 2])) == (1, 0, 2)
    assert class_names(dataset([0, 1, 2], ["ant", "bee"])) == ("ant", "bee", "class 3")
    assert class_names(dataset([0, 1], ["crane", "crane"])) == ("crane (class 1)", "crane (class 2)")
