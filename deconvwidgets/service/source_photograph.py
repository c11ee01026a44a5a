"""Whole photographs of an image set, for another widget."""

from __future__ import annotations

import numpy as np

from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.records.images import SourcePhotograph
from deconvwidgets.service.encoding import encode_image


def source_photograph(images: ImageSet, source: int, label: str | None) -> SourcePhotograph:
    """Return a photograph without loss, so that a model predicts the same for it. Raises PictureError if its file cannot be read.

    Parameters
    ----------
    images : ImageSet
    source : int
        The number of a photograph of the image set.
    label : str or None
        Its true class, by the name of the model's class.
    """
    pixels = np.asarray(images.open_source(source).convert("RGB"))
    return SourcePhotograph(encode_image(pixels, "png"), images.source_name(source), label)
