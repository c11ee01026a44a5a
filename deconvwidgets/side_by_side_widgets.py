"""Two models, or two checkpoints of one, side by side."""

from __future__ import annotations

from typing import Any, Literal, overload

from deconvwidgets.arguments import one_of
from deconvwidgets.instruments.comparison.service.api import LocalSideBySide
from deconvwidgets.instruments.comparison.widget.layers import SideBySideLayers
from deconvwidgets.instruments.comparison.widget.occlusion import SideBySideOcclusion


@overload
def side_by_side(service_a: Any, service_b: Any, instrument: Literal["layers"] = "layers", **options: Any) -> SideBySideLayers: ...
@overload
def side_by_side(service_a: Any, service_b: Any, instrument: Literal["occlusion"], **options: Any) -> SideBySideOcclusion: ...
def side_by_side(
    service_a: Any, service_b: Any, instrument: Literal["layers", "occlusion"] = "layers", **options: Any
) -> SideBySideLayers | SideBySideOcclusion:
    """Show two models, or two checkpoints of one, side by side on the same images.

    The units of their layers are matched one to one by the correlation of their activations over the images (`dw.compare` documents the
    statuses: kept, moved, changed, lost, ...). Each service keeps its own classifier and units.

    Parameters
    ----------
    service_a, service_b : LocalModelService or ConnectedService
        Their image sets must be equal.
    instrument : {"layers", "occlusion"}
        What is shown: the units of their layers, or predictions and occlusion maps of one photograph.
    **options
        `state` and `height` of the widget.

    Returns
    -------
    SideBySideLayers or SideBySideOcclusion
        A widget.

    Raises
    ------
    ServiceError
        If one of them is no model service, if their image sets differ (by digest), or for another instrument.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> images, alexnet = dw.open_images("photos"), dw.load_model("alexnet")
    >>> a = dw.LocalModelService(alexnet, images, device="cpu").wait()
    >>> b = dw.LocalModelService(alexnet.with_head("caltech101"), images, device="cpu").wait()
    >>> dw.side_by_side(a, b, state={"layer_a": "conv5", "unit_a": 133})
    SideBySideLayers(alexnet (A), conv5 unit 133 | alexnet (B), conv5 unit 133)
    >>> a.close(), b.close()
    (None, None)
    """
    one_of(instrument, "instrument", ("layers", "occlusion"))
    widget = SideBySideLayers if instrument == "layers" else SideBySideOcclusion
    return widget(LocalSideBySide(service_a, service_b), **options)
