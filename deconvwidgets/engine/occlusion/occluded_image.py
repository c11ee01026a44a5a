"""What patches on an image change: one feature map and the logits, for many placings of patches in one go.

(Zeiler & Fergus 2014, section 4.2.) `full` runs the model on whole occluded images, `incremental` on what the patches touch of each map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import psutil
import torch
from torch import Tensor, fx

from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.network import Network
from deconvwidgets.engine.occlusion.incremental import IncrementalRun, Placing, as_maps
from deconvwidgets.engine.occlusion.patches import patched
from deconvwidgets.engine.tracing import run_nodes
from deconvwidgets.errors import GraphError, LayerError, ModelError
from deconvwidgets.records.methods import OcclusionMethod

_MOST = 1 << 30  # bytes on a CPU: larger batches are not faster there
_SHARE = 0.25  # of what is free

Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Occluded:
    """What the model says of N placings of patches."""

    maps: Tensor  # (N, h, w): the chosen feature map
    logits: Tensor | None  # (N, classes), None where they were not asked for


class OccludedImage:
    """An image to lay patches on.

    Args:
        network: the followed model.
        image: (1, C, H, W), normalised, on the model's device and in its floating type.
        fill: what a patch shows: (C, H, W), or (C, 1, 1) for one colour.
        layer, unit: the feature map to watch.
        logits: whether the model is a classifier, (N, classes), whose answers are wanted.
        method: "incremental" computes what a patch touches and nothing else; "full" whole images; "auto" the first where the model's
            graph can be followed.
        memory_limit: bytes that a batch may take; None: a share of what is free.

    Raises LayerError for an unknown layer or unit, ModelError where `logits` are wanted of a model that gives none.
    """

    def __init__(
        self,
        network: Network,
        image: Tensor,
        fill: Tensor,
        layer: str,
        unit: int,
        *,
        logits: bool = True,
        method: Literal["auto", "incremental", "full"] = "auto",
        memory_limit: int | None = None,
    ) -> None:
        info = network.layer(layer)
        if not 0 <= unit < info.channels:
            raise LayerError(f"{layer} has {info.channels} units, 0 to {info.channels - 1}: there is no unit {unit}.")
        self._network = network
        self._image = image
        self._fill = fill.to(image).expand(image.shape[1:])
        self._layer, self._unit, self._wants_logits = layer, unit, logits
        self._limit = memory_limit if memory_limit is not None else free_share(image.device)
        self._incremental = self._followed(method)
        self.unoccluded = (
            self._whole(image.clone()) if self._incremental is None else _as_occluded(self._incremental.map, self._incremental.logits)
        )
        self.method: OcclusionMethod = "full" if self._incremental is None else "incremental"

    def run(self, placings: Sequence[Placing]) -> Occluded:
        """What the model says with each placing's patches on the image. Parts of a box beyond the image do nothing."""
        if not placings:
            return Occluded(self.unoccluded.maps[:0], None if self.unoccluded.logits is None else self.unoccluded.logits[:0])
        parts = in_batches(placings, self._batch_size(placings), self._run_batch)
        logits = [part.logits for part in parts if part.logits is not None]
        return Occluded(torch.cat([part.maps for part in parts]), torch.cat(logits) if logits else None)

    def saving(self, placings: Sequence[Placing]) -> tuple[float, float]:
        """How many times fewer multiplications these placings take than whole images do: at best, and as they are batched. (1, 1) for
        `full`."""
        return (1.0, 1.0) if self._incremental is None else self._incremental.saving(placings)

    @torch.no_grad()
    def _followed(self, method: str) -> IncrementalRun | None:
        graph, node = self._network.graph, self._network.node(self._layer)
        if method == "full" or graph is None or node is None:
            if method == "incremental":
                raise GraphError(f"Nothing can be saved: {self._network.reason} Choose method='full' or 'auto'.")
            return None
        return IncrementalRun(graph, self._image, self._fill, node, self._unit, self._answer(graph))

    @torch.no_grad()
    def _run_batch(self, placings: Sequence[Placing]) -> Occluded:
        if self._incremental is None:
            return self._whole(torch.stack([patched(self._image[0], self._fill, placing) for placing in placings]))
        return _as_occluded(*self._incremental.run(placings))

    def _answer(self, graph: Graph) -> fx.Node | None:
        """The node of the logits, where they are wanted."""
        if not self._wants_logits:
            return None
        answer = graph.trace.output.args[0]
        if not isinstance(answer, fx.Node):
            raise ModelError("The model gives several results, not (N, classes): make its bundle without categories.")
        return answer

    @torch.no_grad()
    def _whole(self, batch: Tensor) -> Occluded:
        graph, node = self._network.graph, self._network.node(self._layer)
        if graph is None or node is None:
            maps = self._network.map(batch, self._layer)[:, self._unit]
            return Occluded(maps, _checked(self._network.model(batch)) if self._wants_logits else None)
        return self._by_graph(graph, node, batch)

    def _by_graph(self, graph: Graph, node: fx.Node, batch: Tensor) -> Occluded:
        answer = self._answer(graph)
        maps = logits = batch
        for done, value in run_nodes(
            [one.node for one in graph.ancestors([node] if answer is None else [node, answer])], graph.modules, graph.source, batch
        ):
            if done is node:  # now: a later operation may overwrite it
                maps = as_maps(value)[:, self._unit].clone()
            if done is answer:
                logits = value
        return Occluded(maps, _checked(logits) if self._wants_logits else None)

    def _batch_size(self, placings: Sequence[Placing]) -> int:
        each = self._bytes_each()
        if self._incremental is not None and each * len(placings) > self._limit:  # tiles take less, but what they take is to be found out
            each = self._incremental.bytes_each(placings)
        return max(1, self._limit // each)

    def _bytes_each(self) -> int:
        """A generous guess at what one whole image takes: four of the largest maps at once."""
        graph = self._network.graph
        largest = 64 * self._image.numel() if graph is None else max(graph.map_sizes())
        return 4 * largest * self._image.element_size()


def _as_occluded(maps: Tensor, logits: Tensor | None) -> Occluded:
    return Occluded(maps, None if logits is None else _checked(logits))


def _checked(logits: object) -> Tensor:
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        raise ModelError("The model does not answer (N, classes): make its bundle without categories.")
    return logits


def free_share(device: torch.device) -> int:
    """The bytes that one computation may take by default: a quarter of what is free on the device, on a CPU 1 GiB at most."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * _SHARE)
    return min(int(psutil.virtual_memory().available * _SHARE), _MOST)


def in_batches(items: Sequence[Item], size: int, make: Callable[[Sequence[Item]], Made]) -> list[Made]:
    """What `make` gives of `items` in batches of `size`; after an out-of-memory error, of half as many, down to one at a time.

    Raises the device's error where not even one fits.
    """
    made: list[Made] = []
    first = 0
    while first < len(items):
        some = items[first : first + max(1, size)]
        try:
            made.append(make(some))
        except RuntimeError as error:
            if len(some) == 1 or not _is_out_of_memory(error):
                raise
            size = len(some) // 2
            failed = True
        else:
            failed = False
            first += len(some)
        if failed and torch.cuda.is_available():
            torch.cuda.empty_cache()  # here, where the error's traceback no longer holds the batch
    return made


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
