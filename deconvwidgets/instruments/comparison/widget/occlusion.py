"""One photograph, two models: predictions and occlusion maps of both, as a widget."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from deconvwidgets.instruments.comparison.pair_records import SIDES
from deconvwidgets.instruments.comparison.service.protocol import SideBySideService
from deconvwidgets.instruments.comparison.widget.occlusion_state import MESSAGES, checked_state
from deconvwidgets.instruments.comparison.widget.sides import SideBySide, by_side
from deconvwidgets.instruments.occlusion.widget.explorer import OcclusionExplorer
from deconvwidgets.instruments.occlusion.widget.messages import HANDLERS as OCCLUSION
from deconvwidgets.widgets.files import mime_type
from deconvwidgets.widgets.messages import Handler, Handlers, Reply, Request
from deconvwidgets.widgets.state import State, StateTrait
from deconvwidgets.widgets.unit_switches import UNIT_HANDLERS


def _hello(service: SideBySideService, request: Request) -> Reply:
    """Return the names of the models."""
    return {"names": list(service.names())}, []


def _figure(service: SideBySideService, request: Request) -> Reply:
    """Buffer: the file."""
    kind = request.text("figure")
    data = service.occlusion_figure(kind, checked_state(request.mapping("state"), {}, service))
    return {"mime": mime_type(kind)}, [data]


OWN: Handlers = {"hello": Handler(_hello), "figure": Handler(_figure, "worker")}


class SideBySideOcclusion(SideBySide):
    """One photograph, two models: predictions of both, and their occlusion maps with the difference. Made by `dw.side_by_side`.

    Parameters
    ----------
    service : LocalSideBySide
        Two model services on the same image set.
    state : mapping, optional
        A state, or a part of one, as `widget.state` returns it.
    height : int
        Height in CSS pixels.

    Attributes
    ----------
    state : dict
        The keys can be set one by one (`widget.state = {"window": 32}`). Lengths are in pixels of A's input; those of B are scaled.

        - image: a crop of the image set, "crop:17".
        - target_a, target_b: the names of classes, or of a regression's outputs. None: for A the most probable class of this image; for B
          the class of the same name as that of A, or else its most probable one.
        - fill, window, patches, stride, border: as in an OcclusionExplorer.
        - tab: "maps" or "images".

    summary : dict
        What both return for the photograph with the patches, and without. Read-only.

    Raises
    ------
    PictureError
        For anything but a crop of the image set.
    OcclusionError, ServiceError
        For any other invalid part of the state.
    TypeError
        For an unknown argument.
    """

    FRONT_END = "comparison_occlusion"
    MESSAGES = MESSAGES
    HANDLERS = by_side(OWN, {**OCCLUSION, **UNIT_HANDLERS})
    EVENTS = OcclusionExplorer.EVENTS
    FILES: ClassVar[Mapping[str, str]] = {".png": "maps.png", ".csv": "maps.csv"}

    state = StateTrait(MESSAGES).tag(sync=True)

    def __init__(self, service: SideBySideService, state: Mapping[str, Any] | None = None, height: int = 760, **options: Any) -> None:
        super().__init__(service, state, height=height, **options)

    def save(self, path: str | Path) -> Path:
        """Save the predictions and the maps of both as PNG, or the maps as CSV, one row per position, by the suffix of the path.

        Waits for the maps.

        Raises
        ------
        ServiceError
            For another suffix, if the file cannot be written, or if the maps fail.
        """
        return self._save(path, lambda kind: self._service.occlusion_figure(kind, self.state))

    def __repr__(self) -> str:
        return f"SideBySideOcclusion({' | '.join(self._service.names())}, {self.state['image']})"

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        return checked_state(state, current, self._service)

    def _summarize(self) -> State:
        return dict(self._service.occlusion_summary(self.state))

    def _wait_for_image(self) -> None:
        """The picture waits for what it shows."""

    def _static_image(self) -> bytes | None:
        versions = tuple(self._service.side(side).overview().version for side in SIDES)
        return self._cached_image((versions, repr(self.state)), lambda: self._service.occlusion_figure("predictions.png", self.state))
