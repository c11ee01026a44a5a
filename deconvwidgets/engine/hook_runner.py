"""Running a model itself, and seeing the outputs of its modules by forward hooks.

The hooks are on a copy of the model that shares its tensors, so that other threads that run the model do not see them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor, nn

from deconvwidgets.engine.model_copy import copy_sharing_tensors
from deconvwidgets.errors import LayerError

OutputVisitor = Callable[[str, nn.Module, tuple[Any, ...], Any], bool]
OutputReplacement = Callable[[str, Any], Any]


class _StopForward(Exception):  # noqa: N818 - control flow: the rest of the forward pass is not needed
    pass


def run_with_hooks(model: nn.Module, batch: Tensor, visitor: OutputVisitor, replacement: OutputReplacement | None = None) -> Any:
    """Run a model on a batch, and see the output of every module call.

    Parameters
    ----------
    model : nn.Module
        The model, which is left unchanged.
    batch : Tensor (N, C, H, W)
        The model may overwrite it.
    visitor : callable
        Called as `visitor(name, module, args, output)` after each call of a submodule, where `name` is "relu#2" for the second call.
        A later in-place operation may overwrite the output. The forward pass stops if the visitor returns True.
    replacement : callable, optional
        Called before that as `replacement(name, output)`, and returns what the model and all hooks go on with.

    Returns
    -------
    Any
        The model's output; None if the forward pass was stopped.
    """
    copied = copy_sharing_tensors(model)
    count: Counter[str] = Counter()
    stop = _StopForward()  # its own, because the model may itself run another one with hooks

    def make_hook(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], Any]:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            count[name] += 1
            call = name if count[name] == 1 else f"{name}#{count[name]}"
            output = output if replacement is None else replacement(call, output)
            if visitor(call, module, args, output):
                raise stop
            return output

        return hook

    for name, module in copied.named_modules():
        module._backward_hooks.clear()  # as in a traced model; they are no part of the forward pass
        module._backward_pre_hooks.clear()
        if name:
            module.register_forward_hook(make_hook(name), prepend=replacement is not None)  # hooks of an outer run see what it returns
    try:
        return copied(batch)
    except _StopForward as stopped:
        if stopped is not stop:
            raise
        return None


def visit_calls(model: nn.Module, batch: Tensor, names: Iterable[str], visitor: Callable[[str, Tensor], None]) -> None:
    """Run a model up to the last of some module calls, and see their outputs.

    Parameters
    ----------
    model : nn.Module
    batch : Tensor (N, C, H, W)
    names : iterable of str
        Module calls ("relu#2" for the second call of a module).
    visitor : callable
        Called as `visitor(name, value)` as soon as a call returns.

    Raises
    ------
    LayerError
        If the forward pass does not make one of these calls, or if a call does not return one tensor.
    """
    pending = set(names)

    def visit(name: str, module: nn.Module, args: tuple[Any, ...], output: Any) -> bool:
        if name in pending:
            if not isinstance(output, Tensor):
                raise LayerError(f"Layer '{name}' returns {type(output).__name__}, not one tensor; choose one of its submodules.")
            pending.discard(name)
            visitor(name, output)
        return not pending

    run_with_hooks(model, batch.clone(), visit)
    if pending:
        raise LayerError(f"The forward pass did not reach {', '.join(sorted(pending))}.")
