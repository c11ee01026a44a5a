"""The TransferPanel: retraining the softmax head in a notebook (Zeiler & Fergus 2014, section 5.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.transfer.records import TransferResults, TransferRunSummary
from deconvwidgets.instruments.transfer.service.protocol import SupportsTransfer
from deconvwidgets.instruments.transfer.widget.messages import HANDLERS, run_chart
from deconvwidgets.instruments.transfer.widget.state import MESSAGES, SETTINGS, checked_state, transfer_settings
from deconvwidgets.widgets.explorer import Explorer
from deconvwidgets.widgets.messages import Request
from deconvwidgets.widgets.showing import Photograph
from deconvwidgets.widgets.state import State, StateTrait

if TYPE_CHECKING:  # importing plotly takes a second
    from plotly import graph_objects as go


class TransferPanel(Explorer):
    """Retrain the softmax classifier on other photographs, watch the training, study the results, and use the new head.

    Source: Zeiler & Fergus 2014, section 5.2.

    Parameters
    ----------
    service : LocalModelService
        The service whose classifier is retrained.
    state : mapping, optional
        A state, or a part of one, as `panel.state` returns it, such as {"data": "caltech101", "images_per_class": 30}.
    height : int
        Height in CSS pixels. At widths below 900 pixels the widget is higher.

    Attributes
    ----------
    summary : dict
        The settings and the accuracies so far (shares, averaged over classes) of the run that is shown. Read-only; empty before the
        first run.

    Raises
    ------
    ServiceError
        For an invalid part of the state.
    TypeError
        For an unknown argument.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> service = dw.LocalModelService(dw.load_model("alexnet"), dw.open_images("photos"), device="cpu")
    >>> panel = dw.TransferPanel(service, state={"data": "photo-crops", "layer": "conv1"})
    >>> run = panel.start(images_per_class=1, folds=1)
    >>> results = panel.wait(run)
    >>> results.summary.phase
    'done'
    >>> service.close()
    """

    FRONT_END = "transfer"
    MESSAGES = MESSAGES
    SERVICE = SupportsTransfer
    HANDLERS = HANDLERS
    EVENTS = SUMMARY_EVENTS = frozenset({"transfer"})
    FILES: ClassVar[Mapping[str, str]] = {
        ".csv": "photographs.csv",
        ".png": "results.png",
        ".svg": "results.svg",
        ".pdf": "results.pdf",
        ".html": "results.html",
    }

    _service: SupportsTransfer
    state = StateTrait(MESSAGES).tag(sync=True)

    def __init__(self, service: SupportsTransfer, state: Mapping[str, Any] | None = None, height: int = 780, **options: Any) -> None:
        super().__init__(service, state, height=height, **options)

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        return checked_state(state, current, self._service.transfer.status())

    def _photograph(self, reference: Mapping[str, Any]) -> Photograph:
        request = Request(reference)
        found = self._service.transfer.photograph(request.integer("run"), request.integer("source"))
        return Photograph(found.name, found.image.data, found.label)

    def _summarize(self) -> State:
        shown = self._shown()
        if shown is None:
            return {}
        names = ("run", "phase", "dataset", "layer", "images_per_class", "mean", "std", "problem", "change")
        return {**{name: getattr(shown, name) for name in names}, "per_fold": list(shown.per_fold)}

    def start(self, **settings: Any) -> int:
        """Start a run with the settings of the state, and return its number at once. The service's worker trains.

        Parameters
        ----------
        **settings
            Settings to change first: data, root, layer, images_per_class, folds, weight_decay, views, seed, curve.

        Raises
        ------
        ServiceError
            For invalid settings.
        HeadError, PictureError
            For data that cannot be trained on.
        """
        unknown = [name for name in settings if name not in SETTINGS]
        if unknown:
            raise ServiceError(f"A run has no setting {', '.join(map(repr, unknown))}: they are {', '.join(SETTINGS)}.")
        checked = checked_state(settings, self.state, self._service.transfer.status())
        chosen = {name: value for name, value in checked.items() if name in SETTINGS}
        run = self._service.transfer.start(transfer_settings(chosen))
        self.state = {**chosen, "run": None}  # after the start: refused settings must not stay
        return run

    def solve_again(self, units: Mapping[str, Sequence[int]] | Sequence[tuple[str, int]] | str, run: int | None = None) -> int:
        """Train the heads of a run again without some units, and return the number of the new run at once.

        Parameters
        ----------
        units : mapping of str to sequence of int, sequence of (str, int), or str
            The units to leave out: {"conv5": [133, 254]}, [("conv5", 133), ("conv5", 254)], or "conv5 133, 254".
        run : int, optional
            The run to repeat; by default that of the head in use, else the newest.

        Raises
        ------
        HeadError
            For units that cannot be left out, and if there is no such run, or it has not ended.
        LayerError
            For a layer or unit that does not exist.
        """
        number = self._service.transfer.solve_again(units, run)
        self.state = {"run": None}
        return number

    def stop(self) -> None:
        """Stop the active run. Complete folds are kept."""
        self._service.transfer.stop()

    def wait(self, run: int | None = None, timeout: float | None = None) -> TransferResults:
        """Wait for the end of a run, and return its results.

        Parameters
        ----------
        run : int, optional
            The number of the run; by default the one that is shown.
        timeout : float, optional
            Seconds to wait.

        Raises
        ------
        HeadError
            If the run failed, or was stopped before its first fold was complete.
        ServiceError
            After `timeout` seconds, and if there is no run.
        """
        number = self._number(run)
        self._service.transfer.wait(number, timeout)
        self._update_summary()  # the event of the end may still be on its way
        return self._service.transfer.results(number)

    def results(self, run: int | None = None) -> TransferResults:
        """Return the results of a run so far: accuracy per class, the confusion matrix, skipped photographs.

        Parameters
        ----------
        run : int, optional
            The number of the run; by default the one that is shown.

        Raises
        ------
        HeadError
            Before the first fold is complete, and for an unknown run.
        """
        return self._service.transfer.results(self._number(run))

    @property
    def chart(self) -> go.Figure:
        """The chart that is shown, of the training or of the learning curve, as a plotly figure. Raises ServiceError if there is no run."""
        return run_chart(self._service.transfer, self._number(None), self.state["tab"], self.state["compare"])

    def save(self, path: str | Path, run: int | None = None) -> Path:
        """Save the results of a run: all test photographs as CSV, a figure as PNG, SVG or PDF, or one HTML page, by the suffix.

        The HTML page works without a kernel: the cells of its confusion matrix show photographs.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        ServiceError
            For another suffix, or if the file cannot be written.
        HeadError
            For a run without results.
        """

        def make(kind: Any) -> bytes:
            return self._service.transfer.file(self._number(run), kind)

        return self._save(path, make)

    def __repr__(self) -> str:
        shown = self._shown()
        if shown is None:
            return f"TransferPanel({self._service.overview().label}, {self.state['data']})"
        accuracy = "" if shown.mean is None else f", {100 * shown.mean:.1f}%"
        return f"TransferPanel({self._service.overview().label}, run {shown.run}: {shown.dataset}, {shown.phase}{accuracy})"

    def _number(self, run: int | None) -> int:
        """Return the number of a run, by default of the one that is shown. Raises ServiceError if there is none."""
        if run is not None:
            return run
        shown = self._shown()
        if shown is None:
            raise ServiceError("There is no run yet: start one with panel.start().")
        return shown.run

    def _shown(self, runs: Mapping[int, TransferRunSummary] | None = None) -> TransferRunSummary | None:
        runs = self._runs() if runs is None else runs
        return runs.get(self.state["run"]) or (runs[max(runs)] if runs else None)

    def _runs(self) -> dict[int, TransferRunSummary]:
        return {summary.run: summary for summary in self._service.transfer.status().runs}

    def _wait_for_image(self) -> None:
        self.wait()

    def _static_image(self) -> bytes | None:
        """Return a PNG of the shown run; None before its first fold is complete."""
        shown = self._shown()
        if shown is None or not shown.per_fold:
            return None
        key = (shown.run, shown.phase, shown.per_fold, shown.curve)
        return self._cached_image(key, lambda: self._service.transfer.file(shown.run, "results.png"))
