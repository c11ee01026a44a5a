"""Arguments of `open_images`."""

import warnings

import pytest
from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.images.open import ImageSet, open_images


@pytest.mark.parametrize("what", [3, None, [], {1: 2}.keys()])
def test_other_objects_are_refused(what):
    with pytest.raises(PictureError):
        open_images(what)


def test_limit_chooses_evenly_spaced_photographs(photos):
    assert isinstance(open_images(photos, limit=7), ImageSet)
    names = [open_images(photos, limit=7).source_name(source) for source in range(7)]
    assert names == [photos.source_name(source) for source in range(0, 28, 4)]
    assert open_images(photos, limit=99) is photos
    with pytest.raises(PictureError):
        open_images(photos, limit=0)


def test_a_folder_named_as_an_image_set_is_warned_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "mine.png")
    with pytest.warns(UserWarning, match=r"'photos' is the name of an image set.*pass './photos'"):
        assert open_images("photos").source_count == 28
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_images("./photos").source_count == 1
        (tmp_path / "caltech101" / "101_ObjectCategories" / "ant").mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "caltech101" / "101_ObjectCategories" / "ant" / "a.jpg")
        assert open_images("caltech101", root=tmp_path).source_count == 1  # the folder is the set
