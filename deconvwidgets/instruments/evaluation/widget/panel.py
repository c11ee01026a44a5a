"""The EvaluationPanel: what the loaded model gets wrong, in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.evaluation.records import ClassificationEvaluation, Evaluation
from deconvwidgets.instruments.evaluation.service.protocol import SupportsEvaluation
from deconvwidgets.instruments.evaluation.settings import ComparisonResults, EvaluationRunSummary
from deconvwidgets.instruments.evaluation.widget.messages import HANDLERS
from deconvwidgets.instruments.evaluation.widget.state import MESSAGES, SETTINGS, checked_state, evaluation_settings
from deconvwidgets.widgets.explorer import Explorer
from deconvwidgets.widgets.messages import Request
from deconvwidgets.widgets.showing import Photograph
from deconvwidgets.widgets.state import State, StateTrait


class EvaluationPanel(Explorer):
    """Evaluate the loaded model on labelled photographs: accuracy, calibration, confusion matrix, and its mistakes.

    When the model changes (another head, switched-off units), it is evaluated again, and the change is shown: of the accuracy, with its
    confidence interval, of each class, and of the photographs that are now right or now wrong.

    Parameters
    ----------
    service : LocalModelService
        The service whose model is evaluated.
    images : optional
        Labelled photographs: anything that `open_images` takes, a folder with one folder per class, a torchvision data set, a DataFrame.
        By default those of the service, or what the page selects.
    state : mapping, optional
        A state, or a part of one, as `panel.state` returns it, such as {"data": "caltech101", "show": "mistakes"}.
    height : int
        Height in CSS pixels. At widths below 900 pixels the widget is higher.

    Attributes
    ----------
    summary : dict
        The scores of the run that is shown. Read-only; empty before the first run.

    Raises
    ------
    ServiceError
        For an invalid part of the state.
    PictureError
        For images that cannot be opened.
    TypeError
        For an unknown argument.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> service = dw.LocalModelService(dw.load_model("squeezenet1_1"), dw.open_images("photos"), device="cpu")
    >>> panel = dw.EvaluationPanel(service, state={"show": "mistakes"})
    >>> evaluation = panel.wait(panel.start())
    >>> evaluation.photographs, panel.summary["phase"]
    (20, 'done')
    >>> service.close()
    """

    FRONT_END = "evaluation"
    MESSAGES = MESSAGES
    SERVICE = SupportsEvaluation
    HANDLERS = HANDLERS
    EVENTS = frozenset({"evaluation"})
    SUMMARY_EVENTS = frozenset({"evaluation", "changed"})
    FILES: ClassVar[Mapping[str, str]] = {
        ".csv": "photographs.csv",
        ".png": "results.png",
        ".svg": "results.svg",
        ".pdf": "results.pdf",
        ".html": "results.html",
    }

    _service: SupportsEvaluation
    state = StateTrait(MESSAGES).tag(sync=True)

    def __init__(
        self, service: SupportsEvaluation, images: Any = None, state: Mapping[str, Any] | None = None, height: int = 780, **options: Any
    ) -> None:
        self._require_service(service)
        if images is not None:
            state = {"data": service.evaluation.add_images(images), **MESSAGES.initial(state)}
        super().__init__(service, state, height=height, **options)

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        return checked_state(state, current, self._service.evaluation.status())

    def _summarize(self) -> State:
        shown = self._shown()
        if shown is None:
            return {}
        names = ("run", "phase", "dataset", "classifier", "task", "photographs", "total", "score", "score_name", "problem")
        summary = {name: getattr(shown, name) for name in names}
        if shown.phase not in ("done", "stopped") or not shown.photographs:
            return summary  # the scores change with each batch
        return {**summary, **_scores(self._service.evaluation.results(shown.run).evaluation)}

    def start(self, **settings: Any) -> int:
        """Start a run with the settings of the state, and return its number at once. The service's worker evaluates.

        Parameters
        ----------
        **settings
            Settings to change first: data, root, limit, mapping, threshold, automatic.

        Raises
        ------
        ServiceError
            For invalid settings.
        DeconvWidgetsError
            For data that the model cannot be evaluated on.
        """
        unknown = [name for name in settings if name not in SETTINGS]
        if unknown:
            raise ServiceError(f"A run has no setting {', '.join(map(repr, unknown))}: they are {', '.join(SETTINGS)}.")
        checked = checked_state(settings, self.state, self._service.evaluation.status())
        chosen = {name: value for name, value in checked.items() if name in SETTINGS}
        run = self._service.evaluation.start(evaluation_settings(chosen))
        self.state = {**chosen, "run": None}  # after the start: refused settings must not stay
        return run

    def stop(self) -> None:
        """Stop the active run. What was evaluated is kept, and the next run continues there."""
        self._service.evaluation.stop()

    def wait(self, run: int | None = None, timeout: float | None = None) -> Evaluation:
        """Wait for the end of a run, and return its results.

        Parameters
        ----------
        run : int, optional
            The number of the run; by default the one that is shown.
        timeout : float, optional
            Seconds to wait.

        Raises
        ------
        ServiceError
            After `timeout` seconds, and if there is no run.
        """
        number = self._number(run)
        self._service.evaluation.wait(number, timeout)
        self._update_summary()  # the event of the end may still be on its way
        return self._service.evaluation.results(number).evaluation

    def results(self, run: int | None = None) -> Evaluation:
        """Return the results of a run so far, as `deconvwidgets.evaluate` returns them.

        Parameters
        ----------
        run : int, optional
            The number of the run; by default the one that is shown.

        Raises
        ------
        DeconvWidgetsError
            Before the first photograph is evaluated, and for an unknown run.
        """
        return self._service.evaluation.results(self._number(run)).evaluation

    def compare(self, before: int | None = None, after: int | None = None, limit: int = 24) -> ComparisonResults:
        """Return the change between two runs of the same photographs.

        Parameters
        ----------
        before, after : int, optional
            The numbers of the runs; by default the one that is shown, and the complete run before it.
        limit : int
            At most so many of the photographs that became right, and that became wrong.

        Raises
        ------
        DeconvWidgetsError
            For runs that cannot be compared.
        """
        return self._service.evaluation.compare(self._number(after), self.state["before"] if before is None else before, limit)

    def save(self, path: str | Path, run: int | None = None) -> Path:
        """Save the results of a run: all photographs as CSV, a figure as PNG, SVG or PDF, or one HTML page, by the suffix.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        ServiceError
            For another suffix, or if the file cannot be written.
        DeconvWidgetsError
            For a run without results.
        """

        def make(kind: Any) -> bytes:
            return self._service.evaluation.file(self._number(run), kind)

        return self._save(path, make)

    def __repr__(self) -> str:
        shown, model = self._shown(), self._service.overview().label
        if shown is None:
            return f"EvaluationPanel({model}, {self.state['data']})"
        return f"EvaluationPanel({model}, run {shown.run}: {shown.dataset}, {shown.phase}{_score_text(shown)})"

    def _photograph(self, reference: Mapping[str, Any]) -> Photograph:
        request = Request(reference)
        found = self._service.evaluation.photograph(request.integer("run"), request.integer("source"))
        return Photograph(found.name, found.image.data, found.label)

    def _number(self, run: int | None) -> int:
        """Return the number of a run, by default of the one that is shown. Raises ServiceError if there is none."""
        if run is not None:
            return run
        shown = self._shown()
        if shown is None:
            raise ServiceError("There is no run yet: start one with panel.start().")
        return shown.run

    def _shown(self) -> EvaluationRunSummary | None:
        runs = {summary.run: summary for summary in self._service.evaluation.status().runs}
        return runs.get(self.state["run"]) or (runs[max(runs)] if runs else None)

    def _wait_for_image(self) -> None:
        self.wait()

    def _static_image(self) -> bytes | None:
        """Return a PNG of the shown run; None before its first photograph is evaluated."""
        shown = self._shown()
        if shown is None or not shown.photographs:
            return None
        key = (shown.run, shown.phase, shown.photographs)
        return self._cached_image(key, lambda: self._service.evaluation.file(shown.run, "results.png"))


def _scores(evaluation: Evaluation) -> State:
    """Return the scores of an evaluation that are one number each."""
    if not isinstance(evaluation, ClassificationEvaluation):
        return {}
    scores = {name: getattr(evaluation, name) for name in ("accuracy", "top5", "class_accuracy", "log_loss", "brier")}
    return {**scores, "expected_calibration_error": evaluation.reliability.error}


def _score_text(shown: EvaluationRunSummary) -> str:
    if shown.score is None:
        return ""
    return f", {shown.score_name} {shown.score:.4g}" if shown.task == "regression" else f", {100 * shown.score:.1f}%"
