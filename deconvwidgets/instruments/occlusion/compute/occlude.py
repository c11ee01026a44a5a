"""What the network looks at: its answers with a window at each position of an image (Zeiler & Fergus 2014, section 4.2, figure 7)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.class_answers import class_number, most_probable, probabilities_of
from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.inputs import Picture, as_input
from deconvwidgets.compute.job import Tell, job_bar
from deconvwidgets.engine import Network
from deconvwidgets.engine.occlusion.occluded_image import OccludedImage
from deconvwidgets.errors import LayerError, ModelError, OcclusionError
from deconvwidgets.instruments.occlusion.compute.checks import Method, layer_or_last, require_memory_limit, require_method
from deconvwidgets.instruments.occlusion.compute.fill import Fill, fill_in_words, fill_of
from deconvwidgets.instruments.occlusion.compute.grid import WindowGrid, as_pair
from deconvwidgets.instruments.occlusion.defaults import default_grid
from deconvwidgets.instruments.occlusion.records import Border, MapsSettings, OcclusionMaps, Unoccluded
from deconvwidgets.models.bundle import ModelBundle, require_bundle
from deconvwidgets.records.class_names import NAME_THEM
from deconvwidgets.records.layers import Progress

Kind = TypeVar("Kind", bound=np.generic)

_STRONGEST = 12  # units that `watched` names
# Positions that a script's map takes in one step: many share their work, few let a bar move.
_AT_ONCE, _REPORTED = 2048, 128


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched on an image, every default made definite, and what the network says of the image as it is."""

    layer: str  # alias where it has one, else dotted name
    unit: int
    target: int | None  # None without a classifier
    unoccluded: Unoccluded
    strongest: tuple[int, ...]  # the units of the layer with the largest sums on this image, largest first
    map: NDArray[np.float32]  # (h, w): the chosen feature map
    probabilities: NDArray[np.float64] | None  # (classes,), None without a classifier


def watched(
    bundle: ModelBundle,
    network: Network,
    pixels: Tensor,
    layer: str | None = None,
    unit: int | None = None,
    target: int | str | None = None,
) -> Watched:
    """What to watch on the input `pixels` (C, H, W), and the unoccluded answers; two forward passes at the most.

    layer: None is the last of the explorers' layers. unit: None is the map with the largest sum over space (of equal ones the lowest).
    target: a class's number or name; None is the most probable class.

    Raises LayerError for an unknown layer or unit, OcclusionError for an unknown class or where a target is asked for without a
    classifier, ModelError where the classifier does not answer (N, classes), with as many classes as the bundle has names.
    """
    batch = to_model(pixels[None], bundle.model)
    layer = layer_or_last(network, layer)
    with torch.no_grad():
        maps = network.map(batch, layer)[0].clone()
        logits = None if bundle.classifier is None else _logits(bundle, batch)
    sums = maps.double().sum(dim=(1, 2)).cpu().numpy()
    ranked = np.argsort(-sums, kind="stable")
    chosen = int(ranked[0]) if unit is None else _unit_of(unit, len(sums), layer)
    probabilities = None if logits is None else probabilities_of(logits)[0]
    number = _target_of(bundle, target, probabilities)
    return Watched(
        layer=layer,
        unit=chosen,
        target=number,
        unoccluded=_unoccluded(float(sums[chosen]), probabilities, number),
        strongest=tuple(ranked[:_STRONGEST].tolist()),
        map=maps[chosen].float().cpu().numpy(),
        probabilities=probabilities,
    )


