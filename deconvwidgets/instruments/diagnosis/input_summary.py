"""What the check of an input says in words, and what it does not detect."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log2

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.instruments.diagnosis.input_records import InputVariant
from deconvwidgets.instruments.diagnosis.limits import INPUT_FOUND, INPUT_NEAR, SWEEP_LEVEL

_RANK = ("not_checked", "clear", "near", "found")


def judged(
    traced: bool,
    operated: bool,
    divergences: NDArray[np.float64],
    photographs: int,
    variants: Sequence[InputVariant],
    better: Sequence[int],
    labelled: int,
) -> tuple[str, str]:
    """Return the level of an input check, and its summary.

    Parameters
    ----------
    traced : bool
        Whether the model could be traced, so that its batch norms are known.
    operated : bool
        Whether the network was changed by `dw.surgery`, so that its batch norms may have other inputs for that reason.
    divergences : array (batch norms,)
        () if there are none.
    photographs : int
        That the divergences were measured on.
    variants : sequence of InputVariant
        The sweep, as given first; () if there was none.
    better : sequence of int
        The variants that are better than as given, beyond chance.
    labelled : int
        The photographs of the sweep.
    """
    levels, parts = ["not_checked"], []
    if len(divergences) and operated:
        parts.append(
            f"The first batch norm's input diverges by {float(divergences[0]):.2g} from what training recorded, which is not judged: the "
            "network was changed by surgery, which may change it too. Check the input before the surgery."
        )
    elif len(divergences):
        first = float(divergences[0])
        levels.append("found" if first >= INPUT_FOUND else "near" if first >= INPUT_NEAR else "clear")
        verdict = {"found": "another input than in training", "near": "close to the limit", "clear": "as in training"}[levels[-1]]
        parts.append(
            f"The first batch norm's input diverges by {first:.2g} from what training recorded: {verdict} (limit {INPUT_FOUND:g}; "
            f"{photographs:,} photographs)."
        )
    elif traced:
        parts.append("No batch norm in this network has recorded statistics, so nothing remembers the photographs of its training.")
    else:
        parts.append("The model cannot be traced, so its batch norms are unknown.")
    if variants:
        levels.append("found" if better else "clear" if len(variants) > 1 and labelled >= _enough(variants) else "not_checked")
        parts.append(_sweep_summary(variants, better, labelled))
    return max(levels, key=_RANK.index), " ".join(parts)


def _sweep_summary(variants: Sequence[InputVariant], better: Sequence[int], labelled: int) -> str:
    given = variants[0]
    if len(variants) == 1:
        return f"No other way to prepare photographs for this transform is known, so none was tried (top-1 as given {given.top1:.1%})."
    if not better and labelled < _enough(variants):
        few = "1 labelled photograph is" if labelled == 1 else f"{labelled:,} labelled photographs are"
        return f"{few} too few to compare ways to prepare them: at least {_enough(variants)} are needed (top-1 as given {given.top1:.1%})."
    if not better:
        return f"No other way to prepare {labelled:,} labelled photographs is better than as given (top-1 {given.top1:.1%}), beyond chance."
    best = max((variants[number] for number in better), key=lambda variant: (variant.top1, -variant.log_loss))
    return f"With {best.label}, top-1 is {best.top1:.1%} instead of {given.top1:.1%} ({labelled:,} labelled photographs)."


def _enough(variants: Sequence[InputVariant]) -> int:
    """Return of how many photographs another way can be better beyond chance: the exact McNemar test's p is at least 2 / 2**photographs."""
    return 1 + floor(1 + log2((len(variants) - 1) / SWEEP_LEVEL))


def limitations_of(statistics: bool, kinds: Sequence[str]) -> tuple[str, ...]:
    """Return what the checks that were made do not detect.

    Parameters
    ----------
    statistics : bool
        Whether there are statistics of batch norms.
    kinds : sequence of str
        The kinds of ways that were tried; () without a sweep.
    """
    found = []
    if not statistics:
        found.append("range, mean and contrast, without batch norm" if not kinds else "")
    if statistics:
        found.append(
            "swapped channels, mirrored or rotated photographs (by the statistics, which also take photographs of another kind for another "
            "preparation)"
        )
    if not kinds:
        found.append("channel order and size (without labels)")
    else:
        missing = [kind for kind in ("channels", "range", "size") if kind not in kinds]
        found.append("ways of preparation that the sweep does not try" + (f": {', '.join(missing)}" if missing else ""))
    return tuple(part for part in found if part)
