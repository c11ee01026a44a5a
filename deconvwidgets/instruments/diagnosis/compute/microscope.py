"""The shift microscope: what a network computes of one photograph, and of the same photograph moved by some pixels.

Our extension of Zeiler & Fergus 2014, figure 5: single units in place of whole layers, interactive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from deconvwidgets.compute.class_labels import class_of_label
from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.scores import require_outputs, scores_of
from deconvwidgets.engine.executor import call_operation, run_outputs
from deconvwidgets.engine.graph import Operation
from deconvwidgets.instruments.diagnosis.compute.maxima import maxima_of
from deconvwidgets.instruments.diagnosis.compute.shift_response import relative_changes
from deconvwidgets.instruments.diagnosis.compute.watched_layers import watched_layers
from deconvwidgets.instruments.diagnosis.compute.wide_input import WideInput
from deconvwidgets.instruments.diagnosis.panel_records import LAYER_CHOICES, ShiftedClass, ShiftedLayer, ShiftedResult, ShiftRequest
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo

_MAX_SIDE = 56  # rows and columns of a map that is shown


@dataclass(frozen=True, eq=False)
class _Values:
    """What one forward pass computes."""

    strongest: dict[str, NDArray[np.float64]]  # by layer: the maximum over space of each unit
    maps: dict[str, NDArray[np.float32]]  # by layer: the map of one unit, reduced
    scores: NDArray[np.float64] | None  # (classes,)


class ShiftMicroscope:
    """One photograph under a network. The photograph as it is was run once; each shift takes one forward pass.

    Parameters
    ----------
    bundle : ModelBundle
    photograph : WideInput
    label : str, optional
        The photograph's label. If it names one of the model's classes, that class's probability is watched, else the predicted one's.
    """

    def __init__(self, bundle: ModelBundle, photograph: WideInput, label: str | None = None) -> None:
        self._bundle, self._photograph = bundle, photograph
        self._layers = {choice: watched_layers(bundle.network, choice) for choice in LAYER_CHOICES}
        self._units: dict[str, int] = {}
        self._before = self._run(photograph.shifted(0), self._layers["all"])
        labelled = class_of_label(bundle, label)
        scores = self._before.scores
        self._reference = "predicted" if labelled is None else "label"
        self._class = None if scores is None else int(np.argmax(scores)) if labelled is None else labelled

    @property
    def nbytes(self) -> int:
        """The approximate size."""
        strongest = sum(values.nbytes for values in self._before.strongest.values())
        return self._photograph.pixels.nbytes + strongest + sum(values.nbytes for values in self._before.maps.values())

    def shifted(self, request: ShiftRequest) -> ShiftedResult:
        """Return what is computed with the content moved, of the layers that are asked for. The caller holds the device."""
        right, down, layers = request.right, request.down, self._layers[request.layers]
        after = self._before if right == down == 0 else self._run(self._photograph.shifted(right, down), layers)
        few, total = (len(self._layers[choice]) for choice in LAYER_CHOICES)
        return ShiftedResult(request, tuple(self._layer(info, after) for info in layers), self._predicted(after), few, total)

    def _layer(self, info: LayerInfo, after: _Values) -> ShiftedLayer:
        name, unit = info.name, self._units[info.name]
        before, now = self._before.strongest[name], after.strongest[name]
        return ShiftedLayer(
            layer=info.short_name,
            unit=unit,
            stride=info.stride[1] if info.stride else 0,
            before=float(before[unit]),
            after=float(now[unit]),
            change=median_change(before, now),
            maps=np.stack([self._before.maps[name], after.maps[name]]),
        )

    def _predicted(self, after: _Values) -> ShiftedClass | None:
        before, now, number = self._before.scores, after.scores, self._class
        if before is None or now is None or number is None:
            return None
        names = self._bundle.categories or ()
        named = [names[one] if one < len(names) else f"class {one}" for one in (number, int(np.argmax(now)))]
        return ShiftedClass(named[0], float(before[number]), float(now[number]), self._reference, named[1])  # type: ignore[arg-type]

    def _run(self, pixels: Tensor, layers: Sequence[LayerInfo]) -> _Values:
        batch, found = to_model(pixels[None], self._bundle.model), _Values({}, {}, None)
        with torch.no_grad():
            outputs = self._visit(batch, [info.name for info in layers], found)
        quantity = self._bundle.quantity
        if quantity is None or quantity.kind != "probability" or self._bundle.classifier is None:
            return found
        scores = scores_of(require_outputs(outputs, self._bundle), quantity, self._bundle.name)[0]
        return _Values(found.strongest, found.maps, scores)

    def _visit(self, batch: Tensor, names: Sequence[str], found: _Values) -> Any:
        """Run the model, visit the outputs of the layers, and return what the model returns."""
        network = self._bundle.network
        graph = network.graph
        if graph is None:
            network.visit(batch, names, lambda name, value: self._reduce(name, value, found))
            return self._bundle.model(batch)
        nodes: dict[fx.Node, str] = {node: name for name in names if (node := network.node(name)) is not None}

        def call(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            value = call_operation(operation, args, kwargs)
            if operation.node in nodes:  # at once: a later operation may overwrite it
                self._reduce(nodes[operation.node], value, found)
            return value

        outputs = run_outputs(graph, graph.trace.bind(network.model), batch, call)
        missing = [name for name in names if name not in found.strongest]
        if missing:  # layers that the output does not depend on
            network.visit(batch, missing, lambda name, value: self._reduce(name, value, found))
        return outputs

    def _reduce(self, name: str, value: Tensor, found: _Values) -> None:
        strongest = maxima_of(value)[0]
        unit = self._units.setdefault(name, int(strongest.argmax()))
        found.strongest[name] = strongest.astype(np.float64)
        shown = value[:1, unit : unit + 1].float()
        shown = shown[:, :, None, None] if shown.dim() == 2 else shown
        size = [min(side, _MAX_SIDE) for side in shown.shape[2:]]
        reduced = torch.nn.functional.adaptive_max_pool2d(shown, size) if size != list(shown.shape[2:]) else shown
        found.maps[name] = reduced[0, 0].cpu().numpy().copy()


def median_change(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Return the median of ``|after - before| / before`` over the units that are active before; NaN if none is."""
    (changes,) = relative_changes(np.stack([before, after]).astype(np.float32))
    return float(np.median(changes)) if len(changes) else float("nan")
