"""A widget's state as a plain dict, and what is common to checking any of them."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import traitlets

from deconvwidgets.errors import ServiceError

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StateWords:
    """Whose state it is, and one as an example: what refusals say."""

    widget: str
    example: str

    @property
    def _whose(self) -> str:
        return f"{'An' if self.widget[0] in 'AEIOU' else 'A'} {self.widget}'s"

    def in_place(self, example: str = "") -> TypeError:
        """What is said to someone who changes a state where it stands; `example` is how to set it instead."""
        variable = "panel" if self.widget.endswith("Panel") else "explorer"
        return TypeError(
            f"{self._whose} state cannot be changed in place, where no view would hear of it: set it whole or in part: "
            f"{variable}.state = {example or self.example}"
        )

    def mapping(self, value: object) -> Mapping[str, Any]:
        """The value, if it is a mapping. Raises ServiceError."""
        if not isinstance(value, Mapping):
            kind = type(value).__name__
            given = "None" if value is None else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
            raise ServiceError(
                f"{self._whose} state is a dict such as {self.example}, not {given}; "
                "its parts can be set alone, and what is left out stays."
            )
        return value

    def given(self, value: object) -> Mapping[str, Any]:
        """What a widget is opened with: the mapping, and nothing for None. Raises ServiceError."""
        return {} if value is None else self.mapping(value)

    def known_keys(self, wanted: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        """Raises ServiceError for keys that there are not."""
        unknown = [str(key) for key in wanted if key not in known]
        if unknown:
            raise ServiceError(f"{self._whose} state has no {', '.join(map(repr, unknown))}: its keys are {', '.join(known)}.")


class SetState(dict[str, Any]):
    """A state that was set: a dict to read, to compare, to pass on as JSON. What would change it in place raises TypeError in words.

    Copies of every kind (`state.copy()`, `{**state}`, `copy.deepcopy`, a pickle) are plain dicts, free to be changed and set.
    """

    __slots__ = ("_words",)

    def __init__(self, values: Mapping[str, Any], words: StateWords) -> None:
        super().__init__(values)
        self._words = words

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        raise self._words.in_place(f"{{{key!r}: {reprlib.repr(value)}}}")

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise self._words.in_place()

    __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __reduce__(self) -> tuple[type[State], tuple[State]]:
        return dict, (dict(self),)


class StateTrait(traitlets.Dict):
    """A dict, refused in our words where it is none. What it may hold is for the widget to say."""

    def __init__(self, words: StateWords) -> None:
        super().__init__()
        self._words = words

    def validate(self, obj: Any, value: Any) -> State:
        """The mapping as a dict. Raises ServiceError for anything else."""
        return dict(self._words.mapping(value))

    def _validate(self, obj: Any, value: Any) -> State:
        """As it is kept and handed out, after the widget's own check: an item that is set in it would reach neither check nor view."""
        return SetState(super()._validate(obj, value) or {}, self._words)


def whole(value: object, what: str) -> int:
    """A whole number, NumPy's included."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ServiceError(f"A {what} is a whole number, not {value!r}.")
    return int(value.__index__())


def one_of(value: object, what: str, choices: tuple[str, ...]) -> None:
    """Raises ServiceError for what is none of the choices."""
    if value not in choices:
        raise ServiceError(f"There is no {what} {value!r}: choose {', '.join(choices[:-1])} or {choices[-1]}.")
