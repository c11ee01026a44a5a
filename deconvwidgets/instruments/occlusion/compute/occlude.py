"""Occlusion maps: a model's predictions and activations with a window at each position of an image.

Source: Zeiler & Fergus 2014, section 4.2, figure 7.
"""

from __future__ import annotations

import threading
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import flag
from deconvwidgets.compute.devices import to_model, with_deprecated_network
from deconvwidgets.compute.inputs import ImageInput, as_input
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.compute.scores import most_probable, scores_of
from deconvwidgets.engine import Network
from deconvwidgets.engine.occlusion.occluded_image import OccludedImage
from deconvwidgets.errors import OcclusionError
from deconvwidgets.instruments.occlusion.compute.checks import Method, checked_memory_limit, require_method
from deconvwidgets.instruments.occlusion.compute.fill import Fill, fill_name, fill_of
from deconvwidgets.instruments.occlusion.compute.grid import WindowGrid, as_pair
from deconvwidgets.instruments.occlusion.compute.target import Target, bundle_for_target
from deconvwidgets.instruments.occlusion.compute.unoccluded import UnoccludedResult, no_classifier_error, run_unoccluded
from deconvwidgets.instruments.occlusion.defaults import default_grid
from deconvwidgets.instruments.occlusion.records import Border, MapsSettings, OcclusionMaps
from deconvwidgets.models.bundle import ModelBundle, require_bundle
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.quantity import SOFTMAX

Scalar = TypeVar("Scalar", bound=np.generic)
Positions = tuple[NDArray[np.int64], NDArray[np.int64]]  # rows and columns
# The more positions a step has, the more computation they share; a progress bar needs shorter steps.
_POSITIONS_PER_STEP, _POSITIONS_PER_REPORT = 2048, 128


