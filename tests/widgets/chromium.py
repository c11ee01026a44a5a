"""A real Chromium with a page of our own, and a stand-in for anywidget's model: the kernel is what a test makes of it."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from deconvwidgets.widgets.explorer import STATIC
from deconvwidgets.widgets.messages import Handlers, Request, dispatch

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = os.environ.get("DECONVWIDGETS_CHROMIUM") or next((found for name in NAMES if (found := shutil.which(name))), None)


def built(name: str) -> str:
    """A built module or stylesheet of the front end, such as "layers.js"."""
    return (STATIC / name).read_text(encoding="utf-8")


def kernel(handlers: Handlers, service: Any) -> Callable[[dict[str, Any]], str]:
    """Return what answers the requests of the page: the handlers of a widget, on a service."""

    def answer(message: dict[str, Any]) -> str:
        buffers = [data.encode("latin-1") for data in message.pop("buffers", [])]
        return packed(*dispatch(handlers, service, Request.of(message, buffers)))

    return answer


def packed(content: dict[str, Any], buffers: list[bytes]) -> str:
    """Return a reply as the page unpacks it."""
    return json.dumps({"content": content, "buffers": [base64.b64encode(data).decode() for data in buffers]})


# A widget model with what the front end uses of anywidget's. `held` keeps requests back, as a busy or dead kernel would.
MODEL = """
globalThis.makeModel = (state, height) => {
  const listeners = new Map();
  const model = {
    values: {state, height}, held: false, heldBackground: false, heldKind: null, waiting: [], sent: [],
    flying: 0, most: 0, background: 0, mostBackground: 0, saved: 0,
    get: (name) => model.values[name],
    set: (name, value) => { model.values[name] = value; },
    save_changes: () => { model.saved += 1; model.tell("change:state"); },
    on: (name, listener) => { listeners.set(name, [...(listeners.get(name) ?? []), listener]); },
    off: (name, listener) => { listeners.set(name, (listeners.get(name) ?? []).filter((one) => one !== listener)); },
    tell: (name, ...rest) => { for (const listener of listeners.get(name) ?? []) listener(...rest); },
    listening: () => [...listeners.values()].flat().length,
    send: (message, callbacks, buffers = []) => {
      const text = (buffer) => Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
      if (buffers.length) message = {...message, buffers: buffers.map(text)};
      model.sent.push(message);
      if (model.held || (model.heldBackground && message.background) || message.kind === model.heldKind) model.waiting.push(message);
      else model.ask(message);
    },
    ask: async (message) => {
      model.flying += 1;
      model.most = Math.max(model.most, model.flying);
      model.background += message.background ? 1 : 0;
      model.mostBackground = Math.max(model.mostBackground, model.background);
      const {content, buffers} = JSON.parse(await globalThis.kernel(message));
      model.flying -= 1;
      model.background -= message.background ? 1 : 0;
      const views = buffers.map((text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer));
      model.tell("msg:custom", content, views);
    },
    release: () => {
      model.held = model.heldBackground = false;
      model.heldKind = null;
      for (const message of model.waiting.splice(0)) model.ask(message);
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium or Chrome found; install one, or name it in DECONVWIDGETS_CHROMIUM")
    with sync_playwright() as playwright:
        # The sandbox needs a kernel feature that containers seldom grant; the page is our own.
        running = playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False, args=["--disable-gpu"])
        yield running
        running.close()


@pytest.fixture
def blank(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1240, "height": 900})
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert not complaints, complaints
