"""The OcclusionExplorer: Zeiler & Fergus 2014, section 4.2 and figure 7, as a widget."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.instruments.contributions.widget.messages import EVENTS as CONTRIBUTION_EVENTS
from deconvwidgets.instruments.occlusion.patch_boxes import patch_boxes
from deconvwidgets.instruments.occlusion.records import ClassShare, OcclusionMaps, OcclusionRequest, OcclusionScene, PatchAnswer
from deconvwidgets.instruments.occlusion.service.protocol import SupportsOcclusion
from deconvwidgets.instruments.occlusion.widget.image_upload import ImageInput, send_file, upload_image
from deconvwidgets.instruments.occlusion.widget.messages import HANDLERS
from deconvwidgets.instruments.occlusion.widget.state import MESSAGES, checked_state, maps_settings, occlusion_request
from deconvwidgets.widgets.explorer import Explorer
from deconvwidgets.widgets.messages import Reply, Request
from deconvwidgets.widgets.showing import Photograph
from deconvwidgets.widgets.state import State, StateTrait

if TYPE_CHECKING:  # importing plotly takes a second
    from plotly import graph_objects as go

_SUMMARY_KEYS = ("image", "layer", "unit", "target", "against", "tab", "fill", "window", "patches")


def patch_summary(scene: OcclusionScene, result: PatchAnswer) -> State:
    """Return the model's results with and without patches as plain values."""
    request = scene.request
    classes = [_share_summary(share) for share in result.classes]
    activity = {"with_patches": result.activity, "without_patches": scene.activity}
    return {"image": scene.caption, "layer": request.layer, "unit": request.unit, "classes": classes, "activity": activity}


def _share_summary(share: ClassShare) -> State:
    summary = {"name": share.name, "with_patches": share.now, "without_patches": share.before}
    return summary if share.unchanged is None else {**summary, "with_all_units_on": share.unchanged}


