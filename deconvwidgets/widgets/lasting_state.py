"""A state that lasts longer than what it names: what is gone meanwhile, or turned out not to exist, is reset; a new value is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import traitlets

from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.widgets.state import State, as_trait_errors

Check = Callable[[Mapping[str, Any], Mapping[str, Any]], State]  # `Explorer._check_state`


def lasting(current: State, check: Check) -> State:
    """Return a state that passed its check before, with the default in place of each value that no longer does.

    A list of layers, units or images loses only the entries that no longer pass. Raises a DeconvWidgetsError if the defaults do not pass.
    """
    try:
        checked = check({}, current) if current else current
        is_lasting = all(value is None or checked.get(key) == value for key, value in current.items())
        return current if is_lasting else checked
    except DeconvWidgetsError:
        kept = check({}, {})
        for key, value in current.items():
            kept = _with_value(kept, key, value, check)
        return kept


def _with_value(state: State, key: str, value: Any, check: Check) -> State:
    """Return a state after a value, or the entries of a list that pass, were set; the state as it is if none passes."""
    try:
        return check({key: value}, state)
    except DeconvWidgetsError:
        entries: list[Any] = []
        changed = state
        for entry in value if isinstance(value, list) else ():
            with suppress(DeconvWidgetsError):
                changed = check({key: [*entries, entry]}, state)
                entries.append(entry)
        return changed


def after_change(change: Mapping[str, Any], current: State, check: Check) -> State:
    """Return the whole state after `change`, which may be a part, was set. A page sends whole states, with values that are gone.

    Raises a DeconvWidgetsError for a value that is not valid, unless the current state has it, too.
    """
    kept = lasting(current, check)
    lost = {key: value for key, value in current.items() if kept.get(key) != value}
    return check({key: value for key, value in change.items() if key not in lost or value != lost[key]}, kept)


class LastingState(traitlets.HasTraits):
    """A widget with a trait `state`. A subclass defines `_check_state`."""

    state: Any  # a StateTrait of the subclass
    _valid: State  # the last state that passed the check

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        """Return the whole state after `state`, which may be a part, was set; `current` is empty at first.

        Raises a DeconvWidgetsError for a value that is not valid, also for one of `current`: that is reset, and the check made again.
        """
        raise NotImplementedError

    @traitlets.validate("state")
    def _validate_state(self, proposal: Mapping[str, Any]) -> State:
        with as_trait_errors():
            self._valid = after_change(proposal["value"], self._valid, self._check_state)
        return self._valid

    def _reset_lost(self) -> None:
        """Reset what the state names and what is gone, or turned out not to exist. It is called from any thread."""
        with suppress(DeconvWidgetsError):  # not even the defaults pass, as the service is closed: the live view shows it
            current = self._valid
            if lasting(current, self._check_state) is not current:
                self.state = {}  # a change of nothing, which resets what is lost
