"""What the network looks at: its answers with a window at each position of an image (Zeiler & Fergus 2014, section 4.2, figure 7)."""

from __future__ import annotations

import threading
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.class_probabilities import most_probable, probabilities_of
from deconvwidgets.compute.devices import to_model, with_deprecated_network
from deconvwidgets.compute.inputs import ImageInput, as_input
from deconvwidgets.compute.job import JobContext
from deconvwidgets.engine import Network
from deconvwidgets.engine.occlusion.occluded_image import OccludedImage
from deconvwidgets.instruments.occlusion.compute.checks import Method, require_memory_limit, require_method
from deconvwidgets.instruments.occlusion.compute.fill import Fill, fill_in_words, fill_of
from deconvwidgets.instruments.occlusion.compute.grid import WindowGrid, as_pair
from deconvwidgets.instruments.occlusion.compute.unoccluded import UnoccludedResult, no_classifier_error, run_unoccluded
from deconvwidgets.instruments.occlusion.defaults import default_grid
from deconvwidgets.instruments.occlusion.records import Border, MapsSettings, OcclusionMaps
from deconvwidgets.models.bundle import ModelBundle, require_bundle
from deconvwidgets.records.progress import Progress

Kind = TypeVar("Kind", bound=np.generic)

# Many positions in a step share their work; few let a progress bar advance.
_POSITIONS_PER_STEP, _POSITIONS_PER_REPORT = 2048, 128


