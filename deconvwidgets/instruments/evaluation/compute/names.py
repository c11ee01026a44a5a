"""Matching of the classes of an image set with those of a model."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from deconvwidgets.arguments import describe
from deconvwidgets.compute.class_names import ClassNames
from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.labels import listed
from deconvwidgets.instruments.evaluation.records import ClassMatch

Mapped = Mapping[str, str | int | Sequence[str | int]]
_CLOSEST = 4
_HOW_TO_MAP = "mapping={'name of the image set': 'class of the model'}, or a list of several classes that are right for it"


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
        close = difflib.get_close_matches(unknown[0], list(names), n=_CLOSEST) or list(names)[:_CLOSEST]
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