class OcclusionScan:
    """The computation of an occlusion map, from coarse to fine.

    Call `step` until no position remains, from one thread at a time. `maps` returns the result so far and may be called from any thread.

    Parameters
    ----------
    bundle : ModelBundle
    pixels : Tensor (C, H, W)
        The model's input.
    settings : MapsSettings
    layer, unit, target, against
        As in `run_unoccluded`.
    fill, method, memory_limit
        As in `fill_of` and `OccludedImage`.
    logits : bool
        Keep those of every position.
    prepared : (UnoccludedResult, OccludedImage), optional
        The result without a window and the image with its fill, if they have been computed; `layer`, `unit`, `target` and `method` are
        ignored then.

    Raises
    ------
    LayerError
        For an unknown layer or unit.
    OcclusionError
        For an invalid window, stride, border, fill, class, method or memory limit.
    ModelError
        If the model does not return outputs (N, classes).
    """

    def __init__(
        self,
        bundle: ModelBundle,
        pixels: Tensor,
        settings: MapsSettings,
        *,
        layer: str | None = None,
        unit: int | None = None,
        target: int | str | None = None,
        against: int | str | None = None,
        fill: Fill = "gray",
        method: Method = "auto",
        logits: bool = False,
        memory_limit: int | None = None,
        prepared: tuple[UnoccludedResult, OccludedImage] | None = None,
    ) -> None:
        if flag(logits, "logits", OcclusionError) and bundle.classifier is None:
            raise no_classifier_error(bundle, "so there are no logits: leave logits out")
        require_method(method)
        memory_limit = checked_memory_limit(memory_limit)
        self._grid = WindowGrid.of((pixels.shape[1], pixels.shape[2]), settings)
        self._border: Border = settings.border
        self._fill = fill_name(fill)
        if prepared is None:
            fill_pixels = fill_of(bundle, pixels, fill)
            result = run_unoccluded(bundle, pixels, layer, unit, target, against)
            prepared = result, OccludedImage(
                bundle.network, to_model(pixels[None], bundle.model), fill_pixels, result.layer, result.unit,
                logits=result.scores is not None, method=method, memory_limit=memory_limit,
            )  # fmt: skip
        result, self._occluded = prepared
        self.layer, self.unit, self.unoccluded, self.target, self.against = (
            result.layer, result.unit, result.unoccluded, result.target, result.against
        )  # fmt: skip
        self._model, self._quantity, self._categories = bundle.name, bundle.quantity or SOFTMAX, bundle.categories or ()
        self._order = self._grid.coarse_to_fine()
        self._next = 0
        self._lock = threading.Lock()  # a copy of the maps contains whole steps only
        self._keep_logits = logits
        self._allocate(predicts=result.scores is not None)

    @property
    def total(self) -> int:
        """Number of positions."""
        return self._grid.count

    @property
    def remaining(self) -> int:
        """Number of positions that have not been computed."""
        return self._grid.count - self._next

    def step(self, count: int) -> None:
        """Compute the next `count` positions. After an exception, the next step computes the same positions again."""
        positions = self._order[self._next : self._next + max(0, count)]
        if not len(positions):
            return
        occluded = self._occluded.run([(self._grid.box(row, column),) for row, column in positions.tolist()])
        activity = occluded.maps.cpu().double().sum(dim=(1, 2)).numpy()
        scores = None if occluded.logits is None else scores_of(occluded.logits, self._quantity, self._model)
        with self._lock:
            at = positions[:, 0], positions[:, 1]
            self._activity[at] = activity
            if scores is not None:
                self._set_scores(at, scores)
            if self._keep_logits and occluded.logits is not None:
                self._set_logits(at, occluded.logits.float().cpu().numpy())
            self._next += len(positions)

    def maps(self) -> OcclusionMaps:
        """Return a copy of the maps so far: NaN, or label -1, at positions that have not been computed."""
        with self._lock:
            return OcclusionMaps(
                probability=_copy(self._probability),
                label=_copy(self._label),
                label_probability=_copy(self._label_probability),
                activity=self._activity.copy(),
                centres=self._grid.centres(),
                target=self.target,
                unoccluded=self.unoccluded,
                layer=self.layer,
                unit=self.unit,
                window=self._grid.window,
                stride=self._grid.stride,
                fill=self._fill,
                border=self._border,
                method=self._occluded.method,
                complete=self._next == self._grid.count,
                categories=self._categories,
                logits=_copy(self._logits),
                value=_copy(self._value),
                quantity=self._quantity,
                against=self.against,
                against_scores=_copy(self._against_scores),
            )

    def _allocate(self, predicts: bool) -> None:
        self._activity = nothing = np.full((self._grid.rows, self._grid.columns), np.nan, np.float32)
        is_value = self._quantity.kind == "value"
        self._value = nothing.copy() if predicts and is_value else None
        self._probability = nothing.copy() if predicts and not is_value else None
        self._label_probability = _copy(self._probability)
        self._label = None if self._probability is None else np.full(nothing.shape, -1, np.int64)
        self._against_scores = nothing.copy() if predicts and self.against is not None else None
        self._logits: NDArray[np.float32] | None = None

    def _set_scores(self, at: Positions, scores: NDArray[np.float64]) -> None:
        if self._against_scores is not None:
            self._against_scores[at] = scores[:, self.against]
        if self._value is not None:
            self._value[at] = scores[:, self.target]
            return
        assert self._probability is not None
        assert self._label is not None
        assert self._label_probability is not None
        best = most_probable(scores)
        self._probability[at] = scores[:, self.target]
        self._label[at] = best
        self._label_probability[at] = scores[np.arange(len(best)), best]

    def _set_logits(self, at: Positions, logits: NDArray[np.float32]) -> None:
        if self._logits is None:
            self._logits = np.full((*self._activity.shape, logits.shape[1]), np.nan, np.float32)
        self._logits[at] = logits


