"""What a model returns for a few inputs, as evidence of what its outputs are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deconvwidgets.engine.example import example_batch, example_output
from deconvwidgets.errors import ModelError

_EXTREME = 1000.0  # standard deviations: logits and values leave [0, 1] there, probabilities do not
_MODERATE = 3  # inputs, which come first
_SUM_TOLERANCE = {torch.float16: 1e-2, torch.bfloat16: 5e-2}
_DEFAULT_SUM_TOLERANCE = 1e-4
# The last operation of a network whose outputs are logits or values, whatever they happen to be for a few inputs.
_LINEAR = ("Addmm", "Mm", "Bmm", "Baddbmm", "Linear", "Add", "Convolution", "Mean")
_SHAPE_ONLY = frozenset(["View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Select", "Slice", "ToCopy", "Alias", "Clone"])


def probe_inputs(model: nn.Module, size: tuple[int, int, int]) -> Tensor:
    """Return five different inputs (5, C, H, W): noise from 0 to 1, normal noise, zeros, and normal noise times 1000 and -1000."""
    noise = example_batch(model, size)
    normal = torch.randn((2, *size), generator=torch.Generator().manual_seed(0)).to(noise)
    return torch.cat([noise, normal[:1], torch.zeros_like(noise), _EXTREME * normal[1:], -_EXTREME * normal[1:]])


def probe(model: nn.Module, inputs: Tensor) -> Any:
    """Return what a model returns for inputs, which are left unchanged. Raises ModelError if the model rejects them."""
    try:
        return example_output(model, inputs)
    except (AssertionError, LookupError, AttributeError, ArithmeticError) as error:  # of the model's own code
        size = tuple(inputs.shape[1:])
        raise ModelError(
            f"{type(model).__name__} cannot run on inputs of {size} ({type(error).__name__}: {error}). Pass the input_size that it expects."
        ) from error


def probe_all(model: nn.Module, size: tuple[int, int, int]) -> tuple[Tensor, Any]:
    """Return inputs and what a model returns for them: all of `probe_inputs`, or those that are not extreme if it rejects the others.

    Raises
    ------
    ModelError
        If the model rejects inputs of that size.
    """
    inputs = probe_inputs(model, size)
    try:
        return inputs, probe(model, inputs)
    except ModelError:
        return inputs[:_MODERATE], probe(model, inputs[:_MODERATE])


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of outputs (N, outputs) from several inputs.

    Attributes
    ----------
    unit_interval : bool
        Whether all are from 0 to 1, also for extreme inputs, and not the result of a linear operation.
    sum_to_one : bool
        Whether, furthermore, those of each input sum to 1.
    sigmoid : bool
        Whether, furthermore, a sigmoid is the network's last operation.
    """

    unit_interval: bool
    sum_to_one: bool
    sigmoid: bool

    @classmethod
    def of(cls, outputs: Tensor, last_operation: Callable[[], str]) -> Evidence:
        """Return the evidence in outputs (N, outputs). `last_operation` returns the name of the network's last operation, "" if unknown."""
        rows = outputs.detach().cpu().double()
        rows = rows[torch.isfinite(rows).all(dim=1)]
        varied = len(rows) >= 3 and not torch.equal(rows, rows[:1].expand_as(rows))
        tolerance = _SUM_TOLERANCE.get(outputs.dtype, _DEFAULT_SUM_TOLERANCE)
        if not varied or not bool(((rows >= -1e-6) & (rows <= 1 + tolerance)).all()):
            return cls(False, False, False)
        last = last_operation()
        inside = last not in _LINEAR
        sums = inside and rows.shape[1] > 1 and bool(((rows.sum(dim=1) - 1).abs() <= tolerance).all())
        return cls(inside, sums, last == "Sigmoid")


def last_operation(model: nn.Module, select: Callable[[Any], Any], inputs: Tensor) -> str:
    """Return autograd's name of the network's last operation that computes anything ("Softmax", "Addmm", ...); "" if it is not known."""
    try:
        with torch.enable_grad():
            output = select(model(inputs[:2].clone().requires_grad_() * 1))  # * 1: the first operation may work in place
    except (RuntimeError, ValueError, TypeError, NotImplementedError, LookupError, AttributeError):
        return ""
    function = output.grad_fn if isinstance(output, Tensor) else None
    while function is not None and _name(function) in _SHAPE_ONLY and function.next_functions:
        function = function.next_functions[0][0]
    return "" if function is None else _name(function)


def _name(function: Any) -> str:
    return str(function.name()).rpartition("::")[2].split("Backward")[0]
