"""Looking up names, such as those of an image set's classes, among the names of a model's classes."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.labels import listed
from deconvwidgets.models.imagenet_synsets import imagenet_synsets, is_imagenet, synset_in

How = Literal["exact", "case", "synset", "none"]
_CANDIDATES = 4


class ClassNames:
    """The names of a model's classes, to look up names of an image set in.

    Parameters
    ----------
    names : sequence of str
        A name may list synonyms: "tabby, tabby cat".
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        parts = [(number, part) for number, name in enumerate(names) for part in synonyms(name)]
        self._full = _numbers((name.strip(), number) for number, name in enumerate(names))
        self._exact = _numbers((part, number) for number, part in parts)
        self._normal = _numbers((normalised(part), number) for number, name in enumerate(names) for part in (name, *synonyms(name)))
        self._words = _numbers((word, number) for number, name in enumerate(names) for word in words_of(name))
        self._synsets = dict(zip(imagenet_synsets(), range(len(names)), strict=True)) if is_imagenet(names) else {}

    def match(self, name: str) -> tuple[tuple[int, ...], How]:
        """Return the classes that a name may mean and how they were found. Several: it is ambiguous. None: ((), "none")."""
        steps: tuple[tuple[Mapping[str, tuple[int, ...]], str, How], ...] = (
            (self._full, name.strip(), "exact"),
            (self._exact, name.strip(), "exact"),
            (self._normal, normalised(name), "case"),
        )
        for known, key, how in steps:
            if key and key in known:
                return known[key], how
        synset = synset_in(name)
        if synset is not None and synset in self._synsets:
            return (self._synsets[synset],), "synset"
        return (), "none"

    def close_to(self, name: str, limit: int = _CANDIDATES) -> tuple[int, ...]:
        """Return the classes whose names contain or resemble a name, the closest first."""
        key = normalised(name)
        if not key:
            return ()
        words = [found for word in words_of(name) for found in self._words.get(word, ())]
        alike = difflib.get_close_matches(key, list(self._normal), n=limit, cutoff=0.6)
        inside = sorted((known for known in self._normal if len(key) > 2 and key in known), key=len)
        found = [number for known in (key, *alike, *inside) for number in self._normal.get(known, ())]
        return tuple(dict.fromkeys([*words, *found]))[:limit]

    def number(self, name: str | int) -> int:
        """Return the number of a class that a caller names. Raises EvaluationError for an unknown or ambiguous one."""
        number = as_integer(name)
        if number is not None:
            if 0 <= number < len(self.names):
                return number
            raise EvaluationError(f"mapping names the class {number}, but the model has the classes 0 to {len(self.names) - 1}.")
        if not isinstance(name, str):
            raise EvaluationError(f"mapping must give names or numbers of the model's classes, not {describe(name)}.")
        classes, _ = self.match(name)
        if len(classes) == 1:
            return classes[0]
        if classes:
            both = listed([f"{self.names[number]!r} ({number})" for number in classes])
            raise EvaluationError(f"mapping names the class {name!r}, which may be {both}: give the number.")
        close = [repr(self.names[number]) for number in self.close_to(name)]
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        raise EvaluationError(f"mapping names the class {name!r}, which the model does not have.{hint} bundle.categories lists all.")


def synonyms(name: str) -> list[str]:
    """Return the comma-separated parts of a name, such as "tabby" and "tabby cat"; the name itself if it has no comma."""
    return [part.strip() for part in name.split(",") if part.strip()]


def normalised(name: str) -> str:
    """Return a name without case, accents, spaces and punctuation, and each word in the singular.

    >>> normalised("Sea_Horses"), normalised("sea-horse"), normalised("Pérsian cat")
    ('seahorse', 'seahorse', 'persiancat')
    """
    return "".join(words_of(name))


def words_of(name: str) -> list[str]:
    """Return the words of a name without case, accents and punctuation, in the singular."""
    plain = "".join(character for character in unicodedata.normalize("NFKD", name) if not unicodedata.combining(character))
    return [_singular(word) for word in re.findall(r"[^\W_]+", re.sub("['’]", "", plain.casefold()))]


def _singular(word: str) -> str:
    """Return an English word without the ending of its plural. Both sides are treated alike, so "lens" may lose its s too."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _numbers(pairs: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for key, number in pairs:
        if number not in found.setdefault(key, []):
            found[key].append(number)
    return {key: tuple(sorted(numbers)) for key, numbers in found.items()}
