"""The picture of a widget: in the notebook, as a PIL image, and as a small JPEG that is saved with the state of the widget."""

from __future__ import annotations

import base64
import io
import logging
import os
from collections.abc import Callable
from typing import Any, cast

from PIL import Image

from deconvwidgets.errors import DeconvWidgetsError, ServiceError
from deconvwidgets.service.protocol import WidgetService
from deconvwidgets.widgets.static_mode import is_static

_log = logging.getLogger(__name__)

_MARIMO_EXPORTS = "MARIMO_NO_JS"  # marimo sets this variable while it exports a notebook as ipynb
MAX_WIDTH = 1200  # pixels
MAX_BYTES = 250_000
_QUALITIES = (80, 65, 50, 35)


def open_picture(png: bytes) -> Image.Image:
    """Return the picture of a PNG file, in RGB."""
    with Image.open(io.BytesIO(png)) as image:
        return image.convert("RGB")


def small_jpeg(png: bytes) -> bytes:
    """Return a picture as a JPEG of at most `MAX_WIDTH` pixels and about `MAX_BYTES`."""
    image = open_picture(png)
    if image.width > MAX_WIDTH:
        image = image.resize((MAX_WIDTH, max(1, round(image.height * MAX_WIDTH / image.width))), Image.Resampling.LANCZOS)
    for quality in _QUALITIES:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        if file.tell() <= MAX_BYTES:
            break
    return file.getvalue()


class Pictured:
    """A widget that has a picture. A subclass overrides `_static_image`, and `_wait_for_image` if the index is not all it waits for."""

    _service: WidgetService
    _drawn: tuple[object, bytes] | None = None  # the last static image, with its key

    def picture(self) -> Image.Image:
        """Return a picture of what is shown. Waits for it: for the index, the maps, or the results of a run.

        Returns
        -------
        PIL.Image.Image
            The picture, in RGB.

        Raises
        ------
        DeconvWidgetsError
            If there is nothing to show.
        """
        return open_picture(self._complete_image())

    def _display_(self) -> object:
        """Return what marimo displays, by its protocol: the live widget, or the picture in static mode and in exports of notebooks."""
        import marimo

        if is_static() or os.environ.get(_MARIMO_EXPORTS) == "true":
            return self.picture()
        return marimo.ui.anywidget(cast(Any, self))  # a subclass is an anywidget

    def _static_bundle(self) -> dict[str, str]:
        """Return the picture, or the reason why there is none."""
        try:
            image = self._complete_image()
        except DeconvWidgetsError as error:
            return {"text/plain": f"{self!r}: {error}"}
        return {"text/plain": repr(self), "image/png": base64.b64encode(image).decode("ascii")}

    def _complete_image(self) -> bytes:
        """Return a PNG of what is shown, complete. Raises a DeconvWidgetsError if there is nothing to show."""
        self._wait_for_image()
        image = self._static_image()
        if image is None:
            raise ServiceError(f"{self!r} has nothing to show yet.")
        return image

    def _wait_for_image(self) -> None:
        """Wait for what the static image shows. Raises a DeconvWidgetsError, with a way on, if there is nothing to wait for."""
        self._service.wait()

    def _static_image(self) -> bytes | None:
        """Return a PNG of what is shown, complete or not; None if there is nothing to show yet. Raises what drawing raises."""
        return None

    def _logged_image(self) -> bytes | None:
        """Return the static image; None if drawing fails: IPython would show a traceback in place of the live view, which shows why."""
        try:
            return self._static_image()
        except Exception:  # noqa: BLE001 - the failure is logged
            _log.exception("The static image of %s could not be drawn", type(self).__name__)
            return None

    def _saved_picture(self, png: bytes) -> bytes:
        """Return the picture to save with the state; empty if it cannot be encoded, which must not keep the live view from the page."""
        try:
            return small_jpeg(png)
        except Exception:  # noqa: BLE001 - the failure is logged
            _log.exception("The picture of %s could not be encoded", type(self).__name__)
            return b""

    def _cached_image(self, key: object, draw: Callable[[], bytes]) -> bytes:
        """Return the image that `draw` returns, cached until `key` changes."""
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = (key, draw())
        return self._drawn[1]
