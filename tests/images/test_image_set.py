"""Subsets of image sets."""

import pytest

from deconvwidgets.errors import PictureError


def test_a_subset_keeps_all_crops_of_its_photographs(photos):
    subset = photos.subset([20, 3])
    assert (subset.source_count, len(subset)) == (2, 18)
    assert (subset.source_name(1), subset.label(0), subset.label(1)) == (photos.source_name(3), None, 990)
    assert list(subset.crops_of(1)) == list(range(9, 18))
    crop = subset.crop(10)
    assert (crop.source, crop.number, crop.box) == (1, 1, photos.crop(28).box)
    assert subset.open_crop(10).tobytes() == photos.open_crop(28).tobytes()
    assert subset.digest != photos.subset([3, 20]).digest
    with pytest.raises(IndexError):
        photos.subset([28])
    with pytest.raises(PictureError):
        photos.subset([])
