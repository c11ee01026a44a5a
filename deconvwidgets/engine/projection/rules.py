"""How a signal goes down through the operations of a convnet: deconvnet, gradient, guided.

Zeiler & Fergus 2014, section 2.1: unpool by the switches, rectify the signal, filter transposed. Autograd already has the transpose
of everything linear, and routes pooling by its switches (adding where windows overlap), so only the rectifiers and local response
normalisation need a rule. They are replaced as *operations* while a `RuleMode` is active; hooks on modules would miss `F.relu` and
every module that is called twice.
"""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from deconvwidgets.engine.backward_checks import Call, rectifier_operand, rejection_reason, tensors_in
from deconvwidgets.engine.ops import METADATA_OPS, TRANSPOSE_PROPERTIES, canonical_name
from deconvwidgets.errors import RuleError

Rule = Literal["deconvnet", "gradient", "guided"]

_CUT = "gets a signal whose way back to the input was cut (by detach(), .data or torch.no_grad())"
_CUT_HERE = "is called under torch.no_grad(), or inside a custom autograd function, so that no rule reaches it"
_UNSEEN = "is in the graph, but came out of something no rule can look into (a custom autograd function, TorchScript or an extension)"
_ModuleReference = Callable[[], nn.Module | None]  # weak
_KEPT = 3  # a transformer has hundreds of operations without a rule; the first few, in calling order, tell the story


@dataclass(frozen=True, order=True)
class _Refusal:
    """One operation without a rule, and where it was called."""

    order: int
    operation: str = field(compare=False)
    reason: str = field(compare=False)
    module: _ModuleReference = field(compare=False)
    root: _ModuleReference = field(compare=False)

    def __str__(self) -> str:
        return f"{self.operation}{self._where()} {self.reason}"

    def _where(self) -> str:
        module, root = self.module(), self.root()
        if module is None or root is None:
            return ""
        path = next((name for name, candidate in root.named_modules() if candidate is module), "")
        return f" (in {type(module).__name__}{f' {path!r}' if path else ''})"


