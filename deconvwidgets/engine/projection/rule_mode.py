"""Applying a backward rule to the forward pass of a model that cannot be traced, and rejecting operations that have none.

Rules are applied to *operations*, by a `TorchFunctionMode`. Hooks on modules would miss `F.relu`, and every module that is called twice.
In a traced model, `node_rules.py` applies them at the nodes of the graph.
"""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from deconvwidgets.engine.autograd_graph import autograd_nodes
from deconvwidgets.engine.backward_checks import Call, tensors_in
from deconvwidgets.engine.ops import UNKNOWN, Op, canonical_name, op_of
from deconvwidgets.engine.projection.rules import MAX_REJECTIONS, Rule, call_with_rule, check_rule, rejection_error
from deconvwidgets.errors import RuleError

_DETACHED = "detached from the input (by detach(), .data or torch.no_grad())"
_WITHOUT_GRADIENT = "is called under torch.no_grad() or inside a custom autograd function, where no rule can be applied"
_OPAQUE = "was computed by code that cannot be inspected (a custom autograd function, TorchScript or an extension)"
_ModuleReference = Callable[[], nn.Module | None]  # weak


@dataclass(frozen=True, order=True)
class _Rejection:
    """An operation without a backward rule, and where it was called."""

    order: int
    operation: str = field(compare=False)
    reason: str = field(compare=False)
    module: _ModuleReference = field(compare=False)
    root: _ModuleReference = field(compare=False)

    def __str__(self) -> str:
        return f"{self.operation}{self._location()} {self.reason}"

    def _location(self) -> str:
        module, root = self.module(), self.root()
        if module is None or root is None:
            return ""
        path = next((name for name, candidate in root.named_modules() if candidate is module), "")
        return f" (in {type(module).__name__}{f' {path!r}' if path else ''})"


