"""Waiting for what a page shows, sends or saves a moment after an action: in the next frame, after a timer, or with the kernel's reply."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

SECONDS = 60.0  # enough on a machine that is many times slower; where the page does what it should, it costs nothing
PAUSE = 25  # ms between two readings

# Two frames, and a timer that is set then. Timers run in the order in which they are due, however busy the machine is.
LET_RUN = """async (delays) => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  for (const delay of delays) await new Promise((done) => setTimeout(done, delay));
}"""
# Returns the number of messages if the page waits for nothing: no reply, no picture that another thread decodes.
QUIET = "model.inFlight || model.waiting.length || decoding.size ? -1 : model.sent.length"


def expect_value(page: Page, read: str | Callable[[], Any], value: Any, arg: Any = None, because: str = "") -> None:
    """Wait until a JavaScript expression or a function has a value. `value` may be `pytest.approx`; `arg` is for the expression."""
    found: Any = None

    def is_equal() -> bool:
        nonlocal found
        found = page.evaluate(read, arg) if isinstance(read, str) else read()
        return bool(found == value)

    if not becomes_true(page, is_equal):
        name = read if isinstance(read, str) else getattr(read, "__name__", "the function")
        raise AssertionError(f"{because or name}: {found!r} after {SECONDS:.0f} seconds, not {value!r}")


def expect_state(page: Page, **expected: Any) -> None:
    """Wait until the state that the page sends to Python, a moment after an action, has these values."""
    read = "(keys) => Object.fromEntries(keys.map((key) => [key, model.values.state[key]]))"
    expect_value(page, read, expected, list(expected), "the state")


def wait_until(page: Page, condition: Callable[[], object], because: str) -> None:
    """Wait until a function returns something true."""
    assert becomes_true(page, condition), f"not after {SECONDS:.0f} seconds: {because}"


def let_run(page: Page, *delays: float) -> None:
    """Wait until the page has drawn two frames, and then run the timers of so many milliseconds that were set, one after the other.

    For what must not happen: a timer of the page is as late as the machine is slow, so that no fixed time of the test is long enough.
    """
    page.evaluate(LET_RUN, delays)


def wait_until_quiet(page: Page) -> int:
    """Wait until all requests are answered and drawn, and no new one follows. Return how many messages were sent."""
    before = count = -1

    def is_quiet() -> bool:
        nonlocal before, count
        before, count = page.evaluate(QUIET), -1
        if before >= 0:
            let_run(page, 60)  # longer than the delay of requests at a steady rate (frontend/src/kernel/pace.ts)
            count = page.evaluate(QUIET)
        return count == before >= 0

    wait_until(page, is_quiet, "the page sends no more requests")
    return count


def becomes_true(page: Page, condition: Callable[[], object]) -> bool:
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        page.wait_for_timeout(PAUSE)  # meanwhile Playwright calls the function that answers the page's requests
    return True
