"""Whether an image set has the photographs that units were frozen with: by their content, wherever the files are and however named."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import ComparisonError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.comparison.compute.freeze import crops_digest
from deconvwidgets.instruments.comparison.frozen_records import FrozenUnits

_LISTED = 3  # photographs that are named
_WAY_ON = "Give the images that it was frozen with, or freeze again"


@dataclass(frozen=True, slots=True, eq=False)
class PhotographNumbers:
    """The number in the given image set of each frozen photograph (photographs,), int64; -1 for those that could not be read."""

    sources: NDArray[np.int64]

    def crops(self, images: ImageSet, sources: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the crops of frozen photographs (...) and their numbers in them (...); -1 for missing ones."""
        flat = [
            images.crops_of(int(self.sources[source]))[number] if source >= 0 else -1
            for source, number in zip(sources.ravel().tolist(), numbers.ravel().tolist(), strict=True)
        ]
        return np.array(flat, np.int64).reshape(sources.shape)


def check_size(frozen: FrozenUnits, images: ImageSet) -> None:
    """Raise ComparisonError if an image set has another number of photographs: it is known before anything is computed."""
    before, now = len(frozen.names), images.source_count
    if before == now:
        return
    names = Counter(images.source_name(source) for source in range(now))
    names.subtract(Counter(frozen.names))
    missing = [name for name, count in names.items() if count < 0]
    added = [name for name, count in names.items() if count > 0]
    raise _other_images(frozen, images, [f"it has {now:,} photographs instead of {before:,}", *_differences(missing, added)])


def matched_photographs(frozen: FrozenUnits, images: ImageSet, contents: NDArray[np.uint64]) -> PhotographNumbers:
    """Return which photograph is which, by content ids (photographs,), in any order.

    Raises
    ------
    ComparisonError
        If photographs are missing, added or changed, or cropped in another way.
    """
    before, now = Counter(frozen.contents.tolist()), Counter(contents.tolist())
    if before != now:
        missing = [frozen.names[source] for source in _exceeding(frozen.contents, now)]
        added = [images.source_name(source) for source in _exceeding(contents, before)]
        both = [name for name in missing if name in set(added)]
        changed = [f"{_some(both)} {'has' if len(both) == 1 else 'have'} other pixels, or cannot be read on one side"] if both else []
        rest = _differences([name for name in missing if name not in both], [name for name in added if name not in both])
        raise _other_images(frozen, images, [*changed, *rest])
    if crops_digest(images, contents) != frozen.crops:
        raise _other_images(frozen, images, ["its photographs are the same, but cropped in another way"])
    return PhotographNumbers(_same_content(frozen.contents, contents))


def _same_content(before: NDArray[np.uint64], now: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return for each content id the first place of it in `now`; -1 for 0."""
    first = {content: source for source, content in reversed(list(enumerate(now.tolist())))}
    return np.array([first[content] if content else -1 for content in before.tolist()], np.int64)


def _exceeding(contents: NDArray[np.uint64], other: Counter[int]) -> list[int]:
    """Return the photographs whose content the other set has less often."""
    left, found = Counter(other), []
    for source, content in enumerate(contents.tolist()):
        left[content] -= 1
        if left[content] < 0:
            found.append(source)
    return found


def _differences(missing: list[str], added: list[str]) -> list[str]:
    parts = [f"it lacks {_some(missing)}"] if missing else []
    return [*parts, *([f"{_some(added)} {'is' if len(added) == 1 else 'are'} new"] if added else [])]


def _some(names: list[str]) -> str:
    rest = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {rest:,} more" if rest > 0 else "")


def _other_images(frozen: FrozenUnits, images: ImageSet, reasons: list[str]) -> ComparisonError:
    return ComparisonError(
        f"The units were frozen with other images ({frozen.image_set!r}) than {images.name!r}: {'; '.join(reasons)}. {_WAY_ON}."
    )
