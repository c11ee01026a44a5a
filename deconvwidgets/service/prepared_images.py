"""Views of the image set as model inputs and as pictures, kept while they are in use: decoding costs milliseconds each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.stream import PreparedView, prepared_views
from deconvwidgets.errors import PictureError
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.snapshot import Snapshot

Held = tuple[Tensor, NDArray[np.uint8]]


class ViewStore:
    """Thread-safe, bounded by bytes, keyed by the version of the snapshot's layers."""

    def __init__(self, limit: int = 192 << 20) -> None:
        self._cache: ByteCache[Held] = ByteCache(limit, lambda held: held[0].nbytes + held[1].nbytes)

    def get(self, state: Snapshot, views: Sequence[int]) -> list[Held]:
        """Input (C, H, W) float32 and picture (H, W, 3) uint8 of each view. Raises PictureError where a file has gone bad since."""
        found = {view: held for view in views if (held := self._cache.get((state.layers_version, view))) is not None}
        missing = [view for view in dict.fromkeys(views) if view not in found]
        for item in prepared_views(state.bundle, state.images, missing) if missing else ():
            found[item.view] = self._keep(state, item)
        return [found[view] for view in views]

    def warm(self, state: Snapshot, views: Sequence[int], cancelled: Callable[[], bool]) -> None:
        """Prepare `views` beforehand, so that a first click need not decode; nothing where they do not all fit."""
        channels, height, width = state.bundle.input_size
        if len(views) * height * width * (4 * channels + 3) > self._cache.limit:
            return
        for item in prepared_views(state.bundle, state.images, views, threads=1, ahead=1):
            if cancelled():
                return
            self._keep(state, item)

    def _keep(self, state: Snapshot, item: PreparedView) -> Held:
        if item.pixels is None:
            reason = item.skipped.reason if item.skipped is not None else ""
            raise PictureError(f"A photograph of the nine can no longer be read: {reason} Build the index again")
        held = (item.pixels, state.bundle.to_picture(item.pixels))
        self._cache.put((state.layers_version, item.view), held)
        return held

    def keep_only(self, layers_version: int) -> None:
        """Forget what belongs to other layers."""
        self._cache.keep_only(lambda key: key[0] == layers_version)
