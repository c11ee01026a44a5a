"""The statistics of the inputs of batch norms, against those that training recorded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from deconvwidgets.compute.devices import to_model
from deconvwidgets.engine.executor import Executor, call_operation
from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.errors import ModelError
from deconvwidgets.instruments.diagnosis.input_records import NormDivergences
from deconvwidgets.instruments.diagnosis.limits import ENOUGH_VALUES
from deconvwidgets.models.bundle import ModelBundle

Array = NDArray[np.float64]
_DEFAULT_EPS = 1e-5


@dataclass
class _Recorded:
    """What a batch norm recorded in training, and the sums over its inputs so far. Tensors are (channels,), float64 on the CPU."""

    name: str
    mean: Tensor
    variance: Tensor
    eps: float
    sums: Tensor  # of the differences from `mean`
    squares: Tensor
    count: int = 0  # of values per channel

    def add(self, values: Tensor) -> None:
        """Add inputs (N, C, ...)."""
        centred = values.detach().float() - self.mean.to(values.device, torch.float32).view(-1, *[1] * (values.dim() - 2))
        others = [axis for axis in range(values.dim()) if axis != 1]
        self.sums += centred.sum(dim=others).cpu().double()
        self.squares += centred.square().sum(dim=others).cpu().double()
        self.count += values.numel() // values.shape[1]

    def divergence(self) -> float:
        """Return the median over channels of the divergence. Raises ModelError if that of a channel is not a finite number."""
        shift = self.sums / self.count
        variance = (self.squares / self.count - shift.square()).clamp(min=0)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            found = divergences(shift.numpy(), variance.numpy(), self.variance.numpy(), self.eps)
        if not np.isfinite(found).all():
            channel = int(np.flatnonzero(~np.isfinite(found))[0])
            raise ModelError(
                f"Batch norm {self.name}: channel {channel} of its input, or of what it recorded, contains NaN or infinity: check the "
                "weights and the input transform"
            )
        return float(np.median(found))


def divergences(shift: Array, variance: Array, recorded: Array, eps: float) -> Array:
    """Return the squared 2-Wasserstein distance of two normal distributions per channel, over the recorded variance.

    Parameters
    ----------
    shift : array (channels,)
        Mean of these inputs minus the recorded mean.
    variance, recorded : arrays (channels,)
        Variances of these inputs, and recorded.
    eps : float
        What the batch norm adds to variances.

    Returns
    -------
    array (channels,)
        (shift^2 + (deviation - recorded deviation)^2) / recorded variance: 0 for equal statistics, 1 for a constant input of the recorded
        mean.
    """
    expected = recorded + eps
    return np.asarray((shift**2 + (np.sqrt(variance + eps) - np.sqrt(expected)) ** 2) / expected)


class NormStatistics:
    """The statistics of the inputs of all batch norms of a bundle's model that have recorded some.

    A model that cannot be traced has none here. Statistics that several calls share are a mixture of their inputs, with which eval mode
    normalises each call, but training mode did not: neither these calls nor what depends on them have inputs as in training, and they are
    left out.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        self._bundle, self._graph = bundle, bundle.network.graph
        self._found: dict[fx.Node, _Recorded] = {}
        self._mixed: list[str] = []
        if self._graph is not None:
            self._values = self._graph.trace.bind(bundle.network.model)
            self._prepare(self._graph)

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, batch: Tensor) -> None:
        """Add the statistics of a batch (N, C, H, W) of inputs."""
        if self._graph is None or not self._found:
            return
        batch = to_model(batch, self._bundle.model)
        with torch.no_grad():
            for part in torch.split(batch, 1 if self._bundle.network.single else len(batch)):
                self._run(self._graph, part)

    def divergences(self) -> NormDivergences:
        """Return the divergence of each batch norm of which enough was seen. Raises ModelError if statistics are not finite numbers."""
        found = [(recorded, recorded.divergence()) for recorded in self._found.values()]
        enough = [(recorded.name, value) for recorded, value in found if recorded.count >= ENOUGH_VALUES]
        return NormDivergences(
            names=tuple(name for name, _ in enough),
            values=np.array([value for _, value in enough], np.float64),
            too_few=tuple(recorded.name for recorded, _ in found if recorded.count < ENOUGH_VALUES),
            mixed=tuple(dict.fromkeys(self._mixed)),
        )

    def _run(self, graph: Graph, batch: Tensor) -> None:
        def call(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if operation.node in self._found:
                self._found[operation.node].add(args[0])
            return call_operation(operation, args, kwargs)

        for _ in Executor(graph, graph.ancestors(self._found), self._values, call).execute(batch):
            pass

    def _prepare(self, graph: Graph) -> None:
        recorded = self._recorded(graph)
        shared = Counter((node.args[3], node.args[4]) for node in recorded)
        depends: set[fx.Node] = set()  # on a batch norm that shares its statistics
        for node in graph.operations:
            if not depends.isdisjoint(node.all_input_nodes) or (node in recorded and shared[node.args[3], node.args[4]] > 1):
                depends.add(node)
            if node in recorded and node in depends:
                self._mixed.append(recorded[node].name)
            elif node in recorded:
                self._found[node] = recorded[node]

    def _recorded(self, graph: Graph) -> dict[fx.Node, _Recorded]:
        """Return what each call of a batch norm has recorded, in order of execution."""
        found = {}
        for node, operation in graph.operations.items():
            if operation.op.role != "batch norm" or len(node.args) < 5:
                continue
            mean, variance = (self._values.get(value) if isinstance(value, fx.Node) else None for value in node.args[3:5])
            if mean is None or variance is None or _is_new(mean, variance):
                continue
            zeros = torch.zeros(len(mean), dtype=torch.float64)
            known = mean.detach().cpu().double(), variance.detach().cpu().double()
            found[node] = _Recorded(operation.module, *known, _eps(node), zeros, zeros.clone())
        return found


def _is_new(mean: Tensor, variance: Tensor) -> bool:
    """Return whether statistics are those that a batch norm is made with: it has recorded nothing."""
    return not mean.any() and bool((variance == 1).all())


def _eps(node: fx.Node) -> float:
    """Return what a batch norm adds to variances: batch_norm(input, weight, bias, mean, variance, training, momentum, eps, cudnn)."""
    value = node.args[7] if len(node.args) > 7 else _DEFAULT_EPS
    return float(value) if isinstance(value, int | float) else _DEFAULT_EPS
