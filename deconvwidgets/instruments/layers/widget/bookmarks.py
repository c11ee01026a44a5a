"""Bookmarks: units to come back to, in the state of a LayerExplorer."""

from __future__ import annotations

import reprlib

from deconvwidgets.arguments import integer
from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.records.find_layer import find_layer
from deconvwidgets.records.overview import Overview

MAX_BOOKMARKS = 100


def bookmarked_layers(bookmarks: object) -> list[object]:
    """Return the layers of bookmarks, before their check."""
    if not isinstance(bookmarks, list | tuple) or len(bookmarks) > MAX_BOOKMARKS:
        return []
    return [bookmark[0] for bookmark in bookmarks if isinstance(bookmark, list | tuple) and bookmark]


def checked_bookmarks(overview: Overview, bookmarks: object) -> list[list[str | int]]:
    """Return bookmarks as [layer, unit], with the layers' short names, each once.

    Raises
    ------
    ServiceError
        For anything but a list of at most 100 pairs.
    LayerError
        For an unknown layer or unit.
    """
    if not isinstance(bookmarks, list | tuple):
        raise ServiceError(f"Bookmarks are a list such as [['conv5', 59]], not {reprlib.repr(bookmarks)}.")
    if len(bookmarks) > MAX_BOOKMARKS:
        raise ServiceError(f"{len(bookmarks)} bookmarks are too many: keep {MAX_BOOKMARKS} at most.")
    checked: list[list[str | int]] = []
    for bookmark in bookmarks:
        if not isinstance(bookmark, list | tuple) or len(bookmark) != 2:
            raise ServiceError(f"A bookmark is written ['conv5', 59], not {reprlib.repr(bookmark)}.")
        info, unit = find_layer(overview, bookmark[0]), integer(bookmark[1], "the unit of a bookmark", error=LayerError)
        if not 0 <= unit < info.channels:
            raise LayerError(f"{info.short_name} has {info.channels} units, 0 to {info.channels - 1}: there is no unit {unit} to bookmark.")
        if [info.short_name, unit] not in checked:
            checked.append([info.short_name, unit])
    return checked
