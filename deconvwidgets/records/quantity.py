"""What the numbers that a model returns are: probabilities of classes, or values in a unit. Every instrument reads it from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Task = Literal["softmax", "probabilities", "multilabel", "binary", "regression"]
Activation = Literal["softmax", "sigmoid", "none"]
QuantityKind = Literal["probability", "value"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """The quantity that a model predicts, and the function that maps its output to it.

    Attributes
    ----------
    task : {"softmax", "probabilities", "multilabel", "binary", "regression"}
        - "softmax": logits of classes that exclude each other.
        - "probabilities": probabilities of such classes; they sum to 1.
        - "multilabel": classes that do not exclude each other, each with its own probability.
        - "binary": one number for two classes. Its sigmoid is the probability of the second class.
        - "regression": values.
    activation : {"softmax", "sigmoid", "none"}
        What maps the model's output to probabilities or values. "none" if the model applies it itself.
    unit : str
        The unit of the values of a regression ("m"); "" if they have none.

    Examples
    --------
    >>> Quantity("softmax").describe("cat")
    'probability of cat'
    >>> Quantity("regression", "none", "m").describe("depth")
    'depth in m'
    """

    task: Task = "softmax"
    activation: Activation = "softmax"
    unit: str = ""

    @property
    def kind(self) -> QuantityKind:
        """ "probability", from 0 to 1, or "value", of any size and sign."""
        return "value" if self.task == "regression" else "probability"

    def __repr__(self) -> str:
        applied = f"{self.activation} applied" if self.task in ("multilabel", "binary") and self.activation != "none" else ""
        return f"Quantity({', '.join(part for part in (self.task, applied, self.unit) if part)})"

    def describe(self, name: str) -> str:
        """Return the quantity of a class or of an output: "probability of cat", "depth in m"."""
        if self.kind == "probability":
            return f"probability of {name}"
        return f"{name} in {self.unit}" if self.unit else name

    def format(self, value: float) -> str:
        """Return a value with its unit: "12%", "3.25 m"."""
        if self.kind == "probability":
            return format_percent(value)
        return f"{format_value(value)} {self.unit}".rstrip()


SOFTMAX = Quantity()


def format_percent(share: float) -> str:
    """Return a probability as a percentage, with one decimal close to 0 and to 100."""
    if 0 < share < 0.0005 or 0.9995 <= share < 1:
        return "<0.1%" if share < 0.5 else ">99.9%"
    return f"{100 * share:.1f}%" if 0 < share < 0.0995 or 0.99 < share < 1 else f"{100 * share:.0f}%"


def format_value(value: float) -> str:
    """Return a number with four significant digits, and no exponent from 0.001 to a million."""
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e6:
        return f"{value:.3e}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"
