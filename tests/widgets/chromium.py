"""A page in Chromium without JupyterLab, with a fake of anywidget's model. Requests are answered by a function of the test."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deconvwidgets.widgets.explorer import STATIC
from deconvwidgets.widgets.messages import Handlers, Request, dispatch
from tests.widgets.waiting import SECONDS

expect.set_options(timeout=1000 * SECONDS)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = os.environ.get("DECONVWIDGETS_CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


def built(name: str) -> str:
    """Return a built module or stylesheet of the front end, such as "layers.js"."""
    return (STATIC / name).read_text(encoding="utf-8")


def kernel(handlers: Handlers, service: Any) -> Callable[[dict[str, Any]], str]:
    """Return a function that answers the requests of the page with the handlers of a widget."""

    def answer(message: dict[str, Any]) -> str:
        buffers = [data.encode("latin-1") for data in message.pop("buffers", [])]
        return encode_reply(*dispatch(handlers, service, Request.of(message, buffers)))

    return answer


def encode_reply(content: dict[str, Any], buffers: list[bytes]) -> str:
    """Return a reply as text, which the page decodes."""
    return json.dumps({"content": content, "buffers": [base64.b64encode(data).decode() for data in buffers]})


# A fake of anywidget's model, with what the front end uses of it. While `blocked`, requests wait, as for a busy or dead kernel.
MODEL = """
if (!globalThis.decoding) {  // a page keeps its global variables when it loads another document
  globalThis.decoding = new Set();
  const decode = globalThis.createImageBitmap;
  globalThis.createImageBitmap = (...images) => {
    const picture = decode(...images);
    decoding.add(picture);
    return picture.finally(() => decoding.delete(picture));
  };
}
globalThis.makeModel = (state, height) => {
  const listeners = new Map();
  const contentOf = (message) => JSON.stringify({...message, seq: 0});
  const model = {
    values: {state, height}, blocked: false, blockedBackground: false, blockedKind: null, waiting: [], sent: [],
    inFlight: 0, delivered: [], unanswered: new Set(), saved: 0,
    get: (name) => model.values[name],
    set: (name, value) => { model.values[name] = value; },
    save_changes: () => { model.saved += 1; model.trigger("change:state"); },
    on: (name, listener) => { listeners.set(name, [...(listeners.get(name) ?? []), listener]); },
    off: (name, listener) => { listeners.set(name, (listeners.get(name) ?? []).filter((other) => other !== listener)); },
    trigger: (name, ...rest) => { for (const listener of listeners.get(name) ?? []) listener(...rest); },
    listenerCount: () => [...listeners.values()].flat().length,
    send: (message, callbacks, buffers = []) => {
      const text = (buffer) => Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
      if (buffers.length) message = {...message, buffers: buffers.map(text)};
      if (model.unanswered.has(contentOf(message))) return;  // sent again because the reply is late, as on a busy machine
      model.sent.push(message);
      if (message.seq === undefined) return;  // a message that has no reply
      const blocked = model.blocked || (model.blockedBackground && message.background) || message.kind === model.blockedKind;
      if (blocked) model.waiting.push(message);
      else model.deliver(message);
    },
    deliver: async (message) => {
      model.inFlight += 1;
      model.delivered.push({message});
      model.unanswered.add(contentOf(message));
      const {content, buffers} = JSON.parse(await globalThis.kernel(message));
      model.inFlight -= 1;
      model.unanswered.delete(contentOf(message));
      model.delivered.push({message, answered: true});
      const views = buffers.map((text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer));
      model.trigger("msg:custom", content, views);
    },
    release: () => {
      model.blocked = model.blockedBackground = false;
      model.blockedKind = null;
      for (const message of model.waiting.splice(0)) model.deliver(message);
    },
  };
  return model;
};
globalThis.open = async (code, state, width = 1180, height = 720) => {
  globalThis.model ??= globalThis.makeModel(state, height);
  if (!globalThis.front) {
    globalThis.front = (await import(URL.createObjectURL(new Blob([code], {type: "text/javascript"})))).default();
    globalThis.lifetime = new AbortController();  // of the model
    await front.initialize({model, signal: lifetime.signal});
  }
  const el = document.body.appendChild(Object.assign(document.createElement("div"), {style: `width:${width}px`}));
  el.addEventListener("deconvwidgets:painted", (event) => (globalThis.painted ??= []).push(event.detail));
  globalThis.closers = [...(globalThis.closers ?? []), await front.render({model, el})];
};
"""


# Requests of the lane "work" (frontend/src/kernel/client.ts): several may be in flight, beside one of each of the other lanes.
WORK = {"unit_columns", "matching_units"}


def most_in_flight(page: Page, lane: str) -> int:
    """Return how many requests of the lane "urgent" or "background" were in flight at the same time."""
    count = most = 0
    for event in page.evaluate("model.delivered"):
        message = event["message"]
        if message["kind"] in WORK or bool(message.get("background")) != (lane == "background"):
            continue
        count = max(0, count + (-1 if event.get("answered") else 1))
        most = max(most, count)
    return most


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium or Chrome found; install one, or name it in DECONVWIDGETS_CHROMIUM")
    with sync_playwright() as playwright:
        # The sandbox needs a kernel feature that containers seldom have; all pages are our own.
        running = playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False, args=["--disable-gpu"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def shared_page(browser: Browser) -> Page:
    """The page of a module's tests. A page of its own for each test would start a process of Chromium: one second of processor time."""
    return browser.new_page()


@pytest.fixture
def blank(request: pytest.FixtureRequest, browser: Browser, shared_page: Page) -> Iterator[Page]:
    """An empty document, without a pressed button or key. A test that changes more than its document is marked with own_page."""
    own = request.node.get_closest_marker("own_page") is not None
    page = browser.new_page() if own else shared_page
    page.goto("about:blank")
    page.set_viewport_size({"width": 1240, "height": 900})
    page.set_default_timeout(1000 * SECONDS)
    errors: list[str] = []
    listeners = {
        "console": lambda message: errors.append(message.text) if message.type == "error" else None,
        "pageerror": lambda error: errors.append(str(error)),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    yield page
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    if own:
        page.close()
    else:
        release_input(page)
    assert not errors, errors


def release_input(page: Page) -> None:
    """Release the buttons and keys that a test may have left pressed, outside of its document."""
    page.goto("about:blank")
    page.mouse.move(0, 0)
    page.mouse.up()
    for key in ("Shift", "Control", "Alt"):
        page.keyboard.up(key)


def load_page(page: Page, style: str, answer: Callable[[dict[str, Any]], str], root: str = "") -> None:
    """Load a document with a style, whose requests are answered by a function. `root` has the attributes of the root element."""
    page.set_content(f"<!doctype html><html {root}><meta charset=utf-8><style>{style}</style>")
    name = f"kernel{uuid4().hex}"  # a page keeps its functions: no name can be used again
    page.expose_function(name, answer)
    page.evaluate(f"globalThis.kernel = globalThis.{name}; {MODEL} null;")  # Playwright would call a function that is the value
