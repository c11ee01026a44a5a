"""Requests for labelled photographs, which every widget with the results of a classifier has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from deconvwidgets.arguments import is_integer
from deconvwidgets.errors import ServiceError
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.widgets.messages import Reply, Request, image_content

_MAX_THUMBNAILS = 24  # in one request: photographs have to be decoded


def photograph_filter(request: Request) -> dict[str, Any]:
    """Return the "truth", "prediction", "right" and "limit" of a request, without those that are missing.

    Raises
    ------
    ServiceError
        If one has the wrong type.
    """
    numbers = {key: request.integer(key) for key in ("truth", "prediction", "limit") if request.get(key) is not None}
    right = request.get("right")
    if right is None:
        return numbers
    if not isinstance(right, bool):
        raise request.invalid("right", "true or false")
    return {**numbers, "right": right}


def thumbnails_reply(get: Callable[[int, Sequence[int], int], Sequence[EncodedImage]], request: Request) -> Reply:
    """Return photographs of a run as small squares. Buffers: the images, in the order of the sources.

    Parameters
    ----------
    get : callable
        Takes the number of the run, the numbers of the photographs, and the size in pixels.

    Raises
    ------
    ServiceError
        For an invalid request.
    """
    sources = request.sequence("sources")
    if not all(is_integer(source) for source in sources):
        raise request.invalid("sources", "a list of integers")
    if len(sources) > _MAX_THUMBNAILS:
        raise ServiceError(f"At most {_MAX_THUMBNAILS} thumbnails can be requested at once; request the others afterwards.")
    images = get(request.integer("run"), sources, request.integer("size"))
    return {"images": [image_content(image) for image in images]}, [image.data for image in images]
