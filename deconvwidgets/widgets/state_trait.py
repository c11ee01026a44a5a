"""A widget's state as a plain dict, and what is common to checking any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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

    def mapping(self, value: object) -> Mapping[str, Any]:
        """The value, if it is a mapping. Raises ServiceError."""
        if not isinstance(value, Mapping):
            given = "None" if value is None else f"a {type(value).__name__}"
            raise ServiceError(
                f"{self._whose} state is a dict such as {self.example}, not {given}; "
                "its parts can be set alone, and what is left out stays."
            )
        return value

    def known_keys(self, wanted: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        """Raises ServiceError for keys that there are not."""
        unknown = [str(key) for key in wanted if key not in known]
        if unknown:
            raise ServiceError(f"{self._whose} state has no {', '.join(map(repr, unknown))}: its keys are {', '.join(known)}.")


class StateTrait(traitlets.Dict):
    """A dict, refused in our words where it is none. What it may hold is for the widget to say."""

    def __init__(self, words: StateWords) -> None:
        super().__init__()
        self._words = words

    def validate(self, obj: Any, value: Any) -> State:
        """The mapping as a dict. Raises ServiceError for anything else."""
        return dict(self._words.mapping(value))


def whole(value: object, what: str) -> int:
    """A whole number, NumPy's included."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ServiceError(f"A {what} is a whole number, not {value!r}.")
    return int(value.__index__())


def one_of(value: object, what: str, choices: tuple[str, ...]) -> None:
    """Raises ServiceError for what is none of the choices."""
    if value not in choices:
        raise ServiceError(f"There is no {what} {value!r}: choose {', '.join(choices[:-1])} or {choices[-1]}.")
