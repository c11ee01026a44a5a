"""Of the surgeries that findings suggest, those that the network allows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from deconvwidgets.errors import LayerError, ModelError
from deconvwidgets.instruments.diagnosis.records import Finding, SuggestedSurgery
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery import apply


def with_possible_surgeries(bundle: ModelBundle, findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return findings that suggest only what the network allows, and why what would mend the found ones is not possible.

    Each surgery is tried once, on a copy that shares its tensors, and runs the model: hold the device lease.

    Parameters
    ----------
    bundle : ModelBundle
    findings : sequence of Finding

    Returns
    -------
    (tuple of Finding, tuple of str)
    """
    refusals: dict[str, str | None] = {}
    checked, notes = list[Finding](), list[str]()
    for finding in findings:
        for surgery in finding.surgeries:
            if _key(surgery) not in refusals:
                refusals[_key(surgery)] = _refusal(bundle, surgery)
        possible = tuple(surgery for surgery in finding.surgeries if refusals[_key(surgery)] is None)
        checked.append(replace(finding, surgeries=possible))
        if finding.level in ("near", "found"):
            notes += [
                f"Not suggested: {surgery.label} (dw.surgery.{surgery.function}). {refusals[_key(surgery)]}"
                for surgery in finding.surgeries
                if surgery not in possible
            ]
    return tuple(checked), tuple(dict.fromkeys(notes))


def _refusal(bundle: ModelBundle, surgery: SuggestedSurgery) -> str | None:
    """Return why a network does not allow a surgery; None if it does."""
    try:
        apply(bundle, [{"operation": surgery.function, "arguments": surgery.arguments}])
    except (LayerError, ModelError) as error:
        return str(error)
    return None


def _key(surgery: SuggestedSurgery) -> str:
    return json.dumps([surgery.function, surgery.arguments], sort_keys=True, default=str)
