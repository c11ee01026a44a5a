"""Labels that are classes: one per photograph, or several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deconvwidgets.arguments import describe
from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import count, listed, printable_names
from deconvwidgets.instruments.evaluation.compute.labels import Labels, unlabelled_note
from deconvwidgets.instruments.evaluation.compute.names import ClassNames, Mapped, ambiguity_error, match_classes, no_match_error
from deconvwidgets.instruments.evaluation.records import ClassMatch


@dataclass(frozen=True, slots=True)
class NamedLabels:
    """The classes of an image set, and those of each photograph as indices into them; None for a photograph without a label."""

    names: tuple[str, ...]
    aliases: tuple[str, ...]  # the names as heads have them: printable, and not too long
    labels: tuple[tuple[int, ...] | None, ...]
    numbered: bool  # the image set has no names: its classes are the model's, by their numbers

    @property
    def sizes(self) -> list[int]:
        """The number of photographs of each class."""
        counts = Counter(number for labels in self.labels for number in set(labels or ()))
        return [counts[number] for number in range(len(self.names))]


def class_labels(
    images: ImageSet, targets: Sequence[object], model: str, classes: Sequence[str], mapping: Mapped | None, names: Sequence[str] | None
) -> Labels:
    """Return the labels of classes that exclude each other, as evaluated classes.

    Parameters
    ----------
    images : ImageSet
        For the names of photographs in messages.
    targets : sequence
        The target of each photograph: the name or the number of a class, or None.
    model : str
        The name of the model, for messages.
    classes : sequence of str
        The model's classes.
    mapping : mapping, optional
        The model's classes of some of the image set's.
    names : sequence of str, optional
        The names of the image set's classes, which numbers refer to. Without, numbers are those of the model's classes.

    Raises
    ------
    EvaluationError
        For targets that are no classes, if no class matches, or if one matches several.
    """
    named = named_labels(images, targets, classes, names, multiple=False)
    matches, rows, categories, groups, notes = _evaluated(named, model, classes, mapping, multiple=False)
    found = np.array([-1 if labels is None else rows.get(labels[0], -2) for labels in named.labels], np.int64)
    sources = np.flatnonzero(found >= 0)
    unlabelled, unmatched = int((found == -1).sum()), int((found == -2).sum())
    return Labels(
        sources, found[sources], categories, groups, matches, unlabelled, unmatched, (*unlabelled_note(unlabelled), *notes)
    )  # fmt: skip


def multiple_labels(
    images: ImageSet, targets: Sequence[object], model: str, classes: Sequence[str], mapping: Mapped | None, names: Sequence[str] | None
) -> Labels:
    """Return labels of classes that do not exclude each other. Parameters and errors are those of `class_labels`.

    A target is a name or a number, several of them, or 0 and 1 for every class.
    """
    named = named_labels(images, targets, classes, names, multiple=True)
    matches, rows, categories, groups, notes = _evaluated(named, model, classes, mapping, multiple=True)
    for name, group in zip(categories, groups, strict=True):
        if len(group) > 1:
            several = listed([repr(classes[number]) for number in group])
            raise EvaluationError(f"{name!r} is mapped to {several}, but labels that do not exclude each other need one class each.")
    sources = np.array([source for source, labels in enumerate(named.labels) if labels is not None], np.int64)
    truths = np.zeros((len(sources), len(categories)), bool)
    for row, source in enumerate(sources):
        for label in named.labels[source] or ():
            if label in rows:
                truths[row, rows[label]] = True
    unlabelled = len(targets) - len(sources)
    return Labels(sources, truths, categories, groups, matches, unlabelled, 0, (*unlabelled_note(unlabelled), *notes))


def named_labels(
    images: ImageSet, targets: Sequence[object], classes: Sequence[str], names: Sequence[str] | None, multiple: bool
) -> NamedLabels:
    """Return the classes of an image set, and those of each photograph. Raises EvaluationError for targets that are no classes."""
    if multiple:
        return _named(_label_lists(images, targets, len(classes if names is None else names)), names, classes)
    single = [_one_class(images, source, target) for source, target in enumerate(targets)]
    return _named([None if target is None else (target,) for target in single], names, classes)


def matches_of(named: NamedLabels, classes: Sequence[str], mapping: Mapped | None) -> tuple[ClassMatch, ...]:
    """Return how each class of an image set is matched with the model's. Raises EvaluationError for a wrong `mapping`."""
    sizes = named.sizes
    if named.numbered:
        rows = enumerate(zip(named.names, sizes, strict=True))
        return tuple(ClassMatch(name, size, (number,), "number") for number, (name, size) in rows)
    return match_classes(named.names, sizes, ClassNames(classes), mapping, named.aliases)


def _one_class(images: ImageSet, source: int, target: object) -> str | int | None:
    if target is None or isinstance(target, str):
        return target
    if isinstance(target, int | float) and float(target).is_integer():  # a column of integers with missing ones becomes one of floats
        return int(target)
    raise EvaluationError(
        f"The model's classes exclude each other, so every label must be the name or the number of one class, but "
        f"{images.source_name(source)!r} is labelled {describe(target)}. A model of several labels has task='multilabel', one of values "
        "task='regression', in dw.ModelBundle.from_module."
    )


