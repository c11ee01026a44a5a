"""Several diagnoses beside each other: what a row of the comparison says, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from deconvwidgets.instruments.diagnosis.figures.energy import largest_share
from deconvwidgets.instruments.diagnosis.map_aliasing import MapAliasing, share_text
from deconvwidgets.instruments.diagnosis.records import CHECKS, Diagnosis, Finding, FirstLayer

NO_FIRST = "No convolution that reads the input is known."


def title(diagnoses: Sequence[Diagnosis]) -> str:
    """Return the models: "alexnet beside vgg16"."""
    return " beside ".join(diagnosis.model for diagnosis in diagnoses)


def same_photographs(diagnoses: Sequence[Diagnosis]) -> bool:
    """Return whether all were made on the same image set, as far as its name and the number of photographs say."""
    return len({(diagnosis.image_set, diagnosis.photographs) for diagnosis in diagnoses}) == 1


def subtitle(diagnoses: Sequence[Diagnosis]) -> str:
    """Return on what they were made."""
    if not same_photographs(diagnoses):
        return "diagnosed on different photographs"
    return f"each diagnosed on {diagnoses[0].photographs:,} photographs of {diagnoses[0].image_set}"


def caption() -> str:
    """Return how the comparison is meant."""
    return (
        "First-layer filters from low to high mean frequencies; mid-gray is zero. Energy by spatial frequency in cycles per pixel, on one "
        "scale: strong blue is above what the stride carries, and is aliased. High frequencies count only against the stride. The checks "
        "extend what Zeiler & Fergus 2014, section 4.1, saw by eye; the limits are our choice."
    )


def measured_on(diagnosis: Diagnosis, same: bool) -> str:
    """Return the weights of a model, and what was measured; unless the photographs are the same for all, also these."""
    photographs = "" if same else f", {diagnosis.photographs:,} photographs of {diagnosis.image_set}"
    return f"{diagnosis.weights}; {diagnosis.units:,} units checked{photographs}"


def first_layer_text(layer: FirstLayer | None) -> str:
    """Return "64 filters of conv1, 11 x 11, stride 4"."""
    if layer is None:
        return NO_FIRST
    rows, columns = layer.kernel_size
    stride = str(layer.stride[0]) if layer.stride[0] == layer.stride[1] else f"{layer.stride[0]} x {layer.stride[1]}"
    return f"{len(layer.weights):,} filters of {layer.alias}, {rows} x {columns}, stride {stride}"


def aliased_share(layer: FirstLayer | None) -> float | None:
    """Return the mean aliased share, 0 to 1: of the filters' responses, or after a blur of the map; None if it is not known."""
    if layer is None:
        return None
    blurred = _blurred(layer)
    share = layer.aliased_mean if blurred is None else blurred.mean
    return None if math.isnan(share) else share


def aliased_text(layer: FirstLayer | None) -> str:
    """Return the aliased share, in words."""
    share = aliased_share(layer)
    if layer is None or share is None:
        return "not measured"
    blurred = _blurred(layer)
    if blurred is not None:
        return f"{share_text(share)} of the map after the blur; {share_text(blurred.unblurred_mean)} before it"
    if max(layer.stride) == 1:
        return "0%: a stride of 1 carries all frequencies"
    over = int((layer.aliased > 0.5).sum())
    return f"{share:.0%} of a filter's responses, on average; more than half in {over} of {len(layer.aliased)}"


def _blurred(layer: FirstLayer) -> MapAliasing | None:
    """Return what is aliased of a map that is blurred before it is subsampled; None for any other."""
    return layer.map_aliasing if layer.map_aliasing is not None and layer.map_aliasing.blurred else None


def largest_of(diagnoses: Sequence[Diagnosis]) -> float:
    """Return the largest share of the energy in one bin of all first layers, so that they are drawn on one scale."""
    return max((largest_share(one.first_layer) for one in diagnoses if one.first_layer is not None), default=1.0)


def findings_by_check(diagnoses: Sequence[Diagnosis]) -> list[tuple[str, list[Finding | None]]]:
    """Return the title of each check, in the order of the report, with the finding of each diagnosis."""
    rows = []
    for check in CHECKS:
        found = [next((one for one in diagnosis.findings if one.check == check), None) for diagnosis in diagnoses]
        name = next((one.title for one in found if one is not None), None)
        if name is not None:
            rows.append((name, found))
    return rows
