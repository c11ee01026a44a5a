"""Uploads in chunks, as a browser sends them: "begin", "chunk" (one buffer each), "finish"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from deconvwidgets.errors import ServiceError
from deconvwidgets.widgets.messages import Answer, number_of, text_of

STEPS = ("begin", "chunk", "finish")


class Receiver(Protocol):
    """Who takes uploads: a desk of the service."""

    def begin_upload(self, name: str, size: int) -> str:
        """The upload's id."""
        ...

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        """The bytes that are there."""
        ...

    def finish_upload(self, upload: str) -> str:
        """What became of it."""
        ...


def take_upload(desk: Receiver, request: Mapping[str, Any], buffers: Sequence[Any], became: str, steps: Sequence[str] = STEPS) -> Answer:
    """The answer to one step; `became` is what the last one's result is called. Raises ServiceError for another step than `steps`."""
    step = request.get("step")
    if step not in STEPS:
        raise ServiceError(f"An upload has no step {step!r}: {', '.join(steps[:-1])} or {steps[-1]}.")
    if step == "begin":
        return {"upload": desk.begin_upload(text_of(request, "name"), number_of(request, "size"))}, []
    upload = text_of(request, "upload")
    if step == "finish":
        return {became: desk.finish_upload(upload)}, []
    if len(buffers) != 1:
        raise ServiceError(f"A chunk of an upload comes with one buffer, not {len(buffers)}.")
    return {"have": desk.add_chunk(upload, number_of(request, "offset"), bytes(buffers[0]))}, []
