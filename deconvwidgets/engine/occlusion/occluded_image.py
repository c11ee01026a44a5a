"""The effect of patches on an image: one feature map and the logits, for many sets of patches at once.

Zeiler & Fergus 2014, section 4.2. Method "full" runs the model on whole occluded images, "incremental" on the affected regions only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import psutil
import torch
from torch import Tensor, fx

from deconvwidgets.engine.executor import Executor
from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.network import Network
from deconvwidgets.engine.occlusion.incremental import IncrementalRun, as_maps
from deconvwidgets.engine.occlusion.patches import PatchSet, patched
from deconvwidgets.errors import GraphError, LayerError, ModelError
from deconvwidgets.records.methods import OcclusionMethod

_MAX_CPU_BYTES = 1 << 30  # larger batches are not faster on a CPU
_MEMORY_SHARE = 0.25  # of the free memory

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Occluded:
    """The model's response to N patch sets.

    Attributes
    ----------
    maps : Tensor (N, h, w)
        The feature map.
    logits : Tensor (N, classes) or None
        None if they were not requested.
    """

    maps: Tensor
    logits: Tensor | None


class OccludedImage:
    """An image on which patches are placed.

    Parameters
    ----------
    network : Network
    image : Tensor (1, C, H, W)
        Normalised, on the model's device and in its floating-point type. It is left unchanged.
    fill : Tensor (C, H, W) or (C, 1, 1)
        The content of the patches.
    layer : str
        Dotted name or alias.
    unit : int
        The feature map of the layer that is returned.
    logits : bool
        Whether the logits are returned, too. The model must be a classifier, whose output is (N, classes).
    method : {"auto", "incremental", "full"}
        "incremental" computes the affected regions only, "full" whole images; "auto" is "incremental" if the model can be traced.
    memory_limit : int, optional
        Bytes that a batch may take. By default, a share of the free memory.

    Attributes
    ----------
    unoccluded : Occluded
        The response to the image without patches; N is 1.
    method : {"incremental", "full"}

    Raises
    ------
    LayerError
        If there is no such layer or unit.
    ModelError
        If `logits` is True and the model is not a classifier.
    GraphError
        If method is "incremental" and the model cannot be traced.
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
        self._layer, self._unit, self._with_logits = layer, unit, logits
        self._limit = memory_limit if memory_limit is not None else free_share(image.device)
        self._incremental = self._incremental_run(method)
        self.unoccluded = (
            self._run_whole(image.clone()) if self._incremental is None else _as_occluded(self._incremental.map, self._incremental.logits)
        )
        self.method: OcclusionMethod = "full" if self._incremental is None else "incremental"

    def run(self, patch_sets: Sequence[PatchSet]) -> Occluded:
        """Return the model's response to the image with each patch set.

        Parameters
        ----------
        patch_sets : sequence of sequences of boxes
            Each holds the patches that are on the image at the same time, as (left, top, right, bottom) in input pixels, half-open. Parts
            beyond the image have no effect.

        Returns
        -------
        Occluded
        """
        if not patch_sets:
            return Occluded(self.unoccluded.maps[:0], None if self.unoccluded.logits is None else self.unoccluded.logits[:0])
        parts = in_batches(patch_sets, self._batch_size(patch_sets), self._run_batch)
        logits = [part.logits for part in parts if part.logits is not None]
        return Occluded(torch.cat([part.maps for part in parts]), torch.cat(logits) if logits else None)

    def saving(self, patch_sets: Sequence[PatchSet]) -> tuple[float, float]:
        """Return how many times more multiplications whole images would take.

        Parameters
        ----------
        patch_sets : sequence of sequences of boxes

        Returns
        -------
        (float, float)
            Compared with the exact affected regions, and with the tiles that are computed in batches. (1, 1) for method "full".
        """
        return (1.0, 1.0) if self._incremental is None else self._incremental.saving(patch_sets)

    @torch.no_grad()
    def _incremental_run(self, method: str) -> IncrementalRun | None:
        graph, node = self._network.graph, self._network.node(self._layer)
        if method == "full" or graph is None or node is None or self._network.single:
            if method == "incremental":
                reason = self._network.reason or "the images of a batch affect each other"
                raise GraphError(f"method='incremental' requires a model that can be traced ({reason}); use method='full' or 'auto'.")
            return None
        parameters = graph.trace.bind(self._network.model)
        return IncrementalRun(graph, parameters, self._image, self._fill, node, self._unit, self._logits_node(graph))

    @torch.no_grad()
    def _run_batch(self, patch_sets: Sequence[PatchSet]) -> Occluded:
        if self._incremental is None:
            return self._run_whole(torch.stack([patched(self._image[0], self._fill, patches) for patches in patch_sets]))
        return _as_occluded(*self._incremental.run(patch_sets))

    def _logits_node(self, graph: Graph) -> fx.Node | None:
        """Return the node of the logits; None if they are not requested."""
        if not self._with_logits:
            return None
        outputs = [node for node in graph.trace.outputs if graph.is_tensor(node)]
        if len(outputs) != 1:
            raise ModelError("The model returns several values, not logits (N, classes): make its bundle without categories.")
        node: fx.Node = outputs[0]
        return node

    @torch.no_grad()
    def _run_whole(self, batch: Tensor) -> Occluded:
        if self._network.single and len(batch) > 1:
            parts = [self._run_whole(image) for image in batch[:, None]]
            logits = [part.logits for part in parts if part.logits is not None]
            return Occluded(torch.cat([part.maps for part in parts]), torch.cat(logits) if logits else None)
        graph, node = self._network.graph, self._network.node(self._layer)
        if graph is None or node is None:
            maps = self._network.map(batch, self._layer)[:, self._unit]
            return Occluded(maps, _check_logits(self._network.model(batch.clone())) if self._with_logits else None)
        return self._run_graph(graph, node, batch)

    def _run_graph(self, graph: Graph, node: fx.Node, batch: Tensor) -> Occluded:
        logits_node = self._logits_node(graph)
        maps = logits = batch
        operations = graph.ancestors([node] if logits_node is None else [node, logits_node])
        for operation, value in Executor(graph, operations, graph.trace.bind(self._network.model)).execute(batch):
            if operation.node is node:
                maps = as_maps(value)[:, self._unit].clone()
            if operation.node is logits_node:
                logits = value
        return Occluded(maps, _check_logits(logits) if self._with_logits else None)

    def _batch_size(self, patch_sets: Sequence[PatchSet]) -> int:
        bytes_each = self._bytes_each()
        if self._incremental is not None and bytes_each * len(patch_sets) > self._limit:  # tiles take less, but counting takes time
            bytes_each = self._incremental.bytes_each(patch_sets)
        return max(1, self._limit // bytes_each)

    def _bytes_each(self) -> int:
        """Return a generous estimate of the memory per whole image: four of the largest maps."""
        graph = self._network.graph
        largest = 64 * self._image.numel() if graph is None else max(graph.map_sizes())
        return 4 * largest * self._image.element_size()


def _as_occluded(maps: Tensor, logits: Tensor | None) -> Occluded:
    return Occluded(maps, None if logits is None else _check_logits(logits))


def _check_logits(logits: object) -> Tensor:
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        raise ModelError("The model does not return logits (N, classes): make its bundle without categories.")
    return logits


def free_share(device: torch.device) -> int:
    """Return the bytes that a batch may take by default: a quarter of the device's free memory, on a CPU at most 1 GiB."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * _MEMORY_SHARE)
    return min(int(psutil.virtual_memory().available * _MEMORY_SHARE), _MAX_CPU_BYTES)


def in_batches(items: Sequence[Item], size: int, function: Callable[[Sequence[Item]], Result]) -> list[Result]:
    """Call a function on batches of items. After an out-of-memory error, the batch size is halved.

    Parameters
    ----------
    items : sequence
    size : int
        Items in a batch, at first.
    function : callable
        Called with each batch.

    Returns
    -------
    list
        The result for each batch.

    Raises
    ------
    RuntimeError
        The error of `function`, if it is another one or if not even one item fits into memory.
    """
    results: list[Result] = []
    first = 0
    while first < len(items):
        batch = items[first : first + max(1, size)]
        try:
            results.append(function(batch))
        except RuntimeError as error:
            if len(batch) == 1 or not _is_out_of_memory(error):
                raise
            size = len(batch) // 2
            failed = True
        else:
            failed = False
            first += len(batch)
        if failed and torch.cuda.is_available():
            torch.cuda.empty_cache()  # here, because the error's traceback keeps the batch alive in the handler
    return results


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
