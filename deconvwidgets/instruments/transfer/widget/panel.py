"""The TransferPanel: Zeiler & Fergus 2014, sections 5.2 and 5.3, in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import copy_context
from pathlib import Path
from typing import Any

import traitlets

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.transfer.records import TransferRunSummary, TransferRunView
from deconvwidgets.instruments.transfer.widget.messages import ASIDE, answer
from deconvwidgets.instruments.transfer.widget.state import SETTINGS, WORDS, checked_state, settings_of
from deconvwidgets.service.protocol import TransferFile, TransferringService
from deconvwidgets.widgets.aside import Aside
from deconvwidgets.widgets.messages import Answer
from deconvwidgets.widgets.service_widget import STATIC, ServiceWidget, write_file
from deconvwidgets.widgets.state_trait import State, StateTrait

_FILES: dict[str, TransferFile] = {".csv": "photographs.csv", ".png": "results.png", ".html": "results.html"}


class TransferPanel(ServiceWidget):
    """Retrain the softmax classifier on other photographs, watch it, look into its results, and use it in place.

    The widget computes nothing: it adapts a service's `TransferDesk`, whose worker trains.

    Args:
        service: whose classifier is retrained; `dw.LocalModelService(bundle, images)`.
        state: where to reopen: a dict as `state` gives it, or a part of one, such as {"data": "caltech101", "images_per_class": 30}.
        height: of the widget, in CSS pixels (at widths under 900 pixels it grows beneath instead).

    Raises ServiceError for a service that cannot be retrained, and for a part of the state that cannot be.
    """

    _esm = STATIC / "transfer.js"
    _css = STATIC / "transfer.css"

    _aside: Aside | None = None
    state = StateTrait(WORDS).tag(sync=True)
    height = traitlets.Int(780, min=360).tag(sync=True)

    def __init__(self, service: TransferringService, state: Mapping[str, Any] | None = None, height: int = 780, **kwargs: Any) -> None:
        if not isinstance(service, TransferringService):
            raise ServiceError(
                f"TransferPanel retrains the classifier of a model service, not of a {type(service).__name__}: "
                "dw.LocalModelService(bundle, images)."
            )
        self._service = service
        self._desk = service.transfer
        self._checked: State = {}  # before it is opened there is none, whatever `state` holds by then
        super().__init__(state=WORDS.given(state), height=height, **kwargs)
        self._aside = Aside("deconvwidgets transfer aside")
        self.on_msg(self._on_message)
        self._unsubscribe = service.subscribe(self._on_event)

    @traitlets.validate("state")
    def _check_state(self, proposal: Mapping[str, Any]) -> State:
        self._checked = checked_state(proposal["value"], self._checked, self._desk.status())
        return self._checked

    def _on_message(self, _widget: object, content: object, buffers: object) -> None:
        """Answer a view's request, in the message callback: the browser keeps one in flight. Charts are drawn on another thread."""
        request = content if isinstance(content, Mapping) else {}
        sent = buffers if isinstance(buffers, list | tuple) else ()
        asked = copy_context()  # an answer from another thread must still belong to the browser's message, not to a running cell

        def reply(answered: Answer) -> None:
            content, made = answered
            asked.copy().run(self.send, content, made)

        if request.get("kind") in ASIDE and self._aside is not None:
            self._aside.do(lambda: reply(answer(self._service, request)))
        else:
            reply(answer(self._service, request, sent))

    def close(self) -> None:
        """Leave the service and remove every view. The service itself goes on."""
        if self._aside is not None:
            self._aside.close()
        super().close()

    def start(self, **settings: Any) -> int:
        """Retrain as the state says, with `settings` changed first (data, root, layer, images_per_class, folds, weight_decay, views,
        seed, curve). The worker trains; this returns the run's number at once.

        Raises ServiceError for settings that cannot be, HeadError or PictureError for data that cannot be trained on.
        """
        unknown = [name for name in settings if name not in SETTINGS]
        if unknown:
            raise ServiceError(f"A run has no setting {', '.join(map(repr, unknown))}: they are {', '.join(SETTINGS)}.")
        asked = {name: value for name, value in checked_state(settings, self.state, self._desk.status()).items() if name in SETTINGS}
        run = self._desk.start(settings_of(asked))
        self.state = {**asked, "run": None}  # not before: what is refused must not come back with the next start
        return run

    def stop(self) -> None:
        """Stop the run that is going on; the folds that are done are kept."""
        self._desk.stop()

    def wait(self, run: int | None = None, timeout: float | None = None) -> TransferRunView:
        """For scripts: return the results of a run (None: the one that is shown) when it has ended.

        Raises HeadError with what it failed with, or where it was stopped before its first fold was done; ServiceError when `timeout`
        seconds have passed, or before there is a run.
        """
        number = self._number(run)
        self._desk.wait(number, timeout)
        return self._desk.view(number)

    def results(self, run: int | None = None) -> TransferRunView:
        """A run's results so far: accuracies by class, the confusion matrix, which photographs were skipped.

        Args:
            run: its number; None for the one that is shown.

        Raises HeadError before its first fold is done, or for a run that there is not.
        """
        return self._desk.view(self._number(run))

    def save(self, path: str | Path, run: int | None = None) -> Path:
        """Write a run's results: every test photograph as CSV, the figures as PNG, or all of it as one HTML page, by the path's suffix.

        Returns the path. Raises ServiceError for another suffix or a place that cannot be written, HeadError for a run without results.
        """
        target = Path(path)
        kind = _FILES.get(target.suffix.lower())
        if kind is None:
            raise ServiceError(f"Cannot save results as {target.name!r}: use a name ending in .csv, .png or .html.")
        return write_file(target, lambda: self._desk.file(self._number(run), kind))

    def _number(self, run: int | None) -> int:
        """The run's number, or that of the one that is shown. Raises ServiceError before there is any."""
        if run is not None:
            return run
        shown = self._shown()
        if shown is None:
            raise ServiceError("There is no run yet: panel.start() retrains.")
        return shown.run

    def _shown(self, among: Mapping[int, TransferRunSummary] | None = None) -> TransferRunSummary | None:
        runs = self._runs() if among is None else among
        return runs.get(self.state["run"]) or (runs[max(runs)] if runs else None)

    def _runs(self) -> dict[int, TransferRunSummary]:
        return {summary.run: summary for summary in self._desk.status().runs}

    def __repr__(self) -> str:
        shown = self._shown()
        if shown is None:
            return f"TransferPanel({self._service.overview().model}, {self.state['data']})"
        accuracy = "" if shown.mean is None else f", {100 * shown.mean:.1f} %"
        return f"TransferPanel({self._service.overview().model}, run {shown.run}: {shown.dataset}, {shown.phase}{accuracy})"

    def _still_picture(self) -> bytes | None:
        """A PNG of the shown run, kept until the run goes on; None before its first fold is done or where drawing fails."""
        shown = self._shown()
        if shown is None or not shown.per_fold:
            return None
        key = (shown.run, shown.phase, shown.per_fold, shown.curve)
        return self._kept_still(key, lambda: self._desk.file(shown.run, "results.png"))
