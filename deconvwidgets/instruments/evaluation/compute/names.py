"""Matching of the class names of an image set with those of a model."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.labels import listed
from deconvwidgets.instruments.evaluation.records import ClassMatch, MatchKind
from deconvwidgets.models.imagenet_synsets import imagenet_synsets, is_imagenet, synset_in

Mapped = Mapping[str, str | int | Sequence[str | int]]
_CANDIDATES = 4
_HOW_TO_MAP = "mapping={'name of the image set': 'class of the model'}, or a list of several classes that are right for it"


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

    def match(self, name: str) -> tuple[tuple[int, ...], MatchKind]:
        """Return the classes that a name may mean and how they were found. Several: it is ambiguous. None: ((), "none")."""
        steps: tuple[tuple[Mapping[str, tuple[int, ...]], str, MatchKind], ...] = (
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


def match_classes(
    names: Sequence[str], sizes: Sequence[int], model: ClassNames, mapping: Mapped | None, aliases: Sequence[str] | None = None
) -> tuple[ClassMatch, ...]:
    """Match each class of an image set with the model's classes: by the caller's table, the exact name, the normalised name, the synset.

    Parameters
    ----------
    names : sequence of str
        The names of the image set's classes.
    sizes : sequence of int
        The number of photographs of each.
    model : ClassNames
        The model's classes.
    mapping : mapping, optional
        The model's class or classes of some names. An empty list leaves a class out.
    aliases : sequence of str, optional
        Another name of each class, which is looked up if the first one is not found.

    Returns
    -------
    tuple of ClassMatch
        In the order of the names. One that is ambiguous has no classes, and a `problem`.

    Raises
    ------
    EvaluationError
        If `mapping` names a class that does not exist.
    """
    table = checked_mapping(mapping, names, model)
    rows = zip(names, names if aliases is None else aliases, sizes, strict=True)
    return tuple(_match(name, alias, size, model, table) for name, alias, size in rows)


def checked_mapping(mapping: Any, names: Sequence[str], model: ClassNames) -> dict[str, tuple[int, ...]]:
    """Return a caller's table as class numbers. Raises EvaluationError for names that the image set or the model does not have."""
    if mapping is None:
        return {}
    if not isinstance(mapping, Mapping):
        raise EvaluationError(f"mapping must be a table, {_HOW_TO_MAP}, not {describe(mapping)}.")
    unknown = [str(name) for name in mapping if name not in names]
    if unknown:
        close = difflib.get_close_matches(unknown[0], list(names), n=_CANDIDATES) or list(names)[:_CANDIDATES]
        raise EvaluationError(f"mapping names {unknown[0]!r}, which is no class of the image set. It has {listed(list(map(repr, close)))}.")
    table = {}
    for name, classes in mapping.items():
        several = isinstance(classes, Sequence | set | frozenset) and not isinstance(classes, str)
        given: Iterable[Any] = classes if several else (classes,)
        table[name] = tuple(sorted({model.number(one) for one in given}))
    return table


def ambiguity_error(matches: Sequence[ClassMatch]) -> EvaluationError | None:
    """Return the error for classes of which it is not clear what they mean; None if there are none."""
    unclear = [match for match in matches if match.problem and match.photographs]
    if not unclear:
        return None
    example = f"mapping={{{unclear[0].name!r}: [{', '.join(map(str, unclear[0].candidates))}]}} if all of these are right for it"
    return EvaluationError(f"{listed([match.problem for match in unclear])}. Say which: {example}; [] leaves the class out.")


def no_match_error(matches: Sequence[ClassMatch], model: str, classes: Sequence[str]) -> EvaluationError:
    """Return the error for an image set of which no class is one of the model's."""
    lines = []
    for match in matches:
        close = ", ".join(repr(classes[number]) for number in match.candidates)
        lines.append(f"{match.name!r} (closest: {close})" if close else repr(match.name))
    return EvaluationError(
        f"No class of the images is one of the {len(classes):,} classes of {model}: {listed(lines)}. Say what they are: {_HOW_TO_MAP}."
    )


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


def _match(name: str, alias: str, size: int, model: ClassNames, table: Mapping[str, tuple[int, ...]]) -> ClassMatch:
    if name in table:
        return ClassMatch(name, size, table[name], "table")
    classes, how = model.match(name)
    if not classes:
        classes, how = model.match(alias)
    if len(classes) == 1:
        return ClassMatch(name, size, classes, how)
    if classes:
        problem = f"{name!r} may be {' or '.join(f'{model.names[number]!r} ({number})' for number in classes)}"
        return ClassMatch(name, size, (), "none", classes, problem)
    return ClassMatch(name, size, (), "none", model.close_to(name))