def _label_lists(images: ImageSet, targets: Sequence[object], classes: int) -> list[tuple[str | int, ...] | None]:
    """Return the labels of each photograph. If all targets are 0 and 1 for each of the classes, they are those with a 1."""
    known = [target for target in targets if target is not None]
    if all(isinstance(target, tuple) and len(target) == classes and set(target) <= {0, 1} for target in known):
        return [None if target is None else tuple(np.flatnonzero(target).tolist()) for target in targets]  # type: ignore[arg-type]
    lists: list[tuple[str | int, ...] | None] = []
    for source, target in enumerate(targets):
        parts = target if isinstance(target, tuple | frozenset) else (target,)
        if target is not None and not all(
            isinstance(part, str) or (isinstance(part, int) and not isinstance(part, bool)) for part in parts
        ):
            raise EvaluationError(
                f"Every label must be names or numbers of classes, or 0 and 1 for each of the {classes:,} classes, but "
                f"{images.source_name(source)!r} is labelled {describe(target)}."
            )
        lists.append(None if target is None else tuple(parts))
    return lists


def _named(labels: Sequence[tuple[str | int, ...] | None], names: Sequence[str] | None, classes: Sequence[str]) -> NamedLabels:
    atoms = {atom for row in labels for atom in row or ()}
    numbers = [atom for atom in atoms if isinstance(atom, int)]
    numbered = names is None and bool(numbers)
    known = list(classes if numbered else names or ())
    if any(number < 0 or (numbered and number >= len(classes)) for number in numbers):
        worst = min(numbers) if min(numbers) < 0 else max(numbers)
        raise EvaluationError(
            f"The images have no names of classes, so that their labels are numbers of the model's {len(classes):,} classes, from 0 to "
            f"{len(classes) - 1}, but one label is {worst}: pass labels=[...] with names."
            if numbered
            else f"Labels are numbers of classes, counted from 0, but one label is {worst}."
        )
    known += sorted({atom for atom in atoms if isinstance(atom, str)} - set(known))
    aliases = printable_names(known, max([len(known), *(number + 1 for number in numbers)]))
    repeats = Counter(known)
    raw = tuple(
        known[at] if at < len(known) and repeats[known[at]] == 1 and known[at].strip() else alias for at, alias in enumerate(aliases)
    )
    place = {name: at for at, name in reversed(list(enumerate(known)))}
    rows = tuple(None if row is None else tuple(place[atom] if isinstance(atom, str) else atom for atom in row) for row in labels)
    return NamedLabels(raw, aliases, rows, numbered)


def _evaluated(
    named: NamedLabels, model: str, classes: Sequence[str], mapping: Mapped | None, multiple: bool
) -> tuple[tuple[ClassMatch, ...], dict[int, int], tuple[str, ...], tuple[tuple[int, ...], ...], list[str]]:
    """Return the matches, the evaluated class of each class, the names and the model's classes of the evaluated ones, and notes."""
    matches = matches_of(named, classes, mapping)
    unclear = ambiguity_error(matches)
    if unclear is not None:
        raise unclear
    used = [number for number, match in enumerate(matches) if match.classes and (match.photographs or multiple)]
    if not any(matches[number].photographs for number in used):
        raise no_match_error([match for match in matches if match.photographs] or matches, model, classes)
    groups = list(dict.fromkeys(matches[number].classes for number in used))
    _require_disjoint(groups, matches, classes)
    members = [[number for number in used if matches[number].classes == group] for group in groups]
    names = tuple(", ".join(matches[number].name for number in group) for group in members)
    rows = {number: row for row, group in enumerate(members) for number in group}
    return matches, rows, names, tuple(groups), _notes(matches, members, classes, named.numbered, multiple)


def _require_disjoint(groups: Sequence[tuple[int, ...]], matches: Sequence[ClassMatch], classes: Sequence[str]) -> None:
    owner: dict[int, tuple[int, ...]] = {}
    for group in groups:
        for number in group:
            other = owner.setdefault(number, group)
            if other != group:
                first, second = (next(match.name for match in matches if match.classes == one) for one in (other, group))
                raise EvaluationError(
                    f"{classes[number]!r} ({number}) is right for {first!r} and for {second!r}, but these have other classes as well: give "
                    "each class of the model to one of them, or the same classes to both, in mapping."
                )


def _notes(
    matches: Sequence[ClassMatch], members: Sequence[Sequence[int]], classes: Sequence[str], numbered: bool, multiple: bool
) -> list[str]:
    notes = []
    if numbered:
        notes.append("The images have no names of classes: their labels are taken as numbers of the model's classes.")
    unmatched = [match for match in matches if match.photographs and not match.classes]
    if unmatched:
        photographs = sum(match.photographs for match in unmatched)
        labels = f"{count(len(unmatched), 'class', 'classes')} that the model does not have"
        left_out = f"{count(photographs, 'photograph')} of {labels} {'is' if photographs == 1 else 'are'} left out"
        notes.append(f"{f'Labels of {labels} are ignored' if multiple else left_out}: {listed([repr(match.name) for match in unmatched])}.")
    empty = [match.name for match in matches if not match.photographs]
    if empty and not numbered and not multiple:
        notes.append(
            f"{count(len(empty), 'class has', 'classes have')} no photograph and {'is' if len(empty) == 1 else 'are'} not evaluated: "
            f"{listed(list(map(repr, empty)))}."
        )
    for group in members:
        if len(group) > 1:
            same = listed([repr(matches[number].name) for number in group])
            right = listed([repr(classes[number]) for number in matches[group[0]].classes])
            notes.append(f"{same} count as one class, because {right} is right for all of them.")
    return notes
