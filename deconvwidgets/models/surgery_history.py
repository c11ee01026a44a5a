"""The part of a model bundle that says what `dw.surgery` did to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deconvwidgets.records.surgery import SurgeryStep, surgery_label

if TYPE_CHECKING:
    from deconvwidgets.models.bundle import ModelBundle


@dataclass(frozen=True)
class SurgeryHistory:
    """What was done to the model of a `ModelBundle`, and the bundle as it was before.

    Attributes
    ----------
    surgery : tuple of SurgeryStep
        The operations of `dw.surgery`, the first one first; () for a model as it was loaded.
    before_surgery : ModelBundle or None
        The bundle before the last operation.
    """

    surgery: tuple[SurgeryStep, ...] = field(default=(), kw_only=True, compare=False, repr=False)
    before_surgery: ModelBundle | None = field(default=None, kw_only=True, compare=False, repr=False)

    @property
    def label(self) -> str:
        """The name in results and figures: "alexnet (blurred pooling)", with "random weights" if the model is not trained."""
        bundle: ModelBundle = self  # type: ignore[assignment]
        return surgery_label(bundle.name, bundle.trained, self.surgery)
