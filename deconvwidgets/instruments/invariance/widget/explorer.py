"""The InvarianceExplorer: Zeiler & Fergus 2014, figure 5, as a widget."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.instruments.invariance.records import InvarianceCurves, InvarianceView
from deconvwidgets.instruments.invariance.service.protocol import SupportsInvariance
from deconvwidgets.instruments.invariance.transforms import kind_of
from deconvwidgets.instruments.invariance.widget.messages import HANDLERS
from deconvwidgets.instruments.invariance.widget.state import MESSAGES, checked_state, view_request
from deconvwidgets.widgets.explorer import Explorer
from deconvwidgets.widgets.state import State, StateTrait


class InvarianceExplorer(Explorer):
    """Transform photographs by sliders, and see how the features of each layer, the strongest units and the probability change.

    Source: Zeiler & Fergus 2014, figure 5 (vertical translation, scale, rotation). The other transformations are extensions.

    Parameters
    ----------
    service : LocalModelService
    state : mapping, optional
        A state, or a part of one, as `explorer.state` returns it.
    height : int
        Height in CSS pixels.

    Attributes
    ----------
    state : dict
        - images: up to 12 images with a curve each, "crop:17" or, while the kernel runs, "upload:...". None: five of the image set.
        - image: the one that is shown, one of them. None: the first.
        - transform: "translate" (vertical), "translate_x", "scale", "rotate", "blur", "brightness", "noise" or "jpeg".
        - amount: how much, in the unit of the transformation (see `dw.invariance`). None: the amount that changes nothing.
        - layers: up to 12 layers with a chart each.
        - layer: the layer whose strongest units are shown.
        - measure: "relative" (distances divided by the norm of the unchanged features) or "distance".
        - tab: "units" or "images".

    summary : dict
        The distances of the layers, the strongest units and the classes for the transformed photograph. Read-only.

    Raises
    ------
    PictureError, LayerError, InvarianceError, ServiceError
        For an invalid part of the state.
    TypeError
        For an unknown argument.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> service = dw.LocalModelService(dw.load_model("alexnet"), dw.open_images("photos"), device="cpu")
    >>> explorer = dw.InvarianceExplorer(service, state={"transform": "rotate", "amount": 30, "images": ["crop:0", "crop:9"]})
    >>> explorer.curves.relative.shape  # photographs, layers, amounts
    (2, 2, 24)
    >>> explorer.save("rotation.png").name
    'rotation.png'
    >>> service.close()
    """

    FRONT_END = "invariance"
    MESSAGES = MESSAGES
    SERVICE = SupportsInvariance
    HANDLERS = HANDLERS
    FILES: ClassVar[Mapping[str, str]] = {f".{kind}": kind for kind in ("png", "svg", "pdf", "html", "csv")}

    _service: SupportsInvariance
    # The version of the service and the request that the last summary is of, and the summary; together, as any thread may set them.
    _last: tuple[object, State] = (None, {})
    state = StateTrait(MESSAGES).tag(sync=True)

    def __init__(self, service: SupportsInvariance, state: Mapping[str, Any] | None = None, height: int = 820, **options: Any) -> None:
        super().__init__(service, state, height=height, **options)

    @property
    def curves(self) -> InvarianceCurves:
        """The curves of the state's images over the default amounts. Waits for them."""
        state = self.state
        return self._service.invariance.curves(state["images"], state["transform"], state["layers"])

    def save(self, path: str | Path) -> Path:
        """Save the curves as PNG, SVG, PDF, a standalone HTML page or CSV, by the suffix, and return the path. Waits for the curves.

        Raises
        ------
        ServiceError
            For another suffix, or if the file cannot be written.
        """
        return self._save(path, self._file)

    def __repr__(self) -> str:
        kind = kind_of(self.state["transform"])
        amount = kind.format(self.state["amount"])
        return f"InvarianceExplorer({self._service.overview().label}, {self.state['image']}, {kind.label.lower()} {amount})"

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        return checked_state(state, current, self._service.overview(), self._service.invariance.choices())

    def _summarize(self) -> State:
        state = self.state  # once: another thread may set it while the view is computed
        of = self._service.overview().version, view_request(state)
        last, summary = self._last
        if last != of:
            summary = _summary(self._service.invariance.view(of[1]), state)
            self._last = of, summary
        return summary

    def _file(self, kind: str) -> bytes:
        state = self.state
        return self._service.invariance.file(kind, state["images"], state["transform"], state["layers"], state["measure"])

    def _wait_for_image(self) -> None:
        _ = self.curves

    def _static_image(self) -> bytes | None:
        """Return the curves, or the transformed photograph alone while they are not computed."""
        state, invariance = self.state, self._service.invariance
        try:
            known = invariance.known(state["images"], state["transform"], state["layers"])
        except DeconvWidgetsError:  # the live view shows what is wrong
            known = False
        key = (self._service.overview().version, repr(state), known)
        return self._cached_image(key, lambda: self._file("png") if known else invariance.view_picture(view_request(state)))


def _summary(view: InvarianceView, state: Mapping[str, Any]) -> State:
    """Return what the model makes of the transformed photograph as plain values."""
    layers = zip(state["layers"], view.distances, view.relative, strict=True)
    value = "probability" if view.quantity is not None and view.quantity.kind == "probability" else "value"
    return {
        "image": view.caption,
        "transform": state["transform"],
        "amount": state["amount"],
        "layers": {name: {"distance": distance, "relative": relative} for name, distance, relative in layers},
        "units": {"layer": view.layer, "strongest": [one.unit for one in view.units], "kept": view.kept},
        "classes": [{"name": one.name, value: one.now, "as_it_is": one.before} for one in view.classes],
    }
