"""Send requests to a widget as its front end does, and collect what the widget sends."""

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
    """All messages that widgets send to their views, as (content, buffers)."""
    messages: list[Message] = []
    monkeypatch.setattr(Explorer, "send", lambda self, content, buffers=None: messages.append((content, buffers)))
    return messages


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until `condition` returns a true value."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.005)


def send_request(explorer: Explorer, sent: list[Message], kind: Any, buffers: Any = (), **fields: Any) -> Message:
    """Send a request, and return its reply."""
    sequence = 7 + len(sent)

    def replies() -> list[Message]:
        return [(content, data) for content, data in list(sent) if content.get("seq") == sequence and "ok" in content]

    explorer._handle_custom_msg({"seq": sequence, "client": "v1", "kind": kind, **fields}, list(buffers))
    wait_until(replies)
    assert len(replies()) == 1, "each request has exactly one reply"
    content, data = replies()[0]
    assert content["client"] == "v1"
    json.dumps(content, allow_nan=False)  # JavaScript's JSON has neither NaN nor infinity
    return content, data
