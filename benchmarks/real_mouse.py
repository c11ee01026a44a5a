"""A mouse that moves on whether or not the page keeps up, as a hand does.

Playwright's own waits until the page has taken each movement, and asks every frame of the page about drag and drop beside it: some 16
movements a second are all that it comes to while a notebook is busy.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

import websocket

Course = Callable[[float], tuple[float, float]]  # from seconds to CSS pixels of the page


class Mouse:
    """Presses, moves and lets go, over a connection of its own to Chromium's debugging port."""

    def __init__(self, port: int, address: str) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            pages = [target for target in json.load(answer) if target["type"] == "page" and target["url"].startswith(address)]
        self._socket = websocket.create_connection(pages[0]["webSocketDebuggerUrl"], suppress_origin=True)
        self._sent = 0
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(websocket.WebSocketConnectionClosedException, OSError):  # it was closed: the end
            while self._socket.recv():
                pass

    def _send(self, kind: str, x: float, y: float, **more: Any) -> None:
        self._sent += 1
        message = {"id": self._sent, "method": "Input.dispatchMouseEvent", "params": {"type": kind, "x": x, "y": y, **more}}
        self._socket.send(json.dumps(message))

    @contextmanager
    def held(self, x: float, y: float) -> Iterator[None]:
        """The button is down from here on, and up at the end."""
        self._send("mouseMoved", x, y)
        self._send("mousePressed", x, y, button="left", buttons=1, clickCount=1)
        try:
            yield
        finally:
            self._send("mouseReleased", x, y, button="left", clickCount=1)

    def along(self, course: Course, seconds: float, rate: float) -> int:
        """Move along the course with the button down, `rate` times a second; how often it was."""
        start, moves = time.perf_counter(), 0
        while (passed := time.perf_counter() - start) < seconds:
            self._send("mouseMoved", *course(passed), button="left", buttons=1)
            moves += 1
            time.sleep(max(0.0, moves / rate - (time.perf_counter() - start)))
        return moves

    def close(self) -> None:
        """Leave the browser."""
        self._socket.close()
        self._reader.join()
