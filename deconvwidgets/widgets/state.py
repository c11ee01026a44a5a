"""The trait of a widget's state, a plain dict, and its error messages.

`Explorer._validate_state` checks the state; traitlets keeps the former one if that raises.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import traitlets

from deconvwidgets.errors import DeconvWidgetsError, ServiceError

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StateMessages:
    """The error messages of one widget's state.

    Parameters
    ----------
    widget : str
        The name of the widget.
    example : str
        A state, as Python code.
    """

    widget: str
    example: str

    @property
    def _owner(self) -> str:
        return f"{'An' if self.widget[0] in 'AEIOU' else 'A'} {self.widget}'s"

    def in_place(self, example: str = "") -> TypeError:
        """Return the error for a state that is changed in place; `example` is the state to set instead."""
        variable = "panel" if self.widget.endswith("Panel") else "explorer"
        return TypeError(
            f"{self._owner} state cannot be changed in place, because no view would notice: set it as a whole or in part: "
            f"{variable}.state = {example or self.example}"
        )

    def mapping(self, value: object) -> Mapping[str, Any]:
        """Return a value that is a mapping. Raises ServiceError for any other."""
        if not isinstance(value, Mapping):
            kind = type(value).__name__
            given = "None" if value is None else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
            raise ServiceError(
                f"{self._owner} state is a dict such as {self.example}, not {given}; "
                "its keys can be set one by one, and the others keep their values."
            )
        return value

    def initial(self, value: object) -> Mapping[str, Any]:
        """Return the state that a widget is made with: empty for None. Raises ServiceError for anything but a mapping."""
        return {} if value is None else self.mapping(value)

    def known_keys(self, state: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        """Raise ServiceError for unknown keys."""
        unknown = [str(key) for key in state if key not in known]
        if unknown:
            raise ServiceError(f"{self._owner} state has no {', '.join(map(repr, unknown))}: its keys are {', '.join(known)}.")


class CheckedState(dict[str, Any]):
    """A state that was checked and set. It can be read, compared and serialized; changing it in place raises TypeError.

    Copies of every kind (`state.copy()`, `{**state}`, `copy.deepcopy`, a pickle) are plain dicts.
    """

    __slots__ = ("_messages",)

    def __init__(self, values: Mapping[str, Any], messages: StateMessages) -> None:
        super().__init__(values)
        self._messages = messages

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        raise self._messages.in_place(f"{{{key!r}: {reprlib.repr(value)}}}")

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise self._messages.in_place()

    __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __reduce__(self) -> tuple[type[State], tuple[State]]:
        return dict, (dict(self),)


class StateTrait(traitlets.Dict):
    """The trait of a widget's state. The widget checks the values; a refused one raises a TraitError, so that traitlets rolls it back."""

    def __init__(self, messages: StateMessages) -> None:
        super().__init__()
        self._messages = messages

    def validate(self, obj: Any, value: Any) -> State:
        """Return a mapping as a dict of plain values. Raises ServiceError, which is also a TraitError, for anything else."""
        with as_trait_errors():
            return {key: _plain(part) for key, part in self._messages.mapping(value).items()}

    def _validate(self, obj: Any, value: Any) -> State:
        """Return the state after the widget's own check, protected against changes in place, which would bypass the check."""
        return CheckedState(super()._validate(obj, value) or {}, self._messages)


@contextmanager
def as_trait_errors() -> Iterator[None]:
    """Raise our errors as errors of the same class that are TraitErrors as well: traitlets rolls back on those only."""
    try:
        yield
    except DeconvWidgetsError as error:
        if isinstance(error, traitlets.TraitError):
            raise
        raise _trait_error_class(type(error))(*error.args) from error


def _trait_error_class(kind: type[DeconvWidgetsError]) -> type[DeconvWidgetsError]:
    return type(kind.__name__, (kind, traitlets.TraitError), {"__doc__": kind.__doc__, "__module__": kind.__module__})


def _plain(value: Any) -> Any:
    """Return a value with lists and numbers in place of NumPy's arrays and scalars."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
