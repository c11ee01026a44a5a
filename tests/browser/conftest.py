"""JupyterLab, started by `deconvwidgets lab`, in Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, expect, sync_playwright

# A busy machine is many times slower. Longer limits cost nothing where the page does what it should.
PATIENCE = 60_000  # ms, for what the page does
START_PATIENCE = 180_000  # ms, until JupyterLab, a kernel, a model or a chart is loaded

expect.set_options(timeout=PATIENCE)

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
CHROMIUM_FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
READY_SECONDS = 300.0


def find_chromium() -> str | None:
    """Return the path of Chromium: DECONVWIDGETS_CHROMIUM, or the installed one."""
    named = os.environ.get("DECONVWIDGETS_CHROMIUM")
    return named or next((found for name in BROWSERS if (found := shutil.which(name))), None)


@dataclass
class Lab:
    """A running `deconvwidgets lab`."""

    process: subprocess.Popen[str]
    url: str
    folder: Path
    output: list[str]


@dataclass
class Visit:
    """A page with a notebook, its errors, and its requests to other hosts."""

    page: Page
    errors: list[str] = field(default_factory=list)
    external_requests: list[str] = field(default_factory=list)

    def run_code(self, code: str) -> Any:
        """Run code in the notebook's kernel without a cell, and return its standard output."""
        return self.page.evaluate(
            """async (code) => {
              const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              const future = kernel.requestExecute({code, store_history: false});
              let text = "";
              future.onIOPub = (message) => {
                if (message.header.msg_type === "stream") text += message.content.text;
                if (message.header.msg_type === "error") text += message.content.ename + ": " + message.content.evalue;
              };
              await future.done;
              return text;
            }""",
            code,
        )


def jupyter_environment(root: Path) -> dict[str, str]:
    """Return environment variables with which Jupyter uses folders in `root` instead of the user's settings."""
    names = {"JUPYTER_CONFIG_DIR": "cfg", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run", "IPYTHONDIR": "ipy"}
    names |= {"JUPYTERLAB_SETTINGS_DIR": "set", "JUPYTERLAB_WORKSPACES_DIR": "ws"}
    folders = {name: str(root / folder) for name, folder in names.items()}
    for folder in folders.values():
        Path(folder).mkdir(parents=True)
    (root / "cfg" / "jupyter_lab_config.py").write_text("c.LabApp.expose_app_in_browser = True\nc.ServerApp.terminals_enabled = False\n")
    return {**os.environ, **folders, "PYTHONUNBUFFERED": "1"}


def start_lab(folder: Path, *arguments: str) -> Lab:
    """Start `deconvwidgets lab` in `folder`, and wait for its URL."""
    command = [sys.executable, "-m", "deconvwidgets", "lab", "--no-browser", "--port", "0", "--device", "cpu", *arguments]
    environment = jupyter_environment(folder / "jupyter")
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output: list[str] = []
    found, ended = threading.Event(), threading.Event()
    addresses: list[str] = []

    def listen() -> None:  # to the end, or the server would stop at a full pipe
        assert process.stdout
        for line in process.stdout:
            output.append(line)
            if match := re.search(r"http://\S+/lab/tree/\S+", line):
                addresses.append(match.group())
                found.set()
        ended.set()
        found.set()

    threading.Thread(target=listen, daemon=True).start()
    if not found.wait(READY_SECONDS) or not addresses:
        process.kill()
        raise AssertionError("deconvwidgets lab did not start:\n" + "".join(output))
    return Lab(process, addresses[0], folder, output)


def stop_lab(lab: Lab) -> int:
    """Stop the server with SIGINT (Ctrl-C)."""
    if lab.process.poll() is None:
        lab.process.send_signal(signal.SIGINT)
    return lab.process.wait(120)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if find_chromium() is None:
        pytest.skip("no Chromium or Chrome found; install one, or name it in DECONVWIDGETS_CHROMIUM")
    running = start_lab(tmp_path_factory.mktemp("lab"))
    yield running
    stop_lab(running)


@pytest.fixture(scope="module")
def browser(lab: Lab) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # The sandbox needs a kernel feature that containers seldom grant; the pages here are our own.
        chromium = playwright.chromium.launch(executable_path=find_chromium(), chromium_sandbox=False, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


def is_of_splash_screen(error: Error) -> bool:
    """Return whether JupyterLab removed its splash screen twice, by its own timers, as it does on a slow machine."""
    calls = [line for line in (error.stack or "").splitlines() if line.strip().startswith("at ")]
    return "'removeChild' on 'Node'" in str(error) and len(calls) == 1 and "/jlab_core." in calls[0]


def watch(page: Page, lab: Lab) -> Visit:
    """Record errors on the console and requests to other hosts."""
    visit = Visit(page)
    home = urlsplit(lab.url).netloc
    page.on("console", lambda message: visit.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: None if is_of_splash_screen(error) else visit.errors.append(f"{error}\n{error.stack or ''}"))

    def note(address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != home:
            visit.external_requests.append(address)

    page.on("request", lambda request: note(request.url))
    page.on("websocket", lambda websocket: note(websocket.url))
    return visit


def open_and_run(visit: Visit, url: str) -> None:
    """Open the notebook, wait for its kernel, and run all cells."""
    page = visit.page
    page.goto(url + "&reset", wait_until="domcontentloaded")
    page.wait_for_function("globalThis.jupyterapp?.shell?.currentWidget?.context?.isReady === true", timeout=START_PATIENCE)
    page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === 'idle'", timeout=START_PATIENCE)
    page.evaluate("async () => { await jupyterapp.commands.execute('notebook:run-all-cells'); }")


def open_cells(page: Page, lab: Lab, name: str, cells: Sequence[str]) -> Visit:
    """Create a notebook with these cells next to the tour, open it, and run all cells."""
    written = [
        {"cell_type": "code", "id": f"cell-{at}", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for at, source in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    address = lab.url.partition("?")
    opened = Path(address[0].partition("/lab/tree/")[2])
    place = next(found for found in lab.folder.rglob(opened.name) if found.parts[-len(opened.parts) :] == opened.parts)
    place.with_name(name).write_text(json.dumps({"cells": written, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    visiting = watch(page, lab)
    open_and_run(visiting, address[0].replace(opened.name, name) + "?" + address[2])
    return visiting


def take_screenshot(widget: Locator, name: str) -> None:
    """Save a screenshot if a folder for it is named."""
    folder = os.environ.get("DECONVWIDGETS_SCREENSHOTS")
    if folder:
        widget.screenshot(path=Path(folder) / name)


@pytest.fixture(scope="module")
def visit(browser: Browser, lab: Lab) -> Iterator[Visit]:
    """The first notebook of the tour, after all cells have run."""
    context = browser.new_context(viewport={"width": 1600, "height": 1100}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    visiting = watch(context.new_page(), lab)
    open_and_run(visiting, lab.url)
    yield visiting
    context.close()


@pytest.fixture(scope="module")
def other_visits(browser: Browser, lab: Lab) -> Iterator[Callable[..., Visit]]:
    """A function that opens the same notebook in a new page, with another window size and colour scheme."""
    contexts = []

    def make(**settings: Any) -> Visit:
        context = browser.new_context(**settings)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        return watch(context.new_page(), lab)

    yield make
    for context in contexts:
        context.close()
