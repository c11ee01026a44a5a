"""The boxes of the patches of an explorer's state."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from deconvwidgets.errors import ServiceError
from deconvwidgets.records.geometry import Box


def patch_boxes(state: Mapping[str, Any]) -> tuple[Box, ...]:
    """Return the patches of a state as boxes in input pixels, rounded as in the front end."""
    try:
        rows, columns = (int(side) for side in state.get("window") or (0, 0))
        centers = [(float(row), float(column)) for row, column in state.get("patches") or ()]
        corners = [(ceil(row - rows / 2 - 0.5), ceil(column - columns / 2 - 0.5)) for row, column in centers]
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise ServiceError(f"A figure needs a state such as {{'window': [48, 48], 'patches': [[112, 112]]}}, not {state!r}.") from None
    return tuple((left, top, left + columns, top + rows) for top, left in corners)