def occlude(
    bundle: ModelBundle,
    image: ImageInput | Tensor,
    window: int | tuple[int, int] | None = None,
    stride: int | tuple[int, int] | None = None,
    *,
    layer: str | None = None,
    unit: int | None = None,
    target: Target = None,
    against: int | str | None = None,
    fill: Fill = "gray",
    method: Method = "auto",
    border: Border = "inside",
    logits: bool = False,
    memory_limit: int | None = None,
    progress: bool = False,
    job: JobContext | None = None,
    network: Network | None = None,
) -> OcclusionMaps:
    """Slide an occluding window over an image, and map the model's predictions and a feature map's activity by its position.

    It runs on the device of the bundle's model (Zeiler & Fergus 2014, section 4.2, figure 7 b, d and e).

    Parameters
    ----------
    bundle : ModelBundle
        The model. Without a classifier only the activity is mapped.
    image : PIL image, path, array (H, W, 3) or (H, W), or Tensor (C, H, W) or (1, C, H, W)
        The image. A tensor must be normalised.
    window, stride : int or (rows, columns), optional
        In pixels of the model's input. The defaults are 48 and 8; if the shorter side of the input is under 224, they are smaller in
        proportion (7 and 1 for 32).
    layer : str, optional
        Name or alias; by default the last of the explorers' layers (conv5 of AlexNet).
    unit : int, optional
        The feature map; by default the one with the largest sum over space for the unoccluded image.
    target : int, str, (class, row, column) or callable, optional
        The class whose probability is mapped, by number or name; by default the most probable class of the unoccluded image. Of a
        regression, the output whose value is mapped; by default the first. Of a model that returns maps (N, classes, rows, columns), such
        as a segmentation, the class and the position in the maps. A function takes what the model returns for N images, and returns one
        number per image, (N,), whose value is mapped: any output, such as detections, can be a target.
    against : int or str, optional
        Another class or output, which is mapped as well: `maps.difference` shows what contributes to the target and against it.
    fill : str, (red, green, blue), array or Tensor
        The content of the window. "gray" (or "grey"): 0 after normalisation, the mean of the training images. It is not mid-gray, which is
        "#808080". "mean": the mean of this image. "blur": this image, blurred. A colour ("#7f7f7f", "red", or three numbers from 0 to
        255). An array (C, H, W) or (C,) of normalised pixels.
    method : {"auto", "incremental", "full"}
        "incremental" recomputes only the regions that the window affects, "full" runs whole images, "auto" is "incremental" if the model
        can be traced.
    border : {"inside", "same"}
        "inside": the window stays inside the image. "same": ceil(H / stride) rows of positions, and windows that extend beyond the
        border.
    logits : bool
        Keep what the model returns at every position.
    memory_limit : int, optional
        Number of bytes that a batch may use; by default a share of the free memory.
    progress : bool
        Show a progress bar.
    job : JobContext, optional
        Progress and cancellation.
    network : Network, optional
        Deprecated.

    Raises
    ------
    PictureError
        If the image cannot be read or used.
    LayerError
        For an unknown layer or unit.
    OcclusionError
        For an invalid window, stride, border, fill, class, position, target function, method or memory limit.
    ModelError
        If the model does not return outputs (N, classes), or other outputs than its bundle's task says.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> photograph = dw.open_images("photos").open_source(0)
    >>> maps = dw.occlude(dw.load_model("alexnet"), photograph, window=64, stride=32)
    >>> maps.activity.shape, maps.probability.shape
    ((6, 6), (6, 6))
    """
    pixels = as_input(require_bundle(bundle), image)
    defaults = default_grid((pixels.shape[1], pixels.shape[2]))
    window, stride = (default if size is None else size for size, default in zip((window, stride), defaults, strict=True))
    settings = MapsSettings(as_pair(window, "window"), as_pair(stride, "stride"), border)
    bundle, job = with_deprecated_network(bundle, network), as_job(job)
    progress = flag(progress, "progress", OcclusionError)
    bundle, target = bundle_for_target(bundle, target)
    scan = OcclusionScan(
        bundle, pixels, settings, layer=layer, unit=unit, target=target, against=against, fill=fill, method=method, logits=logits,
        memory_limit=memory_limit,
    )  # fmt: skip
    step = _POSITIONS_PER_STEP if not progress and job.on_progress is None else _POSITIONS_PER_REPORT
    with job.progress_bar("occlusion", "position", scan.total, progress) as context:
        while scan.remaining:
            context.check_cancelled(f"The occlusion map was cancelled after {scan.total - scan.remaining} of {scan.total} positions")
            scan.step(step)
            context.report(Progress("occlusion", scan.total - scan.remaining, scan.total))
    return scan.maps()


def _copy(array: NDArray[Scalar] | None) -> NDArray[Scalar] | None:
    return None if array is None else array.copy()
