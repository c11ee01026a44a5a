"""Static mode: widgets are pictures, for notebooks that are published."""

from __future__ import annotations

import os
from typing import Self

from deconvwidgets.arguments import flag
from deconvwidgets.errors import ServiceError

VARIABLE = "DECONVWIDGETS_STATIC"
_VALUES = {"1": True, "true": True, "yes": True, "on": True, "": False, "0": False, "false": False, "no": False, "off": False}


def is_static() -> bool:
    """Return whether widgets are shown as pictures. Raises ServiceError if DECONVWIDGETS_STATIC is neither 1 nor 0."""
    value = os.environ.get(VARIABLE, "")
    try:
        return _VALUES[value.strip().lower()]
    except KeyError:
        raise ServiceError(f"{VARIABLE} is {value!r}: set it to 1 for pictures, or to 0 for live widgets.") from None


class static:  # noqa: N801 - it is called like a function
    """Show widgets as pictures instead of live views, in this process.

    A picture needs neither a kernel nor JavaScript, so notebooks that are executed by nbconvert, papermill, MyST-NB or nbsphinx show it on
    every page. A widget that is displayed waits for what it shows: the activation index, the occlusion maps, the results of a run. The
    environment variable DECONVWIDGETS_STATIC=1 does the same for a notebook that is not changed.

    The mode is that of the process. Blocks may be nested; blocks that overlap in several threads set the mode for all of them.

    Parameters
    ----------
    on : bool
        False shows live widgets again.

    Raises
    ------
    ServiceError
        If `on` is no bool.

    Examples
    --------
    For all cells that follow:

    >>> import deconvwidgets as dw
    >>> mode = dw.static()
    >>> mode = dw.static(False)

    or for the widgets that are displayed in a block, in which `display(explorer)` stores its picture:

    >>> with dw.static():
    ...     pass
    """

    def __init__(self, on: bool = True) -> None:
        self._on = flag(on, "on")
        self._before = [os.environ.get(VARIABLE)]  # what the exits restore, the last one first
        self._called = True  # the block that follows began with the call itself
        self._set("1" if self._on else "0")

    def __enter__(self) -> Self:
        if not self._called:
            self._before.append(os.environ.get(VARIABLE))
        self._called = False
        self._set("1" if self._on else "0")
        return self

    def __exit__(self, *_: object) -> None:
        self._set(self._before.pop())

    def _set(self, value: str | None) -> None:
        if value is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = value

    def __repr__(self) -> str:
        return f"deconvwidgets.static({self._on})"
