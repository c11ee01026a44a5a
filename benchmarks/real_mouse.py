"""A mouse that moves at a constant rate, whether or not the page keeps up, as a real one does.

Playwright's mouse waits until the page has handled each movement, and queries every frame of the page about drag and drop. In a busy
notebook it reaches about 16 movements per second.
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

Trajectory = Callable[[float], tuple[float, float]]  # from the time in seconds to the position in CSS pixels


class Mouse:
    """Presses, moves and releases the mouse, by a connection to Chromium's debugging port."""

    def __init__(self, port: int, address: str) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as response:
            pages = [target for target in json.load(response) if target["type"] == "page" and target["url"].startswith(address)]
        self._socket = websocket.create_connection(pages[0]["webSocketDebuggerUrl"], suppress_origin=True)
        self._sent = 0
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(websocket.WebSocketConnectionClosedException, OSError):  # closed
            while self._socket.recv():
                pass

    def _send(self, kind: str, x: float, y: float, **more: Any) -> None:
        self._sent += 1
        message = {"id": self._sent, "method": "Input.dispatchMouseEvent", "params": {"type": kind, "x": x, "y": y, **more}}
        self._socket.send(json.dumps(message))

    @contextmanager
    def pressed(self, x: float, y: float) -> Iterator[None]:
        """Press the button at a position, and release it at the end of the context."""
        self._send("mouseMoved", x, y)
        self._send("mousePressed", x, y, button="left", buttons=1, clickCount=1)
        try:
            yield
        finally:
            self._send("mouseReleased", x, y, button="left", clickCount=1)

    def drag(self, trajectory: Trajectory, seconds: float, rate: float) -> int:
        """Move along a trajectory with the button pressed, `rate` times per second. Return the number of movements."""
        start, moves = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - start) < seconds:
            self._send("mouseMoved", *trajectory(elapsed), button="left", buttons=1)
            moves += 1
            time.sleep(max(0.0, moves / rate - (time.perf_counter() - start)))
        return moves

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
        self._reader.join()
