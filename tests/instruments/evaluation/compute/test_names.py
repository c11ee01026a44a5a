"""Class names of image sets and models are matched, or refused with the closest names."""

import pytest

from deconvwidgets.errors import EvaluationError
from deconvwidgets.instruments.evaluation.compute.names import ClassNames, ambiguity_error, match_classes
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


def test_a_table_comes_first_and_an_empty_list_leaves_a_class_out():
    table = {"sea horse": ["ox", 1], "ox": [], "kitten": "tabby"}
    found = match_classes(["sea horse", "ox", "kitten", "yak"], [1, 2, 3, 4], ClassNames(CLASSES), table)
    assert [(match.classes, match.how, match.photographs) for match in found] == [
        ((1, 6), "table", 1), ((), "table", 2), ((0,), "table", 3), ((), "none", 4)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"kitty": "tabby"}, "'kitty', which is no class of the image set. It has 'kitten'"),
        ({"kitten": "taby"}, "'taby', which the model does not have. Did you mean 'tabby, tabby cat'"),
        ({"kitten": "CARDIGAN"}, r"may be 'Cardigan' \(4\), 'cardigan' \(5\): give the number"),
        ({"kitten": 7}, "0 to 6"),
        ({"kitten": 1.5}, "not 1.5"),
        ("kitten", "mapping must be a table"),
    ],
)
def test_a_wrong_table_is_refused(table, message):
    with pytest.raises(EvaluationError, match=message):
        match_classes(["kitten"], [1], ClassNames(CLASSES), table)


def test_an_ambiguous_class_has_no_match_and_names_both():
    (found,) = match_classes(["CARDIGAN"], [3], ClassNames(CLASSES), None)
    assert (found.classes, found.how, found.candidates) == ((), "none", (4, 5))
    assert "mapping={'CARDIGAN': [4, 5]}" in str(ambiguity_error([found]))
    (empty,) = match_classes(["CARDIGAN"], [0], ClassNames(CLASSES), None)
    assert ambiguity_error([empty]) is None, "a class without photographs is no reason to refuse"


def test_the_closest_names_are_whole_words_first(imagenet):
    close = [imagenet.names[number] for number in imagenet.close_to("Siamese")]
    assert close[0] == "Siamese cat"
    assert {imagenet.names[number] for number in imagenet.close_to("camera", 2)} == {"reflex camera", "Polaroid camera"}
