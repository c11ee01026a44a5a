"""The requests of a DiagnosisPanel. No torch here: a widget never computes."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from deconvwidgets.instruments.diagnosis.panel_records import (
    DiagnosisStatus,
    FilterPictures,
    FilterSpectrum,
    ReportFile,
    ShiftedResult,
    ShiftPhotograph,
    ShiftRequest,
)
from deconvwidgets.instruments.diagnosis.records import Diagnosis, SuggestedSurgery
from deconvwidgets.instruments.occlusion.service.protocol import SupportsOcclusion


@runtime_checkable
class DiagnosisService(Protocol):
    """Answers the requests of a DiagnosisPanel. `DiagnosisApi` documents the parameters and errors.

    While something is computed, the event "diagnosis" is published at most about ten times per second.
    """

    def status(self) -> DiagnosisStatus:
        """Return the state of the diagnosis, and the arms."""
        ...

    def start(self) -> None:
        """Diagnose the service's model on a worker, then measure its shift curves. Does nothing while it is running, or if that is done."""
        ...

    def stop(self) -> None:
        """Stop the diagnosis, and what is measured of the arms, at the next batch."""
        ...

    def wait(self, timeout: float | None = None) -> Diagnosis:
        """Wait for the end of the diagnosis, and return it."""
        ...

    def diagnosis(self) -> Diagnosis:
        """Return the diagnosis."""
        ...

    def filters(self, tile: int = 40) -> FilterPictures:
        """Return pictures of the filters of the first convolution."""
        ...

    def spectrum(self, unit: int) -> FilterSpectrum:
        """Return the amplitude of one of these filters by spatial frequency."""
        ...

    def photograph(self, image: str) -> ShiftPhotograph:
        """Return a photograph of the shift microscope, with more pixels on each side than the model sees."""
        ...

    def neighbour(self, image: str, step: int = 1) -> str:
        """Return the photograph `step` places after one of the shift microscope."""
        ...

    def shifted(self, request: ShiftRequest) -> ShiftedResult:
        """Return what an arm computes of a shifted photograph, beside the same of the photograph as it is."""
        ...

    def add_arm(self, surgery: SuggestedSurgery, parent: int = 0) -> int:
        """Change an arm by a surgery, and return the number of the new arm. Its curves are measured on a worker."""
        ...

    def remove_arm(self, arm: int) -> int:
        """Undo the last step of an arm, and return the number of the arm before it."""
        ...

    def wait_for_arm(self, arm: int, timeout: float | None = None) -> None:
        """Wait until an arm is measured."""
        ...

    def file(self, kind: ReportFile) -> bytes:
        """Return the report, or the curves of all arms, as the bytes of a file."""
        ...


@runtime_checkable
class SupportsDiagnosis(SupportsOcclusion, Protocol):
    """A model service that answers DiagnosisPanels: they upload images as OcclusionExplorers do."""

    @property
    def diagnosis(self) -> DiagnosisService:
        """Answers the requests of a DiagnosisPanel."""
        ...
