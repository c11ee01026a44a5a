"""A source photograph with what the unit saw of it."""

from __future__ import annotations

import numpy as np

from deconvwidgets import display
from deconvwidgets.records.layers import Activation, Box, Geometry, SourcePicture
from deconvwidgets.service.encoding import encode_picture
from deconvwidgets.service.prepared_images import ViewStore
from deconvwidgets.service.snapshot import Snapshot

Shares = tuple[float, float, float, float]


def source_picture(state: Snapshot, store: ViewStore, one: Activation, caption: str, size: int) -> SourcePicture:
    """The whole photograph, or for an opaque transform the model's input, `size` pixels on the longer side.

    The box and the view (what the model was shown) are shares of the picture; parts beyond its border are below 0 or above 1.
    """
    view = state.images.view(one.image)
    photograph = state.images.open_source(view.source)
    shown = photograph.size if view.box is None else (view.box[2] - view.box[0], view.box[3] - view.box[1])
    geometry = state.bundle.geometry(shown)
    _, height, width = state.bundle.input_size
    if geometry is None:
        whole = store.get(state, [one.image])[0][1]
        picture = encode_picture(display.resize_picture(whole, size))
        box = None if one.box is None else _shares(one.box, (width, height))
        return SourcePicture(picture, box, None, f"{caption} (as the model is shown it)")
    to_input = geometry.after(view.geometry)
    picture = encode_picture(display.resize_picture(np.asarray(photograph), size))
    return SourcePicture(
        picture=picture,
        box=None if one.box is None else _placed(to_input, one.box, photograph.size),
        view=_placed(to_input, (0, 0, width, height), photograph.size),
        caption=caption,
    )


def _placed(to_input: Geometry, box: Box, size: tuple[int, int]) -> Shares:
    return _shares(to_input.to_source(box), size)


def _shares(box: tuple[float, float, float, float], size: tuple[int, int]) -> Shares:
    left, top, right, bottom = box
    return (left / size[0], top / size[1], right / size[0], bottom / size[1])
