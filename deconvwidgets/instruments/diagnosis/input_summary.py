"""What the check of an input says in words, and what it does not detect."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log2

from deconvwidgets.instruments.diagnosis.input_records import InputVariant, NormDivergences
from deconvwidgets.instruments.diagnosis.limits import ENOUGH_PHOTOGRAPHS, ENOUGH_VALUES, INPUT_FOUND, INPUT_NEAR, SWEEP_LEVEL

_RANK = ("not_checked", "clear", "near", "found")
_NAMED = 3  # batch norms, at most
_NO_NORM = "No batch norm in this network has recorded statistics, so nothing remembers the photographs of its training."


def judged(
    traced: bool,
    operated: bool,
    norms: NormDivergences,
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
    norms : NormDivergences
    photographs : int
        That the divergences were measured on.
    variants : sequence of InputVariant
        The sweep, as given first; () if there was none.
    better : sequence of int
        The variants that are better than as given, beyond chance.
    labelled : int
        The photographs of the sweep.
    """
    level, parts = _statistics_verdict(traced, operated, norms, photographs)
    levels = [level]
    if variants:
        levels.append("found" if better else "clear" if len(variants) > 1 and labelled >= _enough(variants) else "not_checked")
        parts.append(_sweep_summary(variants, better, labelled))
    return max(levels, key=_RANK.index), " ".join(parts)


def _statistics_verdict(traced: bool, operated: bool, norms: NormDivergences, photographs: int) -> tuple[str, list[str]]:
    """Return the level by the statistics of batch norms, and sentences about them."""
    left_out = _left_out(norms)
    if not norms.names and not left_out:
        return "not_checked", [_NO_NORM if traced else "The model cannot be traced, so its batch norms are unknown."]
    if not norms.names:
        return "not_checked", left_out
    diverges = f"The input of batch norm {norms.names[0]} diverges by {float(norms.values[0]):.2g} from what training recorded"
    if operated:
        return "not_checked", [
            f"{diverges}, which is not judged: the network was changed by surgery, which may change it too. Check the input before the "
            "surgery.",
            *left_out,
        ]
    level, verdict = _graded(float(norms.values[0]), photographs)
    seen = "1 photograph" if photographs == 1 else f"{photographs:,} photographs"
    return level, [f"{diverges}: {verdict} (limit {INPUT_FOUND:g}; {seen}).", *left_out]


def _graded(divergence: float, photographs: int) -> tuple[str, str]:
    """Return the level of a divergence, and what it means."""
    if divergence < INPUT_NEAR:
        return "clear", "as in training"
    if divergence < INPUT_FOUND:
        return "near", "close to the limit"
    if photographs < ENOUGH_PHOTOGRAPHS:
        return "near", f"above the limit, but that may be due to these photographs, and is judged with {ENOUGH_PHOTOGRAPHS} or more"
    return "found", "another input than in training"


def _left_out(norms: NormDivergences) -> list[str]:
    """Return sentences about the batch norms that are not judged."""
    found = []
    if norms.too_few:
        found.append(
            f"Not judged, with fewer than {ENOUGH_VALUES} values per channel: batch norm {_named(norms.too_few)}. Use more photographs."
        )
    if norms.mixed:
        found.append(
            f"Not judged, as it is called more than once, or depends on one that is: batch norm {_named(norms.mixed)}. Training recorded "
            "all calls together; labels='auto' checks the input without batch norms."
        )
    return found


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")


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
