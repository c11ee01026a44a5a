"""The end of a training within an epoch."""

from __future__ import annotations

import warnings


def warn_of_partial_epoch(epochs: float) -> None:
    """Warn that what a training did after its last complete epoch is not recorded. `epochs` has a fraction."""
    warnings.warn(
        f"The training ended within an epoch, after {epochs:.2f} epochs: only complete epochs are recorded, so the last weights are not "
        "among the checkpoints.",
        stacklevel=3,
    )
