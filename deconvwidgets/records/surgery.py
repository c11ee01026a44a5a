"""What was done to a network by `dw.surgery`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Counts = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class SurgeryStep:
    """One operation on a network: what was done, and what became of its parameters.

    A value of a parameter is kept if the new network has it as it was. What was rescaled, resampled, averaged or copied counts as cut and
    as new. For each parameter of the old network, the values kept and cut are all of its values; for each one of the new network, those
    kept and new are. Running statistics of batch norm are no parameters.

    Attributes
    ----------
    operation : str
        The function of `dw.surgery`, such as "swap_pooling".
    label : str
        A few words for titles, such as "blurred pooling".
    description : str
        What was done, as sentences.
    arguments : mapping of str to Any
        The arguments of the function, without the bundle, as plain values. Default choices are written out.
    kept, cut, new : tuple of (str, int)
        Numbers of values by the dotted name of the parameter, without parameters of which there are none.

    Examples
    --------
    >>> step = SurgeryStep("swap_pooling", "blurred pooling", "", {"layers": ["pool1"], "to": "blur"}, kept=(("0.weight", 8),))
    >>> step.counts
    (8, 0, 0)
    """

    operation: str
    label: str
    description: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    kept: Counts = ()
    cut: Counts = ()
    new: Counts = ()

    @property
    def counts(self) -> tuple[int, int, int]:
        """The numbers of values that were kept, cut and made new."""
        kept, cut, new = (sum(count for _, count in counts) for counts in (self.kept, self.cut, self.new))
        return (kept, cut, new)


def surgery_label(name: str, trained: bool, steps: tuple[SurgeryStep, ...]) -> str:
    """Return the name of a model with what views have to say of it: that its weights are random, and what was done to it.

    >>> surgery_label("zfnet", False, ())
    'zfnet (random weights)'
    >>> surgery_label("alexnet", True, (SurgeryStep("swap_pooling", "blurred pooling", ""),))
    'alexnet (blurred pooling)'
    """
    done = [step.label for step in steps] if len(steps) <= _MAX_LABELS else [f"{len(steps)} operations of surgery"]
    parts = [*([] if trained else ["random weights"]), *done]
    return f"{name} ({', '.join(parts)})" if parts else name


_MAX_LABELS = 2
