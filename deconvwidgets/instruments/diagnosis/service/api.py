"""The requests of a DiagnosisPanel: a shifted photograph is computed at once, everything longer by a worker."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from threading import RLock
from typing import get_args
from weakref import ref

from deconvwidgets.arguments import describe, instance, integer, one_of, seconds
from deconvwidgets.errors import DiagnosisError, ServiceError
from deconvwidgets.instruments.diagnosis.compute.filter_pictures import filter_spectrum, filter_sprite
from deconvwidgets.instruments.diagnosis.figures.files import diagnosis_file
from deconvwidgets.instruments.diagnosis.panel_records import (
    LAYER_CHOICES,
    MARGIN,
    DiagnosisStatus,
    FilterPictures,
    FilterSpectrum,
    ReportFile,
    ShiftedResult,
    ShiftPhotograph,
    ShiftRequest,
)
from deconvwidgets.instruments.diagnosis.records import Diagnosis, FirstLayer, SuggestedSurgery
from deconvwidgets.instruments.diagnosis.service.ablation_code import ablation_code
from deconvwidgets.instruments.diagnosis.service.arms import Arms, operate_on
from deconvwidgets.instruments.diagnosis.service.files import curves_csv
from deconvwidgets.instruments.diagnosis.service.jobs import DiagnoseJob, MeasureJob
from deconvwidgets.instruments.diagnosis.service.microscopes import Microscopes
from deconvwidgets.instruments.diagnosis.service.runs import DiagnosisRun, MeasuredRun
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.cores import Cores
from deconvwidgets.service.encoding import encode_image
from deconvwidgets.service.instrument import InstrumentApi
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.rate_limit import RateLimiter
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.worker import Executor, Job

_log = logging.getLogger(__name__)


class DiagnosisApi(InstrumentApi):
    """Implements `DiagnosisService`. Every method may be called from any thread."""

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        self._changed = RateLimiter(lambda: context.publish(ServiceEvent("diagnosis")))
        self._cores = Cores()
        self._changing = RLock()  # re-entrant: with a synchronous executor a job runs within `start`
        self._version = 1
        self._run: DiagnosisRun | None = None
        self._arms = Arms(context.last_snapshot.bundle, context.last_snapshot.images)
        self._microscopes = Microscopes(context.input_images, context.device_lock, context.share_of)
        weak = ref(self)  # the context must not keep the API alive

        def snapshot_changed(snapshot: Snapshot) -> None:
            api = weak()
            if api is not None:
                api._snapshot_changed(snapshot)

        context.on_replace(snapshot_changed)

    def status(self) -> DiagnosisStatus:
        """Return the state of the diagnosis, and the arms."""
        run, arms = self._run, self._arms.all()
        return DiagnosisStatus(
            version=self._version,
            phase="none" if run is None else run.phase,
            progress=None if run is None else run.progress,
            problem=None if run is None else run.problem,
            current=run is None or run.bundle is self._context.last_snapshot.bundle,
            arms=tuple(arm.summary() for arm in arms),
            ablation=ablation_code(arms, self._context.host),
            uploads=tuple(self._context.input_images.uploads.names()),
        )

    def start(self) -> None:
        """Diagnose the service's model on a worker, then measure its shift curves.

        Does nothing while it is running. A model is diagnosed once; after another one was shown for a while, only the curves are measured
        again. Raises ServiceError if the service is closed.
        """
        with self._changing:
            snapshot, current = self._context.snapshot, self._run
            executor = self._context.analysis_executor
            if current is not None and current.bundle is snapshot.bundle and current.valid:
                self._measure_all(executor)  # the arms are new after another model was set for a while
                return
            if current is not None:
                current.stop()
            self._version += 1
            self._run = run = DiagnosisRun(self._version, snapshot.bundle, snapshot.images)
            _submit(executor, "diagnosis", DiagnoseJob(run, self._context, self._changed.trigger), run)
            self._measure_all(executor)
        self._changed.trigger(at_once=True)

    def stop(self) -> None:
        """Stop the diagnosis, and what is measured of the arms, at the next batch."""
        if self._run is not None:
            self._run.stop()
        self._arms.stop()
        self._changed.trigger(at_once=True)

    def wait(self, timeout: float | None = None) -> Diagnosis:
        """Wait for the end of the diagnosis, and return it.

        Raises
        ------
        DiagnosisError
            If it was not started, was stopped, or failed.
        ServiceError
            After `timeout` seconds.
        """
        self._require_run().wait(seconds(timeout))
        return self.diagnosis()

    def diagnosis(self) -> Diagnosis:
        """Return the diagnosis. Raises DiagnosisError while there is none."""
        return self._require_run().require()

    def filters(self, tile: int = 40) -> FilterPictures:
        """Return the filters of the first convolution below each other, `tile` pixels (8 to 256) a side.

        Raises
        ------
        DiagnosisError
            While there is no diagnosis, or if the network has no first convolution.
        """
        tile = integer(tile, "tile", 8, 256)
        first = self._first_layer()
        sprite = filter_sprite(first, self._require_run().bundle.channels_to_display, tile)
        return FilterPictures(encode_image(sprite, "png"), tile, len(first.weights))

    def spectrum(self, unit: int) -> FilterSpectrum:
        """Return the amplitude of a filter of the first convolution by spatial frequency. Raises what `filters` raises."""
        first = self._first_layer()
        unit = integer(unit, "unit", 0, len(first.weights) - 1)
        return FilterSpectrum(unit, filter_spectrum(first.weights[unit]), first.carried)

    def photograph(self, image: str) -> ShiftPhotograph:
        """Return a photograph ("crop:17", "upload:<id>") with 32 pixels more on each side than the model sees.

        Raises
        ------
        PictureError
            If there is no such image, or it cannot be read.
        """
        return self._microscopes.photograph(self._context.snapshot, image)

    def neighbour(self, image: str, step: int = 1) -> str:
        """Return the photograph `step` places after one ("crop:17", "upload:<id>"), before it if negative, in a circle.

        The uploads, newest first, stand before the photographs of the image set, of which the first crop is returned.

        Raises
        ------
        PictureError
            If there is no such image. It need not be readable.
        """
        return self._microscopes.neighbour(self._context.snapshot, image, integer(step, "step"))

    def shifted(self, request: ShiftRequest) -> ShiftedResult:
        """Return what an arm computes of a photograph that is moved by at most 32 pixels, beside the same of the photograph as it is.

        Raises
        ------
        PictureError
            If there is no such image, or it cannot be read.
        DiagnosisError
            For an unknown arm.
        ServiceError
            For a larger shift, or an unknown choice of layers.
        """
        self._context.record_request()
        request = _checked(request)
        arm, lock = self._arms.get(request.arm), self._context.device_lock
        with lock.pause_batches():
            microscope = self._microscopes.get(self._context.snapshot, arm, request.image)
            with lock.request(), self._cores.half():
                return microscope.shifted(request)

    def add_arm(self, surgery: SuggestedSurgery, parent: int = 0) -> int:
        """Change an arm by a surgery, and return the number of the new arm; that of the same surgery of the same arm, if there is one.

        Its curves and its accuracy are measured on a worker. Nothing is trained.

        Raises
        ------
        DiagnosisError
            For an unknown arm, for arguments that the surgery does not have, and if there are too many arms.
        ModelError, LayerError
            If the network cannot be changed in this way.
        """
        suggestion = instance(surgery, SuggestedSurgery, "surgery", DiagnosisError)
        with self._changing:
            before = self._arms.get(integer(parent, "parent"), "parent arm")
            found = self._arms.find(before.number, suggestion)
            if found is None:
                self._arms.require_room()
                with self._context.device_lock.request():
                    changed = operate_on(before, suggestion)
                found = self._arms.add(before.number, suggestion, changed)
            self._measure(found.number, self._context.interactive_executor)
        self._changed.trigger(at_once=True)
        return found.number

    def remove_arm(self, arm: int) -> int:
        """Undo the last step of an arm, and return the number of the arm before it. Raises DiagnosisError if that is not possible."""
        with self._changing:
            removed = self._arms.remove(integer(arm, "arm"))
        self._changed.trigger(at_once=True)
        return removed.parent or 0

    def wait_for_arm(self, arm: int, timeout: float | None = None) -> None:
        """Wait until an arm is measured. Raises DiagnosisError if that failed or is not begun, ServiceError after `timeout` seconds."""
        run = self._arms.get(integer(arm, "arm"))
        if not run.submitted:
            raise DiagnosisError(f"The arm {run.label!r} is not being measured: start the diagnosis.")
        run.wait(seconds(timeout))

    def file(self, kind: ReportFile) -> bytes:
        """Return the report, or the curves of all arms ("curves.csv"), as the bytes of a file.

        Raises DiagnosisError while there is no diagnosis, ServiceError for an unknown kind.
        """
        one_of(kind, "file", get_args(ReportFile))
        if kind != "curves.csv":
            return diagnosis_file(self.diagnosis(), kind.removeprefix("report."))
        measured = [arm for arm in self.status().arms if arm.curves is not None]
        if not measured:
            raise DiagnosisError("No arm is measured yet: wait for the curves.")
        return curves_csv(measured)

    def close(self) -> None:
        """Stop what is computed. Results can still be read."""
        self.stop()
        self._changed.close()

    def _measure_all(self, executor: Executor) -> None:
        for arm in self._arms.all():
            self._measure(arm.number, executor)

    def _measure(self, number: int, executor: Executor) -> None:
        """Measure an arm that is not measured, or of which that was stopped or has failed."""
        arm = self._arms.renew(number)
        if not arm.submitted:
            arm.submitted = True
            _submit(executor, f"arm {number}", MeasureJob(arm, self._context, self._changed.trigger), arm)

    def _snapshot_changed(self, snapshot: Snapshot) -> None:
        """Begin with new arms if the model is another one. The diagnosis stays, and is marked as that of another model."""
        with self._changing:
            base = self._arms.base
            if snapshot.bundle is base.bundle and snapshot.images is base.images:
                return
            self._arms.stop()
            self._arms = Arms(snapshot.bundle, snapshot.images, self._arms.last)
            self._microscopes.clear()
            self._version += 1
            begun = self._run is not None
        if begun:  # otherwise nobody has seen anything that changes
            self._changed.trigger()

    def _require_run(self) -> DiagnosisRun:
        run = self._run
        if run is None:
            raise DiagnosisError("There is no diagnosis yet: start it first.")
        return run

    def _first_layer(self) -> FirstLayer:
        first = self.diagnosis().first_layer
        if first is None:
            raise DiagnosisError("The network has no first convolution on its input: there are no filters to show.")
        return first


def _checked(request: ShiftRequest) -> ShiftRequest:
    """Return a request with Python integers."""
    instance(request, ShiftRequest, "request")
    if not isinstance(request.image, str):
        raise DiagnosisError(f"image must be a name such as 'crop:0', or the id of an upload, not {describe(request.image)}.")
    one_of(request.layers, "choice of layers", LAYER_CHOICES)
    right, down = (integer(getattr(request, name), name, -MARGIN, MARGIN) for name in ("right", "down"))
    return replace(request, right=right, down=down, arm=integer(request.arm, "arm", 0))


def _submit(executor: Executor, name: str, job: Callable[[Job], None], run: MeasuredRun) -> None:
    """Submit a job. If that is not possible, the run ends, and the error is raised: otherwise it would be waited for without end."""
    try:
        executor.submit(name, job, _log.error)
    except ServiceError as error:
        run.end("failed", str(error))
        raise
