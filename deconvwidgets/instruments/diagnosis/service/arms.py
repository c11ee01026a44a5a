"""The arms of a session: the model as it is, and what `dw.surgery` makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from threading import Lock

from deconvwidgets.arguments import describe, one_of
from deconvwidgets.errors import DiagnosisError, LayerError, ModelError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.diagnosis.records import SuggestedSurgery
from deconvwidgets.instruments.diagnosis.service.runs import ArmRun
from deconvwidgets.models import surgery
from deconvwidgets.models.bundle import ModelBundle

AS_IT_IS = "as it is"
_MAX_ARMS = 8
_FUNCTIONS = (
    "swap_pooling", "blur_strides", "change_first_layer", "merge_units", "remove_units", "remove_layers", "resize_layer",
    "insert_normalization",
)  # fmt: skip


class Arms:
    """The arms of one model, by number. Thread-safe. Numbers are not used again: those after `last` are given."""

    def __init__(self, bundle: ModelBundle, images: ImageSet, last: int = 0) -> None:
        self._lock = Lock()
        self._runs: dict[int, ArmRun] = {0: ArmRun(0, bundle, images, AS_IT_IS)}
        self._last = last

    @property
    def last(self) -> int:
        """The largest number that was used."""
        return self._last

    @property
    def base(self) -> ArmRun:
        """The model as it is."""
        return self._runs[0]

    def renew(self, number: int) -> ArmRun:
        """Return an arm, to be measured again if that was stopped or has failed."""
        run = self.get(number)
        if not run.valid:
            run = ArmRun(number, run.bundle, run.images, run.label, run.parent, run.origin)
            with self._lock:
                self._runs[number] = run
        return run

    def all(self) -> tuple[ArmRun, ...]:
        """Return the arms, in the order in which they were made."""
        with self._lock:
            return tuple(self._runs.values())

    def get(self, number: int, name: str = "arm") -> ArmRun:
        """Return an arm. Raises DiagnosisError, with the name of the argument, for an unknown one."""
        with self._lock:
            found = self._runs.get(number)
        if found is None:
            raise DiagnosisError(f"There is no {name} {describe(number)}: it was undone, or the model was changed. Choose another one.")
        return found

    def find(self, parent: int, suggestion: SuggestedSurgery) -> ArmRun | None:
        """Return the arm that the same surgery has made of the same arm."""
        return next((run for run in self.all() if run.origin == _origin(parent, suggestion)), None)

    def require_room(self) -> None:
        """Raise DiagnosisError if there are too many arms for another one."""
        if len(self.all()) >= _MAX_ARMS:
            raise DiagnosisError(f"There are {_MAX_ARMS} arms: undo one of them first.")

    def add(self, parent: int, suggestion: SuggestedSurgery, bundle: ModelBundle) -> ArmRun:
        """Add the arm that a surgery has made of another arm."""
        before = self.get(parent)
        label = suggestion.label if parent == 0 else f"{before.label}, {suggestion.label}"
        with self._lock:
            self._last += 1
            self._runs[self._last] = run = ArmRun(self._last, bundle, before.images, label, parent, _origin(parent, suggestion))
        return run

    def remove(self, number: int) -> ArmRun:
        """Remove an arm, and return it. Raises DiagnosisError if it is unknown, the model as it is, or one that another arm was made of."""
        run = self.get(number)
        if run.parent is None:
            raise DiagnosisError(f"The arm {number} is the model as it is, which cannot be undone: nothing was done to it.")
        made_of_it = [other.label for other in self.all() if other.parent == number]
        if made_of_it:
            raise DiagnosisError(f"Undo {made_of_it[0]!r} first, which was made of {run.label!r}.")
        with self._lock:
            self._runs.pop(number, None)
        run.stop()
        return run

    def stop(self) -> None:
        """Stop what is measured."""
        for run in self.all():
            run.stop()


def operate_on(arm: ArmRun, suggestion: SuggestedSurgery) -> ModelBundle:
    """Return the bundle that a surgery makes of an arm. Raises what `operate` raises; of a changed network it says what may be possible."""
    try:
        return operate(arm.bundle, suggestion)
    except (ModelError, LayerError) as error:
        if arm.parent is None:
            raise
        hint = f"{suggestion.label!r} may be possible before {arm.label!r}: choose the network {AS_IT_IS!r}, and try it there first."
        raise type(error)(f"{error} {hint}") from error


def operate(bundle: ModelBundle, suggestion: SuggestedSurgery) -> ModelBundle:
    """Return the bundle that a surgery makes, traced.

    Raises
    ------
    ServiceError
        For an unknown function.
    DiagnosisError
        For arguments that the function does not have. Otherwise it raises what the function raises.
    """
    one_of(suggestion.function, "surgery", _FUNCTIONS)
    function: Callable[..., ModelBundle] = getattr(surgery, str(suggestion.function))
    arguments = {str(name): tuple(value) if isinstance(value, list) else value for name, value in dict(suggestion.arguments).items()}
    _check_names(function, arguments)
    changed = function(bundle, **arguments)
    changed.network.graph  # noqa: B018 - traced and checked here, so that no request has to wait for it
    return changed


def _check_names(function: Callable[..., ModelBundle], arguments: Mapping[str, object]) -> None:
    """Raise DiagnosisError if a surgery has not these arguments, or needs others."""
    known = list(signature(function).parameters.values())[1:]  # without the bundle
    names = ", ".join(one.name for one in known)
    unknown = sorted(set(arguments) - {one.name for one in known})
    missing = [one.name for one in known if one.default is Parameter.empty and one.name not in arguments]
    if unknown:
        raise DiagnosisError(f"dw.surgery.{function.__name__} has no such arguments: {', '.join(unknown)}. It has {names}.")
    if missing:
        raise DiagnosisError(f"dw.surgery.{function.__name__} needs arguments: {', '.join(missing)}.")


def _origin(parent: int, suggestion: SuggestedSurgery) -> object:
    return parent, suggestion.function, repr(sorted(dict(suggestion.arguments).items()))
