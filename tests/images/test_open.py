"""Arguments of `open_images`."""

import pytest

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
