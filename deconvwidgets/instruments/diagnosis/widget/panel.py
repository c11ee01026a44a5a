"""The DiagnosisPanel: what looks wrong with a network, and what surgery changes (Zeiler & Fergus 2014, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from deconvwidgets.instruments.diagnosis.panel_records import ArmSummary, ShiftedResult, ShiftRequest
from deconvwidgets.instruments.diagnosis.records import LEVELS, Diagnosis, SuggestedSurgery
from deconvwidgets.instruments.diagnosis.service.protocol import SupportsDiagnosis
from deconvwidgets.instruments.diagnosis.widget.messages import HANDLERS
from deconvwidgets.instruments.diagnosis.widget.state import MESSAGES, checked_state
from deconvwidgets.widgets.explorer import Explorer
from deconvwidgets.widgets.messages import Reply, Request
from deconvwidgets.widgets.state import State, StateTrait


class DiagnosisPanel(Explorer):
    """See what looks wrong with a network, try a change of its architecture, and measure what it does.

    On the left the checks of `dw.diagnose`, with the units that show each finding; in the middle the filters of the first layer by spatial
    frequency; on the right the shift microscope: drag the photograph, and the strongest unit of each feature map and fully connected
    layer is computed again. Of more than eight layers, a few are shown, or all in a list. A surgery makes an arm, the network changed by
    `dw.surgery` and not trained further, whose shift curves of all these layers and accuracy stand beside those of the network as it is.
    The diagnosis starts when the panel is shown first, or by `start`; where labels name classes of the model, it uses them.

    Source: Zeiler & Fergus 2014, section 4.1 and figure 5. Arms and the shift microscope are our extensions.

    Parameters
    ----------
    service : LocalModelService
    state : mapping, optional
        A state, or a part of one, such as {"finding": "aliasing", "shift": [5, 0]}.
    height : int
        Height in CSS pixels. At widths below 900 pixels the widget is higher.

    Attributes
    ----------
    state : dict
        The keys can be set one by one.

        - finding: the check whose finding is open; None: the first one.
        - sort: "frequency", "aliasing" or "rms": the order of the first layer's filters.
        - unit: [layer, unit], whose evidence is shown. None: the worst of the finding.
        - image: "crop:17", the photograph of the shift microscope; or, while the kernel runs, "upload:...", an uploaded one.
        - shift: [right, down] in pixels of the model's input, from -32 to 32.
        - layers: "few" or "all", under the shift microscope: "few" are at most five feature maps and three fully connected layers.
        - arm: the arm under the shift microscope; 0 is the network as it is.

    summary : dict
        The number of findings by level, and the titles of those found. Read-only; empty before the diagnosis.

    Raises
    ------
    ServiceError
        For an invalid part of the state.
    TypeError
        For an unknown argument.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> service = dw.LocalModelService(dw.load_model("alexnet"), dw.open_images("photos"), device="cpu").wait()
    >>> panel = dw.DiagnosisPanel(service, state={"image": "crop:9", "shift": [1, 0]})
    >>> [layer.layer for layer in panel.shifted().layers]
    ['conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc6']
    >>> service.close()
    """

    FRONT_END = "diagnosis"
    MESSAGES = MESSAGES
    SERVICE = SupportsDiagnosis
    HANDLERS = HANDLERS
    EVENTS = frozenset({"diagnosis"})
    SUMMARY_EVENTS = frozenset({"changed", "diagnosis"})
    FILES: ClassVar[Mapping[str, str]] = {".html": "report.html", ".json": "report.json", ".csv": "report.csv", ".png": "report.png"}

    _service: SupportsDiagnosis
    state = StateTrait(MESSAGES).tag(sync=True)

    def __init__(self, service: SupportsDiagnosis, state: Mapping[str, Any] | None = None, height: int = 940, **options: Any) -> None:
        super().__init__(service, state, height=height, **options)

    def _check_state(self, state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
        status = self._service.diagnosis.status()
        diagnosis = self._service.diagnosis.diagnosis() if status.phase == "done" else None
        return checked_state(state, current, status, self._service.overview(), diagnosis)

    def _summarize(self) -> State:
        status = self._service.diagnosis.status()
        if status.phase != "done":
            return {}
        diagnosis = self._service.diagnosis.diagnosis()
        counts: State = {level: diagnosis.count(level) for level in LEVELS}
        return {**counts, "findings": [one.title for one in diagnosis.findings if one.level == "found"], "arms": len(status.arms)}

    @property
    def diagnosis(self) -> Diagnosis:
        """The diagnosis. Raises DiagnosisError while there is none."""
        return self._service.diagnosis.diagnosis()

    @property
    def arms(self) -> tuple[ArmSummary, ...]:
        """The network as it is, and what surgery has made of it, with the curves and the accuracy of each."""
        return self._service.diagnosis.status().arms

    def start(self) -> None:
        """Start the diagnosis, and return at once. Does nothing while it is running, and if this model was diagnosed already."""
        self._service.diagnosis.start()

    def stop(self) -> None:
        """Stop the diagnosis, and what is measured of the arms."""
        self._service.diagnosis.stop()

    def wait(self, timeout: float | None = None) -> Diagnosis:
        """Wait for the end of the diagnosis, which is started if it was not, or if the model was changed since, and return it.

        Raises
        ------
        DiagnosisError
            If it was stopped, or failed.
        ServiceError
            After `timeout` seconds.
        """
        status = self._service.diagnosis.status()
        if status.phase == "none" or not status.current:
            self._service.diagnosis.start()
        found = self._service.diagnosis.wait(timeout)
        self._update_summary()  # the event of the end may still be on its way
        return found

    def shifted(self, right: int | None = None, down: int | None = None) -> ShiftedResult:
        """Return what the arm that is shown computes of the photograph that is shown, shifted.

        Parameters
        ----------
        right, down : int, optional
            Pixels of the model's input; by default those of the state.

        Raises
        ------
        PictureError
            If the photograph cannot be read.
        ServiceError
            For a shift of more than 32 pixels.
        """
        across, along = (own if given is None else given for own, given in zip(self.state["shift"], (right, down), strict=True))
        return self._service.diagnosis.shifted(ShiftRequest(self.state["image"], across, along, self.state["arm"], self.state["layers"]))

    def try_surgery(self, surgery: SuggestedSurgery, parent: int | None = None) -> int:
        """Change an arm by a surgery, show the new arm, and return its number.

        Parameters
        ----------
        surgery : SuggestedSurgery
            Of a finding (`panel.diagnosis.finding("aliasing").surgeries`), or one of your own.
        parent : int, optional
            The arm that is changed; by default the one that is shown.

        Raises
        ------
        DiagnosisError
            For an unknown arm, and if there are too many.
        ModelError, LayerError
            If the network cannot be changed in this way.
        """
        arm = self._service.diagnosis.add_arm(surgery, self.state["arm"] if parent is None else parent)
        self.state = {"arm": arm}
        return arm

    def undo(self) -> int:
        """Undo the last step of the arm that is shown, show the one before it, and return its number.

        Raises
        ------
        DiagnosisError
            If that is the network as it is, or if another arm was made of it.
        """
        arm = self.state["arm"]
        before = self._service.diagnosis.remove_arm(arm)
        self.state = {"arm": before}
        return before

    def save(self, path: str | Path) -> Path:
        """Save the report as HTML, JSON, CSV or PNG, by the suffix.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        DiagnosisError
            While there is no diagnosis.
        ServiceError
            For another suffix, or if the file cannot be written.
        """

        def make(kind: Any) -> bytes:
            return self._service.diagnosis.file(kind)

        return self._save(path, make)

    def __repr__(self) -> str:
        model, status = self._service.overview().label, self._service.diagnosis.status()
        if status.phase != "done":
            return f"DiagnosisPanel({model}, {'not diagnosed' if status.phase == 'none' else status.phase})"
        if not status.current:
            return f"DiagnosisPanel({model}, diagnosed before the model was changed)"
        diagnosis = self._service.diagnosis.diagnosis()
        return f"DiagnosisPanel({model}, {diagnosis.count('found')} found, {diagnosis.count('near')} near)"

    def _answer(self, request: Request) -> Reply:
        content, buffers = super()._answer(request)
        if request.kind == "remove_arm" and content["ok"] and self.state["arm"] == request.get("arm"):
            self.state = {"arm": content["arm"]}
        return content, buffers

    def _wait_for_image(self) -> None:
        self.wait()

    def _static_image(self) -> bytes | None:
        """Return a PNG of the report; None before the diagnosis."""
        status = self._service.diagnosis.status()
        if status.phase != "done":
            return None
        return self._cached_image(status.version, lambda: self._service.diagnosis.file("report.png"))
