"""The measures of how far layers have converged as a table, and what they are over, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deconvwidgets.errors import CheckpointError
from deconvwidgets.figures.data_frames import import_pandas
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.evolution.records import LayerConvergence
from deconvwidgets.records.layers import LayerInfo

if TYPE_CHECKING:
    import pandas as pd


def sample_note(index: ActivationIndex) -> str:
    """Return over which crops the correlation and CKA are, in words: all different ones, or a random sample of them."""
    sampled, limit = len(index.sample), index.identity.options.samples
    if sampled < limit:
        return f"Correlation and CKA over all {sampled:,} different crops."
    return f"Correlation and CKA over a random sample of {sampled:,} of {index.crops:,} crops."


def convergence_table(layers: Sequence[LayerInfo], converged: Sequence[LayerConvergence]) -> list[dict[str, Any]]:
    """Return a row for each layer and epoch."""
    return [
        {
            "layer": info.short_name,
            "epoch": epoch,
            "correlation": float(one.correlation[column]),
            "same_strongest": float(one.same_strongest[column]),
            "cka": float(one.cka[column]),
            "constant_units": int(one.constant[column].sum()),
            "units": one.units,
            "samples": one.samples,
        }
        for info, one in zip(layers, converged, strict=True)
        for column, epoch in enumerate(one.epochs)
    ]


def convergence_frame(layers: Sequence[LayerInfo], converged: Sequence[LayerConvergence]) -> pd.DataFrame:
    """Return the table as a data frame. Raises CheckpointError if pandas is not installed."""
    pandas = import_pandas("Tables of convergence", "evolution.convergence(layer) returns arrays", CheckpointError)
    frame: pd.DataFrame = pandas.DataFrame(convergence_table(layers, converged))
    return frame
