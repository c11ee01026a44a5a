"""A model of which one output is used: of tuples, dicts, dataclasses, or by a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, nn

from deconvwidgets.errors import ModelError

Key = str | int
Output = Key | Callable[[Any], Any]


class SelectedOutput(nn.Module):
    """A model whose forward returns a part of what another model returns.

    Modules, parameters and buffers are those of `original`, which is not changed, and all layers keep their names.

    Parameters
    ----------
    original : nn.Module
        The model.
    select : callable
        Takes what the model returns, and returns the part.
    """

    def __init__(self, original: nn.Module, select: Callable[[Any], Any]) -> None:
        super().__init__()
        self.training = original.training
        # The original is not registered as a submodule, which would prefix all names. The dictionaries are shared: moving this model to
        # another device replaces the buffers in them, and the original must not keep the old buffers.
        self.__dict__["original"] = original
        self._parameters, self._buffers, self._modules = original._parameters, original._buffers, original._modules
        self._non_persistent_buffers_set = original._non_persistent_buffers_set
        self.select = select

    def forward(self, batch: Tensor) -> Any:
        """Return the selected output."""
        original = self.__dict__["original"]
        # Called directly, a model with hooks would skip them; called as a module, it would not be found by a tracer.
        hooked = original._forward_hooks or original._forward_pre_hooks
        return self.select(original(batch) if hooked else original.forward(batch))


class Part:
    """Selects a part of a model's output by its path, such as ("logits",) or (0, "out"), and gives it the shape (N, outputs)."""

    def __init__(self, path: Sequence[Key], shape: Sequence[int] = ()) -> None:
        self.path = tuple(path)
        self._add_column, self._flatten = len(shape) == 1, len(shape) > 2 and set(shape[2:]) == {1}

    def __call__(self, output: Any) -> Any:
        """Return the part: (N, 1) for (N,), and (N, C) for (N, C, 1, 1)."""
        for key in self.path:
            output = part_of(output, key)
        return output[:, None] if self._add_column else output.flatten(1) if self._flatten else output

    @property
    def is_identity(self) -> bool:
        """Whether it returns the output itself."""
        return not (self.path or self._add_column or self._flatten)


class Composed:
    """Applies a function to a model's output, and `part` to its result."""

    def __init__(self, function: Callable[[Any], Any], part: Part) -> None:
        self.function, self.part = function, part

    def __call__(self, output: Any) -> Any:
        """Return the part of what the function returns."""
        return self.part(self.function(output))


def part_of(output: Any, key: Key) -> Any:
    """Return an element of a tuple, list or mapping, or an attribute. Raises KeyError, IndexError, AttributeError or TypeError."""
    return getattr(output, key) if isinstance(key, str) and not isinstance(output, Mapping) else output[key]


def tensors_in(output: Any, path: tuple[Key, ...] = ()) -> Iterator[tuple[tuple[Key, ...], Tensor]]:
    """Yield the path and the tensor of each tensor in a nested output of tuples, lists, dicts and dataclasses."""
    if isinstance(output, Tensor):
        yield path, output
        return
    items: Iterator[tuple[Any, Any]]
    if isinstance(output, Mapping):
        items = iter(output.items())
    elif is_dataclass(output) and not isinstance(output, type):
        items = ((field.name, getattr(output, field.name)) for field in fields(output))
    elif isinstance(output, tuple) and hasattr(output, "_fields"):
        items = zip(getattr(output, "_fields"), output, strict=True)  # noqa: B009 - a named tuple, which typing cannot express
    elif isinstance(output, list | tuple):
        items = iter(enumerate(output))
    else:
        return
    for key, value in items:
        yield from tensors_in(value, (*path, key))


def describe_output(output: Any) -> str:
    """Return what a model's output is made of, with shapes: "output['logits'] (2, 10), output['features'] (2, 512)"."""
    parts = [f"{_spelled(path)} {tuple(tensor.shape)}" for path, tensor in tensors_in(output)]
    shown = ", ".join(parts[:_MAX_PARTS]) + (f" and {len(parts) - _MAX_PARTS} more" if len(parts) > _MAX_PARTS else "")
    return shown or f"a {type(output).__name__} without tensors"


def select_key(output: Any, key: Key, name: str, batch: int) -> Part:
    """Return the selector of a named or numbered output. Raises ModelError if there is none, with a list of what there is."""
    try:
        value = None if isinstance(output, Tensor) else part_of(output, key)
    except (KeyError, IndexError, AttributeError, TypeError):
        value = None
    if not isinstance(value, Tensor) or not value.dim() or len(value) != batch:
        raise ModelError(
            f"{name} has no output {key!r} that is a tensor (N, ...). It returns {describe_output(output)} for {batch} images: pass "
            "output= the name or the index of one, or a function that takes all of it and returns (N, classes)."
        )
    return Part((key,), value.shape)


def _spelled(path: Sequence[Key]) -> str:
    return "output" + "".join(f"[{key!r}]" for key in path)


_MAX_PARTS = 8
