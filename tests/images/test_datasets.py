"""Data sets and lists of images."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.images.folders import FileImages
from deconvwidgets.images.open import open_images
from deconvwidgets.images.targets import targets_of
from deconvwidgets.models.torchvision_import import import_torchvision


def save(path, value=100, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


def test_an_image_folder_is_read_file_by_file(tmp_path):
    save(tmp_path / "a" / "1.png", 10)
    save(tmp_path / "b" / "1.png", 20)
    (tmp_path / "b" / "2.png").write_bytes(b"broken")
    torchvision = import_torchvision()
    images = open_images(torchvision.datasets.ImageFolder(tmp_path, transform=torchvision.transforms.ToTensor()))
    assert isinstance(images, FileImages)
    assert (len(images), images.categories, images.label(1)) == (2, ("a", "b"), 1)
    assert [skipped.name for skipped in images.skipped] == [os.path.join("b", "2.png")]


def test_the_digest_of_a_data_set_of_files_covers_their_labels(tmp_path):
    class Files(list):
        root, classes = tmp_path, ("no", "yes")
        samples = property(list)

    paths = [str(save(tmp_path / f"{number}.png", number)) for number in range(3)]
    one, same, other = (
        open_images(Files((path, label) for path, label in zip(paths, labels, strict=True))) for labels in ((0, 1, 1), (0, 1, 1), (0, 0, 1))
    )
    assert one.digest == same.digest != other.digest


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


def test_items_that_are_not_images_are_refused():
    with pytest.raises(PictureError, match="Normalize"):
        open_images(Pairs([(torch.randn(3, 5, 5), 0)]))
    with pytest.raises(PictureError, match="shape"):
        open_images(Pairs([(torch.rand(7, 5, 5), 0)]))
    with pytest.raises(PictureError, match="not an image"):
        open_images(Pairs([("text", 0, 3)]))


def test_pairs_of_tensors_and_arrays():
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


def test_a_list_of_images_and_paths(tmp_path, noise_image):
    path = save(tmp_path / "one.png", 42)
    images = open_images([noise_image().convert("RGBA"), path, tmp_path / "gone.png"])
    assert (len(images), images.source_name(1)) == (2, "one.png")
    assert images.open_crop(1).getpixel((0, 0)) == (42, 42, 42)
    assert [skipped.name for skipped in images.skipped] == ["gone.png"]
    assert open_images(path).source_count == open_images(noise_image()).source_count == 1
    assert open_images([noise_image(seed=1)]).digest != open_images([noise_image(seed=2)]).digest


def test_imagenet_classes_of_one_name_are_told_apart_by_their_ids():
    class ImageNet(Pairs):
        classes = (("crane",), ("ox",), ("crane", "Grus"))
        wnids = ("n02012849", "n02403003", "n03126707")

    images = open_images(ImageNet([(torch.rand(3, 5, 6), label) for label in range(3)]))
    assert images.categories == ("crane (n02012849)", "ox", "crane (n03126707)")


def test_targets_that_are_no_classes():
    vectors = [torch.tensor([0, 1]), torch.tensor([1, 1]), torch.tensor([0, 0])]
    images = open_images(Pairs([(torch.rand(3, 5, 6), vector) for vector in vectors]))
    assert [images.label(source) for source in range(3)] == [None] * 3
    assert targets_of(images) == [(0, 1), (1, 1), (0, 0)]
    assert targets_of(images.subset([2, 0])) == [(0, 0), (0, 1)]
