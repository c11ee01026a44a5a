"""Decide what a model's outputs are: the output that is used, and whether it is logits, probabilities or values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn

from deconvwidgets.arguments import describe
from deconvwidgets.errors import ModelError
from deconvwidgets.models.output_selection import FEWER, Output, Part, select_output
from deconvwidgets.models.probe import Evidence, last_operation, probe, probe_all
from deconvwidgets.models.selected_output import SelectedOutput
from deconvwidgets.records.quantity import Activation, Quantity, Task

TaskName = Task | Literal["auto"] | None
_TASKS = (*get_args(Task), "auto")
_CHOICES = ", ".join(map(repr, _TASKS))


@dataclass(frozen=True, slots=True)
class Decision:
    """What a model's outputs are.

    Attributes
    ----------
    model : nn.Module
        The model, or one that returns a part of what it returns.
    quantity : Quantity or None
        None if the model predicts nothing that is shown.
    categories : tuple of str or None
        The names of the classes or outputs.
    classifier : str or None
        A description of what the model predicts; None if it predicts nothing, and if it predicts a map of the image.
    notes : tuple of str
        What was decided, and why.
    """

    model: nn.Module
    quantity: Quantity | None
    categories: tuple[str, ...] | None
    classifier: str | None
    notes: tuple[str, ...]


def decide_task(
    model: nn.Module,
    input_size: tuple[int, int, int],
    name: str,
    categories: Sequence[str] | None,
    task: TaskName,
    output: Output | None,
    unit: str = "",
) -> Decision:
    """Decide which output of a model is used, and what it is.

    "auto" runs the model on five inputs, some of them extreme. Outputs that are never negative and always sum to 1 are probabilities;
    those from 0 to 1 that a sigmoid returns are labels that do not exclude each other; one output is a regression, or binary if there are
    two names. Everything else with names is logits of a softmax.

    Raises
    ------
    ModelError
        If there is no such task or output, if the outputs do not fit the task or the names, or if the model rejects its inputs.
    """
    if task is not None and (not isinstance(task, str) or task not in _TASKS):
        raise ModelError(
            f"There is no task {describe(task)}: choose {', '.join(map(repr, _TASKS))}, or None for a model that predicts nothing."
        )
    if not isinstance(unit, str):
        raise ModelError(f"unit must be a string such as 'm', not {describe(unit)}.")
    if unit and task not in ("auto", "regression"):
        raise ModelError(f"A unit such as {unit!r} is that of a regression's values: pass task='regression', or leave unit out.")
    names = None if categories is None else tuple(str(category) for category in categories)
    try:
        inputs, outputs = probe_all(model, input_size)
    except ModelError:
        if task in ("auto", None) and names is None and output is None:  # whatever needs the model says what is wrong
            return Decision(model, None, None, None, ())
        raise
    again = outputs if isinstance(outputs, Tensor) else probe(model, inputs[:FEWER])
    required = task not in ("auto", None) or names is not None
    select = select_output((outputs, again), output, names, name, len(inputs), required)
    if select is None:
        return Decision(model, None, None, None, ())
    used = model if isinstance(select, Part) and select.is_identity else SelectedOutput(model, select)
    if task is None:
        return Decision(used, None, names, None, ())
    selected = select(outputs)
    evidence = Evidence.of(_rows(selected), lambda: last_operation(model, select, inputs))
    case = _Case(name, tuple(selected.shape[1:]), names, evidence, unit)
    quantity, note = case.decide(task)
    if quantity is None:
        return Decision(model if output is None else used, None, names, None, ())
    notes = tuple(filter(None, [note, case.maps_note() if case.dense else ""]))
    return Decision(used, quantity, case.names_for(quantity), None if case.dense else case.describe(quantity), notes)


@dataclass(frozen=True, slots=True)
class _Case:
    """The facts that the decision depends on."""

    model: str
    shape: tuple[int, ...]  # of the output, without the batch
    names: tuple[str, ...] | None
    evidence: Evidence
    unit: str

    @property
    def outputs(self) -> int:
        """Number of outputs, or of channels of maps."""
        return self.shape[0]

    @property
    def dense(self) -> bool:
        """Whether the outputs are maps of the image."""
        return len(self.shape) > 1

    def decide(self, task: str) -> tuple[Quantity | None, str]:
        """Return the quantity, and the note that says what was decided."""
        if task != "auto":
            quantity = self._explicit(task)
            already = quantity.activation == "none" and quantity.task in ("multilabel", "binary")
            return quantity, "The outputs are probabilities already, so no sigmoid is applied." if already else ""
        return self._auto()

    def _auto(self) -> tuple[Quantity | None, str]:
        named, evidence = self.names is not None, self.evidence
        if self.outputs == 1 and (not self.dense or named):
            return self._auto_single()
        if not named:
            return None, ""
        self._require_names(self.outputs)
        if evidence.sum_to_one:
            return Quantity("probabilities", "none"), (
                "The outputs are probabilities already: they sum to 1 for every input that was tried, so no softmax is applied."
            )
        if evidence.sigmoid:
            return Quantity("multilabel", "none"), (
                "The outputs are one probability per class, which do not sum to 1: the model ends in a sigmoid. Each class is shown by "
                "itself (task='multilabel')."
            )
        if evidence.unit_interval:
            return Quantity(), (
                "The outputs are taken as logits of a softmax, although they were between 0 and 1 for every input that was tried: if each "
                "is the probability of a class by itself, pass task='multilabel'; if it is a value, task='regression'."
            )
        return Quantity(), ""  # as for most classifiers: the description says so

    def _auto_single(self) -> tuple[Quantity, str]:
        names = self.names or ()
        if len(names) == 2:
            quantity = self._explicit("binary")
            what = "a probability already" if quantity.activation == "none" else "a logit, to which a sigmoid is applied"
            return quantity, f"The output is one number for two classes, {what} (task='binary')."
        self._require_names(1)
        if names and self.evidence.sigmoid:
            return Quantity("multilabel", "none"), f"The output is the probability of {names[0]}: the model ends in a sigmoid."
        doubt = "" if names or self.unit else " If it is the logit of two classes, pass categories=['no', 'yes']."
        return Quantity("regression", "none", self.unit), f"The output is one number, taken as a value (task='regression').{doubt}"

    def _explicit(self, task: str) -> Quantity:
        if task == "binary" or (task == "probabilities" and self.outputs == 1 and len(self.names or ()) == 2):
            return self._binary(task)
        self._require_names(self.outputs)
        if task == "regression":
            return Quantity("regression", "none", self.unit)
        if task == "multilabel":
            return Quantity("multilabel", "none" if self.evidence.unit_interval else "sigmoid")
        if self.outputs == 1:
            raise ModelError(
                f"{self.model} returns one number, but the probability of one class is always 1: pass task='binary' with two "
                "categories for a logit, or task='regression' for a value."
            )
        if task == "softmax" and self.evidence.sum_to_one:
            raise ModelError(
                f"{self.model} returns probabilities already: they sum to 1 for every input that was tried, so a softmax would be applied "
                "twice. Pass task='probabilities', or task='auto'."
            )
        if task == "probabilities" and not self.evidence.sum_to_one:
            other = "multilabel" if self.evidence.unit_interval else "softmax"
            raise ModelError(
                f"{self.model} does not return probabilities that sum to 1 (for five inputs, some of them extreme): pass task={other!r}."
            )
        return Quantity("probabilities", "none") if task == "probabilities" else Quantity()

    def _binary(self, task: str) -> Quantity:
        if self.outputs != 1:
            other = "'softmax', 'multilabel' or 'regression'"
            raise ModelError(f"{self.model} returns {self.outputs:,} outputs, but task='binary' is for one: pass task={other}.")
        if self.names is not None and len(self.names) != 2:
            raise ModelError(
                f"task='binary' needs the names of two classes, not {len(self.names)}: pass categories=['no', 'yes'], the second of which "
                "is the one that a large output speaks for."
            )
        if task == "probabilities" and not self.evidence.unit_interval:
            raise ModelError(f"{self.model} does not return a probability from 0 to 1: pass task='binary' for a logit.")
        return Quantity("binary", "none" if self.evidence.unit_interval else "sigmoid")

    def _require_names(self, count: int) -> None:
        if self.names is None or len(self.names) == count:
            return
        what = "channels of maps" if self.dense else "outputs" if self.outputs > 1 else "output"
        raise ModelError(
            f"categories has {len(self.names):,} {'name' if len(self.names) == 1 else 'names'} for the {self.outputs:,} {what} of "
            f"{self.model}: pass a name for each, categories=[...], in their order, or leave categories out. If it is not "
            "the output that you mean, choose another one with output=..."
        )

    def names_for(self, quantity: Quantity) -> tuple[str, ...]:
        """Return the names of the classes or outputs: those that are given, or generated ones."""
        if self.names is not None:
            return self.names
        if quantity.task == "binary":
            return ("no", "yes")
        if quantity.task == "regression":
            return ("value",) if self.outputs == 1 else tuple(f"output {number}" for number in range(self.outputs))
        return tuple(f"class {number}" for number in range(self.outputs))

    def describe(self, quantity: Quantity) -> str:
        """Return what the model predicts, in words."""
        if quantity.kind == "probability":
            how = _APPLIED[quantity.activation]
            return f"your model's own classes ({how if quantity.task == 'softmax' else f'{quantity.task}, {how}'})"
        values = "value" if self.outputs == 1 else f"{self.outputs:,} values"
        return f"your model's own {values}" + (f", in {quantity.unit}" if quantity.unit else "")

    def maps_note(self) -> str:
        """Return the note for a model that returns maps."""
        size = " x ".join(map(str, self.shape))
        return (
            f"The model returns maps ({size}), one prediction per position: choose one, dw.occlude(..., target=(class, row, column)), or "
            "output=a function that returns (N, classes). Without, there are no predictions, only feature maps."
        )


def _rows(selected: Tensor) -> Tensor:
    """Return outputs as rows (rows, outputs); of maps, one of every position."""
    return selected if selected.dim() == 2 else selected.movedim(1, -1).reshape(-1, selected.shape[1])


_APPLIED: dict[Activation, str] = {
    "softmax": "softmax of its logits",
    "sigmoid": "sigmoid of its logits",
    "none": "as it returns them",
}
