"""The OcclusionExplorer: Zeiler & Fergus 2014, section 4.2 and figure 7, alive in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import copy_context
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from numpy.typing import NDArray
from PIL import Image

from deconvwidgets.errors import DeconvWidgetsError, ServiceError
from deconvwidgets.instruments.occlusion.records import OcclusionMaps, OcclusionWanted
from deconvwidgets.instruments.occlusion.widget.messages import ASIDE, answer
from deconvwidgets.instruments.occlusion.widget.state import WORDS, checked_state, settings_of, wanted_of
from deconvwidgets.service.protocol import OccludingService, OcclusionFile
from deconvwidgets.widgets.aside import Aside
from deconvwidgets.widgets.messages import Answer
from deconvwidgets.widgets.picture_upload import upload_picture
from deconvwidgets.widgets.service_widget import STATIC, ServiceWidget, write_file
from deconvwidgets.widgets.state_trait import State, StateTrait

_FILES: dict[str, OcclusionFile] = {".png": "figure.png", ".svg": "figure.svg", ".html": "figure.html", ".npz": "maps.npz"}

Picture = Image.Image | str | Path | int | NDArray[np.uint8]


class OcclusionExplorer(ServiceWidget):
    """Cover parts of an image with the mouse, see the network change its mind, and map its answers for every place of the window.

    After Zeiler & Fergus 2014, section 4.2 and figure 7. The widget computes nothing: it adapts a service's `OcclusionDesk`.

    Args:
        service: who answers; `dw.LocalModelService(bundle, images)`.
        image: a view of the service's image set (its number, or "view:17"), or a picture of one's own: a PIL picture, a path, or an
            array (H, W, 3) uint8. None: what `state` says, else the first view. Views are not photographs: where a set has nine crops
            of each, view 5 is a crop of the first photograph, and `images.open_source(5)` is the sixth; its views are
            `images.views_of(5)`.
        state: where to reopen: a dict as `state` gives it, or a part of one. `image` goes before it. An upload that this kernel does
            not have is warned of, and the first view shown instead.
        height: of the widget, in CSS pixels (at widths under 900 pixels it grows beneath instead).

    The state's keys, each of which can be set alone (`explorer.state = {"window": 32}`); lengths are in pixels of the model's input:
        image: "view:17", or "upload:..." as long as the kernel runs.
        layer, unit: the feature map, as "conv5" and a number. None: the last layer; the map with the largest sum on this image.
        target: a class's name. None: the most probable class of this image.
        fill: of the window: "gray" (the mean of the training pictures, 0 after normalisation; mid-grey is "#808080"), "mean" (this
            image's), "blur", or a colour ("#7f7f7f", "red").
        window: [rows, columns] of the patches and of the maps' window. stride: [rows, columns] between the maps' positions. None: 48 and
            8, in proportion smaller where the input's shorter side is under 224 (7 and 1 of 32).
        patches: the patches' centres, [[row, column], ...], 64 at most. None: one in the middle.
        border: "inside" or "same", as in `dw.occlude`.
        map: "probability", "activity" or "label": the map over the image. overlay: its opacity, from 0 to 1.
        tab: "maps", "chart" or "images".

    Raises ServiceError for a service that cannot occlude, PictureError for an image that is none, LayerError or OcclusionError for
    another part of the state.
    """

    _esm = STATIC / "occlusion.js"
    _css = STATIC / "occlusion.css"

    _aside: Aside | None = None
    state = StateTrait(WORDS).tag(sync=True)
    height = traitlets.Int(780, min=360).tag(sync=True)

    def __init__(
        self,
        service: OccludingService,
        image: Picture | None = None,
        state: Mapping[str, Any] | None = None,
        height: int = 780,
        **kwargs: Any,
    ) -> None:
        if not isinstance(service, OccludingService):
            raise ServiceError(
                f"OcclusionExplorer occludes the images of a model service, not of a {type(service).__name__}: "
                "dw.LocalModelService(bundle, images)."
            )
        self._service = service
        self._desk = service.occlusion
        self._checked: State = {}  # before it is opened there is none, whatever `state` holds by then
        self._run: int | None = None  # the newest that was asked for
        self._image = ""  # that it is of
        opened = {**WORDS.given(state), **({} if image is None else {"image": upload_picture(self._desk, image)})}
        super().__init__(state=opened, height=height, **kwargs)
        self._aside = Aside("deconvwidgets occlusion aside")
        self.on_msg(self._on_message)
        self._unsubscribe = service.subscribe(self._on_event)

    @traitlets.validate("state")
    def _check_state(self, proposal: Mapping[str, Any]) -> State:
        self._checked = checked_state(proposal["value"], self._checked, self._service.overview(), self._desk.choices())
        return self._checked

    def _on_message(self, _widget: object, content: object, buffers: object) -> None:
        """Answer a view's request, in the message callback: the browser keeps one in flight. What nobody's hand waits for is answered
        from another thread."""
        request = content if isinstance(content, Mapping) else {}
        sent = buffers if isinstance(buffers, list | tuple) else ()
        asked = copy_context()  # an answer from another thread must still belong to the browser's message, not to a running cell

        def reply(make: Callable[[], Answer]) -> None:
            content, made = make()
            asked.copy().run(self.send, content, made)

        if request.get("kind") in ASIDE and self._aside is not None:
            self._aside.do(lambda: reply(lambda: answer(self._service, request)))
        else:
            reply(lambda: self._answer(request, sent))

    def _answer(self, request: Mapping[str, Any], buffers: list[Any] | tuple[Any, ...]) -> Answer:
        content, made = answer(self._service, request, buffers)
        if request.get("kind") == "start_maps" and content["ok"]:
            self._note_run(content["run"], request["request"]["image"])
        return content, made

    @property
    def maps(self) -> OcclusionMaps:
        """The complete maps of the state, as arrays: waits until they are. Raises ServiceError where they fail or are stopped meanwhile."""
        return self._desk.wait(self._start())

    def _start(self) -> int:
        """The run of the state: the one that there is, else a new one."""
        run = self._desk.start_maps(self._wanted(), settings_of(self.state))
        self._note_run(run, self.state["image"])
        return run

    def _wanted(self) -> OcclusionWanted:
        return wanted_of(self.state, self._desk.choices())

    def _note_run(self, run: int, image: str) -> None:
        self._run, self._image = run, image

    def save(self, path: str | Path) -> Path:
        """Write what is shown: a figure of image, answers, projections and maps as PNG, SVG or a standalone HTML page, or the maps as
        NumPy arrays (.npz), by the path's suffix. Waits for the maps.

        Returns the path. Raises ServiceError for another suffix, for a place that cannot be written, or where the maps fail.
        """
        target = Path(path)
        kind = _FILES.get(target.suffix.lower())
        if kind is None:
            raise ServiceError(f"Cannot save {target.name!r}: use a name ending in .png, .svg, .html or .npz.")

        def make() -> bytes:
            run = self._start()
            self._desk.wait(run)
            return self._desk.file(kind, self._wanted(), run, self.state)

        return write_file(target, make)

    def close(self) -> None:
        """Leave the service and remove every view. The service itself goes on."""
        if self._aside is not None:
            self._aside.close()
        super().close()

    def __repr__(self) -> str:
        watched = [str(self.state[key]) for key in ("layer", "unit", "target") if self.state[key] is not None]
        return f"OcclusionExplorer({', '.join([self._service.overview().model, self.state['image'], *watched])})"

    def _still_picture(self) -> bytes | None:
        """A PNG of the state, with the maps as far as they were asked for; kept until something changes. None where drawing fails."""
        maps = self._shown_maps()
        key = (self._service.overview().version, repr(self.state), None if maps is None else (self._run, maps.done))
        return self._kept_still(key, lambda: self._desk.file("figure.png", self._wanted(), self._run if maps else None, self.state))

    def _shown_maps(self) -> OcclusionMaps | None:
        """The maps of the newest run, if they are of what the state says."""
        if self._run is None:
            return None
        try:
            maps, wanted, settings = self._desk.maps(self._run), self._desk.scene(self._wanted()).wanted, settings_of(self.state)
        except DeconvWidgetsError:  # the live view says what is wrong
            return None
        asked = (wanted.image, wanted.layer, wanted.unit, wanted.target, settings.window, settings.stride, settings.border)
        shown = (self._image, maps.layer, maps.unit, maps.target, maps.window, maps.stride, maps.border)
        return maps if asked == shown else None