class OcclusionScan:
    """One occlusion map in the making, coarse to fine. `step` computes, from one thread at a time; `maps` may be asked from another.

    Args:
        pixels: (C, H, W), normalised. settings: window, stride, border.
        layer, unit, target: what is watched, as `run_unoccluded` takes it. fill: as `fill_of` takes it.
        method, memory_limit: as `OccludedImage` takes them. logits: keep the logits of every position.
        prepared: what is watched, and the image with this fill, from who has both already; `layer` to `method` are then not looked at.

    Raises what `run_unoccluded`, `fill_of` and `WindowGrid.of` raise, before anything is computed at length.
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
        fill: Fill = "gray",
        method: Method = "auto",
        logits: bool = False,
        memory_limit: int | None = None,
        prepared: tuple[UnoccludedResult, OccludedImage] | None = None,
    ) -> None:
        if logits and bundle.classifier is None:
            raise no_classifier_error(bundle, "so there are no logits: leave them out")
        require_method(method)
        require_memory_limit(memory_limit)
        self._grid = WindowGrid.of((pixels.shape[1], pixels.shape[2]), settings)
        self._border: Border = settings.border
        self._fill = fill_in_words(fill)
        if prepared is None:
            laid = fill_of(bundle, pixels, fill)
            seen = run_unoccluded(bundle, pixels, layer, unit, target)
            prepared = seen, OccludedImage(
                bundle.network, to_model(pixels[None], bundle.model), laid, seen.layer, seen.unit,
                logits=seen.probabilities is not None, method=method, memory_limit=memory_limit,
            )  # fmt: skip
        seen, self._occluded = prepared
        self.layer, self.unit, self.target, self.unoccluded = seen.layer, seen.unit, seen.target, seen.unoccluded
        self._categories = bundle.categories or ()
        classes = None if seen.probabilities is None else len(seen.probabilities)
        self._order = self._grid.coarse_to_fine()
        self._next = 0
        self._lock = threading.Lock()  # so that a snapshot never holds half a step
        self._blank(classes, logits)

    @property
    def total(self) -> int:
        """Number of positions."""
        return self._grid.count

    @property
    def remaining(self) -> int:
        """Number of positions that have not been computed."""
        return self._grid.count - self._next

    def step(self, count: int) -> None:
        """Compute the next `count` positions. What an error or an interrupt stops is not kept, and comes first in the next step."""
        places = self._order[self._next : self._next + max(0, count)]
        if not len(places):
            return
        answer = self._occluded.run([(self._grid.box(row, column),) for row, column in places.tolist()])
        activity = answer.maps.double().sum(dim=(1, 2)).cpu().numpy()
        probabilities = None if answer.logits is None else probabilities_of(answer.logits)
        with self._lock:
            at = places[:, 0], places[:, 1]
            self._activity[at] = activity
            if probabilities is not None:
                self._note_classes(at, probabilities)
            if self._logits is not None and answer.logits is not None:
                self._logits[at] = answer.logits.float().cpu().numpy()
            self._next += len(places)

    def maps(self) -> OcclusionMaps:
        """The maps as far as they are, copied: NaN and -1 where a position has not been computed."""
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
            )

    def _blank(self, classes: int | None, logits: bool) -> None:
        shape = (self._grid.rows, self._grid.columns)
        self._activity = np.full(shape, np.nan, np.float32)
        self._probability = None if classes is None else np.full(shape, np.nan, np.float32)
        self._label_probability = None if classes is None else np.full(shape, np.nan, np.float32)
        self._label = None if classes is None else np.full(shape, -1, np.int64)
        self._logits = np.full((*shape, classes), np.nan, np.float32) if logits and classes is not None else None

    def _note_classes(self, at: tuple[NDArray[np.int64], NDArray[np.int64]], probabilities: NDArray[np.float64]) -> None:
        assert self._probability is not None
        assert self._label is not None
        assert self._label_probability is not None
        best = most_probable(probabilities)
        self._probability[at] = probabilities[:, self.target]
        self._label[at] = best
        self._label_probability[at] = probabilities[np.arange(len(best)), best]


def occlude(
    bundle: ModelBundle,
    image: ImageInput | Tensor,
    window: int | tuple[int, int] | None = None,
    stride: int | tuple[int, int] | None = None,
    *,
    layer: str | None = None,
    unit: int | None = None,
    target: int | str | None = None,
    fill: Fill = "gray",
    method: Method = "auto",
    border: Border = "inside",
    logits: bool = False,
    memory_limit: int | None = None,
    progress: bool = False,
    job: JobContext | None = None,
    network: Network | None = None,
) -> OcclusionMaps:
    """What the network says of an image with a window at each position (Zeiler & Fergus 2014, section 4.2, figure 7 b, d, e).

    Args:
        image: a PIL picture, a path, an array (H, W, 3) or (H, W) uint8, or a normalised tensor (C, H, W) or (1, C, H, W).
        window, stride: pixels of the model's input, one number or (rows, columns). None: 48 and 8, in proportion smaller
            where the shorter side is under 224 (7 and 1 of 32).
        layer: name or alias; None is the last of the explorers' layers (conv5 of AlexNet).
        unit: the feature map; None is the one with the largest sum over space on the unoccluded image.
        target: the class whose probability is mapped, by number or name; None is the most probable class of the unoccluded image.
        fill: what the window shows: "gray" or "grey" (0 after normalisation: the mean of the training pictures, which is not mid-grey;
            that is "#808080"), "mean" (this image's), "blur", a colour ("#7f7f7f", "red", or (red, green, blue) from 0 to 255), or an
            array of normalised pixels (C, H, W) or (C,).
        method: "incremental" recomputes only what the window touches, "full" runs whole images, "auto" takes the first where it can.
        border: "inside" keeps the window in the image; "same" has ceil(H / stride) positions, and windows that pass the border.
        logits: keep the logits of every position. memory_limit: bytes that a batch may take; None is a share of what is free.
        progress: show a bar. job: progress and cancellation. network: deprecated.

    Runs where the bundle's model lies. Without a classifier there are activity maps only.
    Raises PictureError, LayerError, and OcclusionError for a window, stride, fill, class, method or memory limit that cannot be used.
    """
    pixels = as_input(require_bundle(bundle), image)
    sizes = default_grid((pixels.shape[1], pixels.shape[2]))
    window, stride = (size if given is None else given for given, size in zip((window, stride), sizes, strict=True))
    settings = MapsSettings(as_pair(window, "window"), as_pair(stride, "stride"), border)
    bundle, job = with_deprecated_network(bundle, network), job or JobContext()
    scan = OcclusionScan(
        bundle, pixels, settings, layer=layer, unit=unit, target=target, fill=fill, method=method, logits=logits,
        memory_limit=memory_limit,
    )  # fmt: skip
    step = _POSITIONS_PER_STEP if not progress and job.on_progress is None else _POSITIONS_PER_REPORT
    with job.progress_bar("occlusion", "position", scan.total, progress) as shown:
        while scan.remaining:
            shown.check_cancelled(f"The occlusion map was cancelled after {scan.total - scan.remaining} of {scan.total} positions")
            scan.step(step)
            shown.report(Progress("occlusion", scan.total - scan.remaining, scan.total))
    return scan.maps()


def _copy(array: NDArray[Kind] | None) -> NDArray[Kind] | None:
    return None if array is None else array.copy()
