"""Image sets of some classes of another one."""

import pytest

import deconvwidgets as dw
from deconvwidgets.errors import PictureError
from tests.conftest import NoisePhotographs


def test_the_photographs_of_some_classes_are_labelled_by_them():
    images = NoisePhotographs()  # source 0 has no label; the others are of the class source % 3
    chosen = images.only_classes(["kite", "cat"])
    assert chosen.categories == ("kite", "cat")
    names = [chosen.source_name(source) for source in range(chosen.source_count)]
    assert names == [f"noise-{source}" for source in range(1, 14) if source % 3 != 1]
    labels = [chosen.categories[chosen.label(source)] for source in range(chosen.source_count)]
    assert labels == [("cat", "dog", "kite")[source % 3] for source in range(1, 14) if source % 3 != 1]
    assert [chosen.read_source(source).label for source in range(chosen.source_count)] == [
        chosen.label(s) for s in range(chosen.source_count)
    ]
    assert len(chosen) == 3 * chosen.source_count
    assert chosen.digest != images.only_classes(["cat", "kite"]).digest


@pytest.mark.parametrize(("names", "message"), [(["cow"], "no class 'cow'"), ([], "names"), ([3], "names"), (["cat", "lion"], "'lion'")])
def test_wrong_classes_are_refused(names, message):
    with pytest.raises(PictureError, match=message):
        NoisePhotographs().only_classes(names)


def test_a_set_without_classes_has_none_to_choose(noise_image):
    with pytest.raises(PictureError, match="no class 'cat'"):
        dw.open_images([noise_image()]).only_classes(["cat"])
