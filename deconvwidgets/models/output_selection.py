"""Which of a model's outputs is used: of tuples, dicts and dataclasses by name or index, or by a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

from deconvwidgets.errors import ModelError

Key = str | int
Output = Key | Callable[[Any], Any]
FEWER = 2  # images
_MAX_PARTS = 8


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

    def __deepcopy__(self, memo: object) -> Part:
        return self  # it is never changed; a model's fingerprint compares such objects by identity

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


def select_output(
    probed: tuple[Any, Any], output: Output | None, names: tuple[str, ...] | None, name: str, batch: int, required: bool
) -> Part | Composed | None:
    """Return what selects the output that is used; None if there is no single one, and none is required.

    `probed` is what the model returns for `batch` images, and, if that is not one tensor, for fewer.
    """
    outputs, fewer = probed
    if callable(output):
        return _composed(outputs, output, name, batch)
    if output is not None:
        return _with_known_shape(select_key(outputs, output, name, batch), outputs, name)
    found = [(path, tensor) for path, tensor in tensors_in(outputs) if tensor.dim() and len(tensor) == batch]
    if not isinstance(outputs, Tensor):  # one dict of detections per image may look like a batch of them
        shapes = {path: tuple(tensor.shape) for path, tensor in tensors_in(fewer)}
        found = [(path, tensor) for path, tensor in found if shapes.get(path) == (FEWER, *tensor.shape[1:])]
    flat = [(path, tensor) for path, tensor in found if tensor.dim() == 2 or (tensor.dim() > 2 and set(tensor.shape[2:]) == {1})]
    if len(found) == 1 and not flat:
        flat = found  # a map of the image, or one number per image
    if len(flat) > 1 and names is not None:
        flat = [(path, tensor) for path, tensor in flat if tensor.shape[1] == len(names)]
    if len(flat) == 1 and flat[0][1].dim() in (1, 2, 4):
        path, tensor = flat[0]
        return Part(path, tensor.shape)
    if not required:
        return None
    raise ModelError(
        f"{name} returns {describe_output(outputs)}, for {batch} images: the output that is meant is not the only (N, classes). Pass "
        "output= its name, its index, or a function that takes all of it and returns (N, classes)."
    )


def _composed(outputs: Any, function: Any, name: str, batch: int) -> Composed:
    try:
        result = function(outputs)
    except (LookupError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"output= failed on what {name} returns ({type(error).__name__}: {error}). It returns {describe_output(outputs)}."
        ) from error
    if not isinstance(result, Tensor) or result.dim() not in (1, 2, 4) or len(result) != batch:
        got = f"a tensor of {tuple(result.shape)}" if isinstance(result, Tensor) else f"a {type(result).__name__}"
        raise ModelError(f"output= must return a tensor (N, classes), or (N,) for one number per image, not {got} for {batch} images.")
    return Composed(function, Part((), result.shape))


def _with_known_shape(part: Part, outputs: Any, name: str) -> Part:
    shape = part(outputs).shape
    if len(shape) not in (1, 2, 4):
        raise ModelError(
            f"{'.'.join(map(str, part.path))} of {name} is {tuple(shape)}, not (N, classes): pass output= a function that takes what the "
            "model returns and returns (N, classes)."
        )
    return part


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