class OcclusionExplorer(Explorer):
    """Cover parts of an image, watch the predictions and feature maps change, and map them for every position of the window.

    Source: Zeiler & Fergus 2014, section 4.2 and figure 7.

    Parameters
    ----------
    service : LocalModelService
    image : int, str, Path, PIL image or array (H, W, 3) or (H, W), optional
        A crop of the service's image set, by its number or as "crop:17", or an image of your own. By default the image of `state`, else
        the first crop. An image set may have several crops of each photograph: the crops of the sixth one are `images.crops_of(5)`.
    state : mapping, optional
        A state, or a part of one, as `explorer.state` returns it; `image` takes precedence. If the kernel does not have the upload of the
        state, a warning is issued and the first crop is shown.
    height : int
        Height in CSS pixels. At widths below 900 pixels the widget is higher.

    Attributes
    ----------
    state : dict
        The keys can be set one by one (`explorer.state = {"window": 32}`); lengths are in pixels of the model's input.

        - image: "crop:17", or "upload:..." while the kernel runs.
        - layer, unit: the feature map, as "conv5" and a number. None: the last layer; the map with the largest sum on this image.
        - target: the name of a class, or of an output of a regression. None: the most probable class of this image; the first output.
        - against: the class that the target is compared with, in maps of both and of their difference. None: in the tab "why" the true
          class of this image, or the most probable other one; elsewhere none.
        - fill: "gray" (0 after normalisation, the mean of the training images; mid-gray is "#808080"), "mean" (of this image), "blur", or a
          color ("#7f7f7f", "red").
        - window: [rows, columns] of the patches and of the maps' window. stride: [rows, columns] between the maps' positions. None: 48 and
          8, and less if the input's shorter side is below 224 (7 and 1 of 32).
        - patches: the centers of at most 64 patches, [[row, column], ...]. None: one in the middle.
        - border: "inside" or "same", as in `dw.occlude`.
        - map: "probability", "activity" or "label": the map over the image; "value" for a regression, instead of "probability" and
          "label". overlay: its opacity, from 0 to 1.
        - tab: "maps", "chart", "why" or "images".

    summary : dict
        What the model returns for the image with the patches of the state, and without: classes with their probabilities (or outputs with
        their values), and the total activity of the feature map. While units are switched off, classes have `with_all_units_on`, too: with
        the patches, and all units on. Read-only.

    Raises
    ------
    PictureError
        For an unknown image, or one that cannot be read.
    LayerError, OcclusionError, ServiceError
        For any other invalid part of the state.
    TypeError
        For an unknown argument.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> service = dw.LocalModelService(dw.load_model("alexnet"), dw.open_images("photos"), device="cpu").wait()
    >>> explorer = dw.OcclusionExplorer(service, image=9, state={"window": 96, "stride": 64})
    >>> explorer.maps.activity.shape
    (3, 3)
    >>> service.close()
    """

    FRONT_END = "occlusion"
    SIDE_BY_SIDE = "dw.side_by_side(service_a, service_b, instrument='occlusion')"
    MESSAGES = MESSAGES
    SERVICE = SupportsOcclusion
    HANDLERS = HANDLERS
    EVENTS = frozenset({"occlusion", *CONTRIBUTION_EVENTS})
    FILES: ClassVar[Mapping[str, str]] = {
        ".png": "figure.png",
        ".svg": "figure.svg",
        ".pdf": "figure.pdf",
        ".html": "figure.html",
        ".npz": "maps.npz",
    }

    _service: SupportsOcclusion
    _run: int | None = None  # the newest run that was requested
    _run_image = ""  # the image that it is of
    # The version of the service and the part of the state that the last summary is of, and the summary; together, for any thread sets them.
    _last: tuple[object, State] = (None, {})
    state = StateTrait(MESSAGES).tag(sync=True)

    def __init__(
        self,
        service: SupportsOcclusion,
        image: ImageInput | None = None,
        state: Mapping[str, Any] | None = None,
        height: int = 780,
        **options: Any,
    ) -> None:
        self._require_service(service)
        initial = MESSAGES.initial(state)
        if image is not None:
            initial = {**initial, "image": upload_image(service.occlusion, image)}
        super().__init__(service, initial, height=height, **options)

    @classmethod
    def _shown_state(cls, service: Any, state: Mapping[str, Any], photograph: Photograph | None) -> Mapping[str, Any]:
        if photograph is None:
            return state
        cls._require_service(service)
        return {**state, "image": send_file(service.occlusion, photograph.name, photograph.data, photograph.label)}

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        return checked_state(state, current, self._service.overview(), self._service.occlusion.choices())

    def _summarize(self) -> State:
        occlusion, state, version = self._service.occlusion, self.state, self._service.overview().version
        of = (version, [state[name] for name in _SUMMARY_KEYS])
        last, summary = self._last
        if of != last:  # a slider changes the state, too
            request = occlusion_request(state, occlusion.choices())
            summary = patch_summary(occlusion.scene(request), occlusion.answer(request, patch_boxes(state)))
            self._last = of, summary
        return summary

    @property
    def maps(self) -> OcclusionMaps:
        """The complete maps of the state. Waits for them. Raises ServiceError if they fail or are stopped meanwhile."""
        return self._service.occlusion.wait(self._start())

    @property
    def chart(self) -> go.Figure:
        """The chart of the map that is shown, as a plotly figure. Waits for the complete maps."""
        from deconvwidgets.instruments.occlusion.widget.chart import map_chart

        maps = self.maps
        return map_chart(maps, self.state["map"], self._service.occlusion.colours(maps))

    def save(self, path: str | Path) -> Path:
        """Save a figure of image, predictions, projections and maps, or the maps as arrays (.npz), by the suffix.

        A figure is a PNG, SVG or PDF file, or a standalone HTML page, on which a patch can be moved over the positions of the maps. Waits
        for the maps.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        ServiceError
            For another suffix, if the file cannot be written, or if the maps fail.
        """

        def make(kind: Any) -> bytes:
            run = self._start()
            self._service.occlusion.wait(run)
            return self._service.occlusion.file(kind, self._request(), run, self.state)

        return self._save(path, make)

    def __repr__(self) -> str:
        chosen = [str(self.state[key]) for key in ("layer", "unit", "target") if self.state[key] is not None]
        return f"OcclusionExplorer({', '.join([self._service.overview().label, self.state['image'], *chosen])})"

    def _start(self) -> int:
        """Return the run of the state, which is started if there is none."""
        run = self._service.occlusion.start_maps(self._request(), maps_settings(self.state))
        self._set_run(run, self.state["image"])
        return run

    def _request(self) -> OcclusionRequest:
        return occlusion_request(self.state, self._service.occlusion.choices())

    def _set_run(self, run: int, image: str) -> None:
        self._run, self._run_image = run, image

    def _answer(self, request: Request) -> Reply:
        content, buffers = super()._answer(request)
        if request.kind == "start_maps" and content["ok"] and request.get("unchanged") is not True:
            self._set_run(content["run"], request.mapping("request")["image"])
        return content, buffers

    def _wait_for_image(self) -> None:
        self._service.occlusion.wait(self._start())

    def _static_image(self) -> bytes | None:
        maps = self._maps_of_state()
        key = (self._service.overview().version, repr(self.state), None if maps is None else (self._run, maps.done))
        run = self._run if maps else None
        return self._cached_image(key, lambda: self._service.occlusion.file("figure.png", self._request(), run, self.state))

    def _maps_of_state(self) -> OcclusionMaps | None:
        """Return the maps of the newest run, complete or not, if they are those of the state."""
        if self._run is None:
            return None
        try:
            maps, request = self._service.occlusion.maps(self._run), self._service.occlusion.scene(self._request()).request
        except DeconvWidgetsError:  # the live view shows what is wrong
            return None
        settings = maps_settings(self.state)
        classes, grid = (request.target, request.against), (settings.window, settings.stride, settings.border)
        expected = (request.image, request.layer, request.unit, *classes, *grid)
        actual = (self._run_image, maps.layer, maps.unit, maps.target, maps.against, maps.window, maps.stride, maps.border)
        return maps if expected == actual else None
