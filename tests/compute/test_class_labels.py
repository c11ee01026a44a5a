from types import SimpleNamespace

import pytest

from deconvwidgets.compute.class_labels import class_of_label, classes_of_labels
from deconvwidgets.models.architectures import imagenet_categories
from deconvwidgets.models.imagenet_synsets import imagenet_synsets


@pytest.mark.parametrize(
    ("label", "expected"),
    [("cougar_face", 1), ("Cougar Face", 1), ("lion", None), (None, None), ("sea-lion", None), ("tabby", 4), ("", None)],
)
def test_a_label_names_a_class(label, expected):
    bundle = SimpleNamespace(categories=["beaver", "cougar_face", "sea lion", "Sea Lion", "tabby, tabby cat"])
    assert class_of_label(bundle, label) == expected


def test_without_classes_a_label_names_none():
    assert class_of_label(SimpleNamespace(categories=None), "beaver") is None


def test_a_synset_names_a_class_of_imagenet():
    assert class_of_label(SimpleNamespace(categories=imagenet_categories()), imagenet_synsets()[281]) == 281


def test_the_classes_of_a_set_are_those_of_its_labels(tiny_bundle, tiny_images):
    classes = classes_of_labels(tiny_bundle, tiny_images)
    labels = [tiny_images.label(source) for source in range(tiny_images.source_count)]
    names = [None if label is None else tiny_images.categories[label] for label in labels]
    assert classes.tolist() == [-1 if (found := class_of_label(tiny_bundle, name)) is None else found for name in names]
