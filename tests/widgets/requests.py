"""Requests to a widget as its front end sends them, and what the widget sends back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from deconvwidgets.widgets.explorer import Explorer

Message = tuple[dict[str, Any], list[bytes]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """Everything that widgets send to their views, as (content, buffers)."""
    messages: list[Message] = []
    monkeypatch.setattr(Explorer, "send", lambda self, content, buffers=None: messages.append((content, buffers)))
    return messages


def until(done: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until `done` returns something true."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def ask(explorer: Explorer, sent: list[Message], kind: Any, buffers: Any = (), **fields: Any) -> Message:
    """Send a request, and return the one reply."""
    sequence = 7 + len(sent)

    def replies() -> list[Message]:
        return [(content, data) for content, data in list(sent) if content.get("seq") == sequence and "ok" in content]

    explorer._handle_custom_msg({"seq": sequence, "client": "v1", "kind": kind, **fields}, list(buffers))
    until(replies)
    assert len(replies()) == 1, "each request is answered exactly once"
    content, data = replies()[0]
    assert content["client"] == "v1"
    json.dumps(content, allow_nan=False)  # JavaScript's JSON has neither NaN nor infinity
    return content, data
