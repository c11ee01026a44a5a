"""Whether epochs that are given for the files of a folder, in the order of their names, agree with the numbers in the names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from deconvwidgets.errors import CheckpointError

_DIGITS = re.compile(r"\d+")
_MAX_LISTED = 4


def check_order(epochs: Mapping[Path, int], told: Mapping[Path, int]) -> None:
    """Raise CheckpointError if files of a folder would get epochs in another order than the numbers in the names, or in the files, say.

    The order of names is that of characters, in which m10.pth stands before m2.pth. Names are compared if they differ in nothing but
    numbers; where several numbers differ, as in "loss0.31-5.pth", it is enough that one of them increases with the epoch.

    Parameters
    ----------
    epochs : mapping of pathlib.Path to int
        The epochs that are given for the files.
    told : mapping of pathlib.Path to int
        The epochs that some of the files tell.
    """
    problem = _swapped(told, epochs)
    groups: dict[str, list[Path]] = {}
    for path in epochs:
        groups.setdefault(_DIGITS.sub("#", path.name), []).append(path)
    for group in groups.values():
        columns = list(zip(*(map(int, _DIGITS.findall(path.name)) for path in group), strict=True))
        found = [_swapped(dict(zip(group, column, strict=True)), epochs) for column in columns if len(set(column)) > 1]
        if found and all(found):
            problem = problem or found[0]
    if problem is not None:
        first, second = problem
        names = [path.name for path in epochs]
        raise CheckpointError(
            f"epochs would make {first.name} epoch {epochs[first]} and {second.name} epoch {epochs[second]}, against the numbers in their "
            f"names or content: the files of a folder are taken in the order of their names, {_listed(names)}. Give the files instead, in "
            f"the order of epochs: dw.open_checkpoints([{', '.join(repr(path.name) for path in sorted((first, second), key=_natural))}, "
            "...], epochs=[...])."
        )


def _swapped(numbers: Mapping[Path, int], epochs: Mapping[Path, int]) -> tuple[Path, Path] | None:
    """Return two files of which the one with the larger number is given the smaller epoch; None if there are none."""
    highest: Path | None = None
    for path in sorted(numbers, key=lambda path: epochs[path]):
        if highest is not None and numbers[path] < numbers[highest]:
            return highest, path
        highest = path if highest is None or numbers[path] > numbers[highest] else highest
    return None


def _natural(path: Path) -> list[int]:
    return [int(digits) for digits in _DIGITS.findall(path.name)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MAX_LISTED]) + (", ..." if len(names) > _MAX_LISTED else "")
