"""Names are found among those of a model's classes, or the closest ones are."""

import pytest

from deconvwidgets.compute.class_names import ClassNames
from deconvwidgets.models.architectures import imagenet_categories
from deconvwidgets.models.imagenet_synsets import imagenet_synsets, is_imagenet

CLASSES = ("tabby, tabby cat", "Egyptian cat", "sea horse", "baby's crib", "Cardigan", "cardigan", "ox")


@pytest.fixture(scope="module")
def imagenet():
    return ClassNames(imagenet_categories())


@pytest.mark.parametrize(
    ("name", "classes", "how"),
    [
        ("tabby, tabby cat", (0,), "exact"),
        ("tabby", (0,), "exact"),
        ("Tabby_Cats", (0,), "case"),
        ("egyptian-cat", (1,), "case"),
        ("seahorses", (2,), "case"),
        ("babys crib", (3,), "case"),
        ("cardigan", (5,), "exact"),
        ("CARDIGAN", (4, 5), "case"),
        ("oxen", (), "none"),
        ("", (), "none"),
    ],
)
def test_a_name_is_found(name, classes, how):
    assert ClassNames(CLASSES).match(name) == (classes, how)


@pytest.mark.parametrize(
    ("name", "expected", "how"),
    [
        ("n02123045", "tabby", "synset"),
        ("n02085620-Chihuahua", "Chihuahua", "synset"),
        ("crane (n02012849)", "crane bird", "synset"),
        ("crane (n03126707)", "crane", "synset"),
        ("binocular", "binoculars", "case"),
    ],
)
def test_synsets_and_names_of_imagenet(imagenet, name, expected, how):
    classes, found = imagenet.match(name)
    assert ([imagenet.names[number] for number in classes], found) == ([expected], how)


def test_synsets_are_those_of_the_classes():
    synsets = imagenet_synsets()
    assert len(set(synsets)) == 1000
    assert list(synsets) == sorted(synsets), "the classes are numbered in the order of the IDs"
    known = {"n01440764": "tench", "n02119789": "kit fox", "n02979186": "cassette player", "n03028079": "church", "n03888257": "parachute"}
    assert {synset: imagenet_categories()[synsets.index(synset)] for synset in known} == known
    assert not is_imagenet(CLASSES)
    assert ClassNames(CLASSES).match("n02123045") == ((), "none"), "another model's classes are not ImageNet's"
    reordered = imagenet_categories()[1:] + imagenet_categories()[:1]
    assert not is_imagenet(reordered)


def test_the_synonyms_of_timm_are_imagenets_classes():
    pytest.importorskip("deconvwidgets.models.torchvision_import").import_torchvision()
    timm = pytest.importorskip("timm")
    assert is_imagenet(timm.data.ImageNetInfo("imagenet-1k").label_descriptions())


def test_the_closest_names_are_whole_words_first(imagenet):
    close = [imagenet.names[number] for number in imagenet.close_to("Siamese")]
    assert close[0] == "Siamese cat"
    assert {imagenet.names[number] for number in imagenet.close_to("camera", 2)} == {"reflex camera", "Polaroid camera"}
