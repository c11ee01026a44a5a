"""Prepared images that all checkpoints of a training share: they have one transform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deconvwidgets.errors import PictureError
from deconvwidgets.service.prepared_images import InputAndImage, PreparedImageCache
from deconvwidgets.service.snapshot import Snapshot


class SharedInputs(PreparedImageCache):
    """A cache of prepared crops, whichever checkpoint they are prepared for."""

    def each(self, snapshot: Snapshot, crops: Sequence[int]) -> list[InputAndImage | PictureError]:
        """Return the input and the image of each crop, or why its file can no longer be read."""
        return super().each(replace(snapshot, layers_version=0), crops)