class OcclusionScan:
    """One occlusion map in the making, coarse to fine. `step` computes, from one thread at a time; `maps` may be asked from another.

    Args:
        network: `bundle.model`, followed. pixels: (C, H, W), normalised. settings: window, stride, border.
        layer, unit, target: what is watched, as `watched` takes it. fill: as `fill_of` takes it.
        method, memory_limit: as `OccludedImage` takes them. logits: keep the logits of every position.
        prepared: what is watched, and the image with this fill, from who has both already; `layer` to `method` are then not looked at.

    Raises what `watched`, `fill_of` and `WindowGrid.of` raise, before anything is computed at length.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        network: Network,
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
        prepared: tuple[Watched, OccludedImage] | None = None,
    ) -> None:
        if logits and bundle.classifier is None:
            raise _no_classifier(bundle, "so there are no logits: leave them out")
        require_method(method)
        require_memory_limit(memory_limit)
        self._grid = WindowGrid.of((pixels.shape[1], pixels.shape[2]), settings)
        self._border: Border = settings.border
        self._fill = fill_in_words(fill)
        if prepared is None:
            laid = fill_of(bundle, pixels, fill)
            seen = watched(bundle, network, pixels, layer, unit, target)
            prepared = seen, OccludedImage(
                network, to_model(pixels[None], bundle.model), laid, seen.layer, seen.unit,
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
    image: Picture | Tensor,
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
    on_progress: Tell | None = None,
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
        progress: show a bar. on_progress: called with a Progress now and then.
        network: `bundle.model` followed already, which saves following it again.

    Runs where the bundle's model lies. Without a classifier there are activity maps only.
    Raises PictureError, LayerError, and OcclusionError for a window, stride, fill, class, method or memory limit that cannot be used.
    """
    pixels = as_input(require_bundle(bundle), image)
    sizes = default_grid((pixels.shape[1], pixels.shape[2]))
    window, stride = (size if given is None else given for given, size in zip((window, stride), sizes, strict=True))
    settings = MapsSettings(as_pair(window, "window"), as_pair(stride, "stride"), border)
    followed = network if network is not None else Network.of(bundle.model, bundle.input_size)
    scan = OcclusionScan(
        bundle, followed, pixels, settings, layer=layer, unit=unit, target=target, fill=fill, method=method, logits=logits,
        memory_limit=memory_limit,
    )  # fmt: skip
    step = _REPORTED if progress or on_progress is not None else _AT_ONCE
    with job_bar("occlusion", "position", scan.total, progress, on_progress) as tell:
        while scan.remaining:
            scan.step(step)
            tell(Progress("occlusion", scan.total - scan.remaining, scan.total))
    return scan.maps()


def _unit_of(unit: int, channels: int, layer: str) -> int:
    if isinstance(unit, bool) or not isinstance(unit, int | np.integer) or not 0 <= unit < channels:
        raise LayerError(f"{layer} has {channels} units, 0 to {channels - 1}: there is no unit {unit}.")
    return int(unit)


def _logits(bundle: ModelBundle, batch: Tensor) -> Tensor:
    logits = bundle.model(batch)
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        raise ModelError(f"{bundle.name} does not answer (N, classes): make its bundle without categories.")
    names = len(bundle.categories or ())
    if bundle.categories is not None and names != logits.shape[1]:
        raise ModelError(
            f"{bundle.name} answers with {logits.shape[1]:,} classes, but its bundle names {names:,}: give a name for each, "
            "dw.ModelBundle.from_module(net, ..., categories=[...]), in the order of the logits."
        )
    if not bool(torch.isfinite(logits).all()):
        raise ModelError(f"{bundle.name} answers nan or infinite logits on this image: look at its weights and its transform.")
    return logits


def _no_classifier(bundle: ModelBundle, consequence: str) -> OcclusionError:
    return OcclusionError(f"{bundle.name} has no classifier, {consequence}, or use bundle.with_head(...). {NAME_THEM}")


def _target_of(bundle: ModelBundle, target: int | str | None, probabilities: NDArray[np.float64] | None) -> int | None:
    if probabilities is None:
        if target is not None:
            raise _no_classifier(bundle, "so no target class: leave it out")
        return None
    if target is None:
        return int(most_probable(probabilities))
    return class_number(target, len(probabilities), bundle.categories, bundle.name)


def _unoccluded(activity: float, probabilities: NDArray[np.float64] | None, target: int | None) -> Unoccluded:
    if probabilities is None or target is None:
        return Unoccluded(None, None, None, activity)
    best = int(most_probable(probabilities))
    return Unoccluded(float(probabilities[target]), best, float(probabilities[best]), activity)


def _copy(array: NDArray[Kind] | None) -> NDArray[Kind] | None:
    return None if array is None else array.copy()