class RuleMode(torch.overrides.TorchFunctionMode):
    """While active, every rectifier goes down by `rule`; results of the forward pass are unchanged, bit for bit.

    - "deconvnet": the signal is rectified, whatever the sign of the forward value; local response normalisation passes it on.
    - "guided": rectified and multiplied by the derivative of the forward pass; local response normalisation passes it on.
    - "gradient": plain autograd, for rectifiers and everything else.

    Both passes belong inside the `with` block. Nothing stays behind after it: no hook, no reference to a tensor.

    The signal is followed from the watched input by the *storage* of the tensors, so that views, in-place operations and preallocated
    buffers are followed too. A number that leaves torch (`x.max().item()`) counts as a constant from there on.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        if rule not in ("deconvnet", "gradient", "guided"):
            raise RuleError(f"Unknown rule {rule!r}; use 'deconvnet', 'gradient' or 'guided'.")
        self.rule = rule
        self._forget()

    def _forget(self) -> None:
        self._signals: dict[int, tuple[StorageWeakRef, tuple[_Refusal, ...]]] = {}
        self._origins: list[Any] = []  # graph nodes of watched tensors
        self._order = itertools.count()

    def __exit__(self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None) -> None:
        self._forget()
        super().__exit__(exc_type, exc_value, traceback)  # type: ignore[no-untyped-call]

    def watch(self, x: Tensor) -> None:
        """Mark `x`, the network's input, as the origin of the signal. Call it inside the `with` block, before the forward pass.

        A network may begin with an in-place operation, which autograd refuses on a leaf and which would overwrite `x`: hand the
        network a clone of the leaf whose gradient is wanted, and watch the clone.
        """
        if self.rule == "gradient":
            return
        self._follow(x, ())
        if x.requires_grad:
            self._origins.append(torch.autograd.graph.get_gradient_edge(x).node)

    def judge(self, target: Tensor, layer: str) -> None:
        """Raise RuleError if an operation between the watched input and `target`, the output of `layer`, has no rule.

        Call it inside the `with` block as soon as `target` is there: a later in-place operation would count as part of it.
        """
        if self.rule == "gradient":
            return
        refusals = self._refusals_of(target)
        if refusals is None and self._reaches_origin(target):
            raise self._error(layer, f"{target.grad_fn.name() if target.grad_fn else 'its output'} {_UNSEEN}")
        if refusals is None:
            raise self._error(layer, "nothing that was seen connects the network's input with it")
        if self._is_cut(target):
            raise self._error(layer, "its way back to the input was cut (by detach(), .data or torch.no_grad())")
        if refusals:
            raise self._error(layer, "; ".join(str(refusal) for refusal in refusals))

    def _error(self, layer: str, reason: str) -> RuleError:
        advice = (
            ""
            if "model.eval()" in reason
            else " Use rule='gradient', which follows every differentiable operation, or choose a layer below it."
        )
        return RuleError(f"Layer {layer!r} cannot be projected with rule={self.rule!r}: {reason}.{advice}")

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.rule == "gradient":
            return func(*args, **kwargs)
        call = Call(canonical_name(func), args, kwargs, self._carries)
        if call.name in METADATA_OPS or (call.name.startswith("get ") and call.name not in TRANSPOSE_PROPERTIES):
            return func(*args, **kwargs)
        refusals = self._judge_call(func, call)  # before the call, which may overwrite its arguments
        result = self._run(func, call)
        if refusals is not None:
            changed = args[:1] if call.name == "setitem" else ()  # setitem returns nothing
            for tensor in tensors_in([result, changed]):
                self._follow(tensor, refusals)
        return result

    def _run(self, func: Callable[..., Any], call: Call) -> Any:
        """Make the call, with the rule's way down where it needs one."""
        if not torch.is_grad_enabled():
            return func(*call.args, **call.kwargs)
        lrn = call.name == "local_response_norm"
        place = (0 if call.args else "input") if lrn else rectifier_operand(call)
        if place is None:
            return func(*call.args, **call.kwargs)
        operand = call.args[place] if isinstance(place, int) else call.kwargs[place]
        if not operand.requires_grad:
            return func(*call.args, **call.kwargs)

        def forward(x: Tensor) -> Tensor:
            if isinstance(place, int):
                result: Tensor = func(*call.args[:place], x, *call.args[place + 1 :], **call.kwargs)
            else:
                result = func(*call.args, **{**call.kwargs, place: x})
            return result

        swapped: Tensor = _PassOn.apply(operand, forward) if lrn else _Rectify.apply(operand, forward, self.rule == "guided")  # type: ignore[no-untyped-call]
        return swapped

    def _judge_call(self, func: Callable[..., Any], call: Call) -> tuple[_Refusal, ...] | None:
        """The operations without a rule that this call's results descend from, itself included; None where they hold no signal."""
        carried: set[_Refusal] = set()
        reason: str | None = None
        found = False
        for tensor in call.operands():
            refusals = self._refusals_of(tensor)
            if refusals is None and tensor.grad_fn is not None and self._reaches_origin(tensor):
                refusals = (self._refuse(tensor.grad_fn.name(), _UNSEEN),)
                self._follow(tensor, refusals)
            if refusals is not None:
                found = True
                carried.update(refusals)
                if self._is_cut(tensor):
                    reason = _CUT
                elif tensor.requires_grad and not torch.is_grad_enabled():
                    reason = _CUT_HERE
        if not found:
            return None
        reason = rejection_reason(call) or reason
        if reason is not None:
            carried.add(self._refuse(torch.overrides.resolve_name(func) or canonical_name(func), reason))
        return tuple(sorted(carried)[:_KEPT])

    def _refuse(self, name: str, reason: str) -> _Refusal:
        modules = _calling_modules()
        inner, outer = (weakref.ref(modules[0]), weakref.ref(modules[-1])) if modules else (_nowhere, _nowhere)
        return _Refusal(next(self._order), name, reason, inner, outer)

    def _carries(self, value: object) -> bool:
        return isinstance(value, Tensor) and self._refusals_of(value) is not None

    def _follow(self, tensor: Tensor, refusals: tuple[_Refusal, ...]) -> None:
        if tensor.layout is not torch.strided:
            return
        reference = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
        self._signals[reference.cdata] = (reference, refusals)  # the weak reference keeps the storage's address from being reused

    def _refusals_of(self, tensor: Tensor) -> tuple[_Refusal, ...] | None:
        if tensor.layout is not torch.strided:
            return None
        known = self._signals.get(tensor.untyped_storage()._cdata)
        return None if known is None else known[1]

    def _is_cut(self, tensor: Tensor) -> bool:
        return bool(self._origins) and tensor.is_floating_point() and not tensor.requires_grad

    def _reaches_origin(self, tensor: Tensor) -> bool:
        """Whether autograd knows a way from `tensor` to the watched input; asked only of tensors that came out of nowhere."""
        seen: set[Any] = set()
        waiting = [tensor.grad_fn]
        while waiting:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            if node in self._origins:
                return True
            seen.add(node)
            waiting.extend(following for following, _ in node.next_functions)
        return False


def _nowhere() -> None:
    """Stands for a module where an operation was called outside of any."""


def _calling_modules() -> list[nn.Module]:
    """The modules whose forward pass is running, innermost first, read from the stack (only when an operation is refused)."""
    modules = []
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code is nn.Module._call_impl.__code__:
            modules.append(frame.f_locals["self"])
        frame = frame.f_back  # type: ignore[assignment]
    return modules


class _Rectify(torch.autograd.Function):
    """A rectifier whose way down is: rectify the signal; guided also multiplies by the rectifier's derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rectifier: Callable[[Tensor], Tensor], guided: bool) -> Tensor:
        ctx.save_for_backward(*([_derivative(rectifier, x)] if guided else []))
        result = rectifier(x)
        if result is x:
            ctx.mark_dirty(x)
        return result

    @staticmethod
    def backward(ctx: Any, *signals: Any) -> Any:
        signal = signals[0].clamp(min=0)
        for derivative in ctx.saved_tensors:
            signal = signal * derivative
        return signal, None, None


class _PassOn(torch.autograd.Function):
    """Local response normalisation: the signal passes as it is."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, normalise: Callable[[Tensor], Tensor]) -> Tensor:
        return normalise(x)

    @staticmethod
    def backward(ctx: Any, *signals: Any) -> Any:
        return signals[0], None


def _derivative(rectifier: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Autograd's own derivative of an elementwise function at `x`, leaving `x` alone."""
    with torch.enable_grad():
        probe = x.detach().clone().requires_grad_()
        result = rectifier(probe.clone())  # a clone, because an in-place rectifier may not overwrite a leaf
        return torch.autograd.grad(result, probe, torch.ones_like(result))[0]