class RuleMode(torch.overrides.TorchFunctionMode):
    """A context manager under which rectifiers have the backward pass of a rule. The forward pass is unchanged, bit for bit.

    The forward and the backward pass belong inside the `with` block. After it, no hook and no reference to a tensor remains.

    The mode records which tensors depend on the input by their *storage*, so that views, in-place operations and preallocated buffers are
    covered. A number that leaves torch (`x.max().item()`) is a constant from there on.

    Parameters
    ----------
    rule : {"deconvnet", "guided", "gradient"}
        - "deconvnet": the signal is rectified, whatever the sign of the forward value; local response normalisation passes it on.
        - "guided": as "deconvnet", and multiplied by the derivative of the rectifier.
        - "gradient": autograd's own backward pass.

    Raises
    ------
    RuleError
        If there is no such rule.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        check_rule(rule)
        self.rule = rule
        self._clear()

    def _clear(self) -> None:
        self._dependent: dict[int, tuple[StorageWeakRef, tuple[_Rejection, ...]]] = {}
        self._input_nodes: list[Any] = []  # autograd nodes of the watched tensors
        self._order = itertools.count()

    def __exit__(self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None) -> None:
        self._clear()
        super().__exit__(exc_type, exc_value, traceback)  # type: ignore[no-untyped-call]

    def watch(self, x: Tensor) -> None:
        """Mark `x` as the network's input. Call it inside the `with` block, before the forward pass.

        The network's first operation may work in place, which autograd forbids on a leaf and which would overwrite `x`: pass the network
        a clone of the leaf whose gradient is computed, and watch the clone.
        """
        if self.rule == "gradient":
            return
        self._add_dependent(x, ())
        if x.requires_grad:
            self._input_nodes.append(torch.autograd.graph.get_gradient_edge(x).node)

    def check(self, target: Tensor, layer: str) -> None:
        """Check that every operation between the input and a layer has a backward rule.

        Call it inside the `with` block as soon as the layer is computed: a later in-place operation would count as part of it.

        Parameters
        ----------
        target : Tensor
            The output of the layer.
        layer : str
            The name of the layer, for the message.

        Raises
        ------
        RuleError
            If an operation has none.
        """
        if self.rule == "gradient":
            return
        rejections = self._rejections_of(target)
        if rejections is None and self._reaches_input(target):
            raise self._error(layer, f"{target.grad_fn.name() if target.grad_fn else 'its output'} {_OPAQUE}")
        if rejections is None:
            raise self._error(layer, "no recorded operation connects it with the network's input")
        if self._is_detached(target):
            raise self._error(layer, f"it is {_DETACHED}")
        if rejections:
            raise self._error(layer, "; ".join(str(rejection) for rejection in rejections))

    def _error(self, layer: str, reason: str) -> RuleError:
        return rejection_error(layer, self.rule, reason)

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.rule == "gradient":
            return func(*args, **kwargs)
        name = canonical_name(func)
        op = op_of(name)
        if op.no_signal or (name.startswith("get ") and op is UNKNOWN):
            return func(*args, **kwargs)
        call = Call(args, kwargs, self._depends_on_input, op.like_second)
        rejections = self._check_call(func, op, call)  # before the call, which may overwrite its arguments
        result = call_with_rule(func, op, call, self.rule)
        if rejections is not None:
            changed = args[:1] if result is None else ()  # setitem returns nothing
            for tensor in tensors_in([result, changed]):
                self._add_dependent(tensor, rejections)
        return result

    def _check_call(self, func: Callable[..., Any], op: Op, call: Call) -> tuple[_Rejection, ...] | None:
        """Return the rejected operations that the results of a call depend on; None if they do not depend on the input."""
        rejections: set[_Rejection] = set()
        reason: str | None = None
        dependent = False
        for tensor in call.operands():
            inherited = self._rejections_of(tensor)
            if inherited is None and tensor.grad_fn is not None and self._reaches_input(tensor):
                inherited = (self._reject(tensor.grad_fn.name(), _OPAQUE),)
                self._add_dependent(tensor, inherited)
            if inherited is not None:
                dependent = True
                rejections.update(inherited)
                if self._is_detached(tensor):
                    reason = f"reads a tensor that was {_DETACHED}"
                elif tensor.requires_grad and not torch.is_grad_enabled():
                    reason = _WITHOUT_GRADIENT
        if not dependent:
            return None
        reason = op.rejection(call) or reason
        if reason is not None:
            rejections.add(self._reject(torch.overrides.resolve_name(func) or canonical_name(func), reason))
        return tuple(sorted(rejections)[:MAX_REJECTIONS])

    def _reject(self, name: str, reason: str) -> _Rejection:
        modules = _calling_modules()
        inner, outer = (weakref.ref(modules[0]), weakref.ref(modules[-1])) if modules else (_no_module, _no_module)
        return _Rejection(next(self._order), name, reason, inner, outer)

    def _depends_on_input(self, value: object) -> bool:
        return isinstance(value, Tensor) and self._rejections_of(value) is not None

    def _add_dependent(self, tensor: Tensor, rejections: tuple[_Rejection, ...]) -> None:
        if tensor.layout is not torch.strided:
            return
        reference = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
        self._dependent[reference.cdata] = (reference, rejections)  # the weak reference keeps the storage's address from being reused

    def _rejections_of(self, tensor: Tensor) -> tuple[_Rejection, ...] | None:
        """Return the rejected operations that a tensor depends on; None if it does not depend on the input."""
        if tensor.layout is not torch.strided:
            return None
        known = self._dependent.get(tensor.untyped_storage()._cdata)
        return None if known is None else known[1]

    def _is_detached(self, tensor: Tensor) -> bool:
        return bool(self._input_nodes) and tensor.is_floating_point() and not tensor.requires_grad

    def _reaches_input(self, tensor: Tensor) -> bool:
        """Return whether autograd's graph connects a tensor with the input. It is slow, and only needed for tensors of unknown origin."""
        return any(node in self._input_nodes for node in autograd_nodes(tensor))


def _no_module() -> None:
    """Stand in for the weak reference of a module, for an operation that was called outside of any."""


def _calling_modules() -> list[nn.Module]:
    """Return the modules whose forward pass is running, innermost first, read from the stack. Only needed for rejections."""
    modules = []
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code is nn.Module._call_impl.__code__:
            modules.append(frame.f_locals["self"])
        frame = frame.f_back  # type: ignore[assignment]
    return modules
