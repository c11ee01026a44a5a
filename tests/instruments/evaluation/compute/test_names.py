"""Classes of image sets are matched with those of models, or refused with the closest names."""

import pytest

from deconvwidgets.compute.class_names import ClassNames
from deconvwidgets.errors import EvaluationError
from deconvwidgets.instruments.evaluation.compute.names import ambiguity_error, match_classes

CLASSES = ("tabby, tabby cat", "Egyptian cat", "sea horse", "baby's crib", "Cardigan", "cardigan", "ox")


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
