"""Uploads in chunks: "begin", "chunk" (one buffer each), "finish" and "cancel"."""

from __future__ import annotations

from typing import Protocol

from deconvwidgets.errors import ServiceError
from deconvwidgets.widgets.messages import Reply, Request, Where

_STEPS = ("begin", "chunk", "finish", "cancel")


class UploadService(Protocol):
    """Receives uploads."""

    def begin_upload(self, name: str, size: int) -> str:
        """Begin an upload, and return its id."""
        ...

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        """Add a chunk, and return the number of bytes received."""
        ...

    def finish_upload(self, upload: str) -> str:
        """Finish an upload, and return what it became."""
        ...

    def cancel_upload(self, upload: str) -> None:
        """Drop an unfinished upload."""
        ...


def upload_where(request: Request) -> Where:
    """Return where to answer a step: the last one decodes or unpacks the file, which takes a while."""
    return "worker" if request.get("step") == "finish" else "now"


def upload_step(service: UploadService, request: Request, result: str) -> Reply:
    """Answer one step. `result` is the name of the last step's result in its reply. Raises ServiceError for an unknown step."""
    step = request.get("step")
    if step not in _STEPS:
        raise ServiceError(f"An upload has no step {step!r}: {', '.join(_STEPS[:-1])} or {_STEPS[-1]}.")
    if step == "begin":
        return {"upload": service.begin_upload(request.text("name"), request.integer("size"))}, []
    upload = request.text("upload")
    if step == "cancel":
        service.cancel_upload(upload)
        return {}, []
    if step == "finish":
        return {result: service.finish_upload(upload)}, []
    if len(request.buffers) != 1:
        raise ServiceError(f"A chunk of an upload needs one buffer, not {len(request.buffers)}.")
    return {"have": service.add_chunk(upload, request.integer("offset"), bytes(request.buffers[0]))}, []
