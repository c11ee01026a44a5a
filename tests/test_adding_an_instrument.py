"""The example of docs/how-to/add-an-instrument.md: its code is added to a copy of the package, built, checked, and used in Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.chromium import blank, browser, load_page, shared_page

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "how-to" / "add-an-instrument.md").read_text(encoding="utf-8")
NODE_MODULES = ROOT / "frontend" / "node_modules"
MAX_FILES, MAX_LINES = 8, 250

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not NODE_MODULES.is_dir() or shutil.which("node") is None, reason="npm ci was not run in frontend/"),
]

# Answers one request per line, with the widget's own handlers on a service with a small network.
KERNEL = """
import base64, json, sys
import deconvwidgets as dw
from deconvwidgets.service.worker import SynchronousExecutor
from deconvwidgets.widgets.messages import Request, dispatch
from tests.conftest import NoisePhotographs, make_tiny_bundle

service = dw.LocalModelService(make_tiny_bundle(), NoisePhotographs(), device="cpu", worker=SynchronousExecutor())
explorer = dw.HistogramExplorer(service)
print(json.dumps(explorer.state), flush=True)
print(json.dumps(service.layers.unit_detail("conv2", 3).histogram), flush=True)
for line in sys.stdin:
    content, buffers = dispatch(explorer.HANDLERS, service, Request.of(json.loads(line), []))
    print(json.dumps({"content": content, "buffers": [base64.b64encode(data).decode() for data in buffers]}), flush=True)
explorer.save("histogram.csv")
"""


def new_files() -> dict[str, str]:
    """Return {path: content} of the files that the guide adds."""
    return dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL))


def additions() -> Iterator[tuple[str, str, str]]:
    """Yield (path, existing line, new line) for the lines that the guide adds to existing files."""
    for block in re.findall(r"^```diff\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL):
        path, *lines = block.splitlines()
        for before, line in pairwise(lines):
            if line.startswith("+"):
                yield path.removeprefix(" # "), before[1:], line[1:]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of package, tests and front end with the instrument."""
    folder = tmp_path_factory.mktemp("with the instrument")
    for part in ("deconvwidgets", "frontend", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "frontend" / "node_modules").symlink_to(NODE_MODULES)
    for path, content in new_files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8")
    for path, before, line in additions():
        text = (folder / path).read_text(encoding="utf-8")
        assert text.count(before + "\n") == 1, f"{path} has no line {before!r}, or several"
        (folder / path).write_text(text.replace(before + "\n", f"{before}\n{line}\n"), encoding="utf-8")
    run(folder / "frontend", "npm", "run", "--silent", "build")
    return folder


def run(folder: Path, *command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_number_of_files_and_lines(copy: Path) -> None:
    changed = {path for path, _, _ in additions()}
    lines = sum(content.count("\n") for content in new_files().values()) + len(list(additions()))
    assert len(new_files()) + len(changed) <= MAX_FILES
    assert lines <= MAX_LINES


@pytest.mark.slow
def test_structure_types_and_lint(copy: Path) -> None:
    run(copy, sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "tests/test_architecture.py")
    run(copy / "frontend", "npm", "run", "--silent", "check")
    run(copy / "frontend", "npm", "run", "--silent", "lint")


@pytest.fixture
def kernel(copy: Path, tmp_path: Path) -> Iterator[tuple[dict[str, Any], list[int], Callable[[dict[str, Any]], str]]]:
    """The state of a new HistogramExplorer, the histogram of unit 3 of conv2, and the function that answers the page's requests."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "DECONVWIDGETS_CACHE": str(tmp_path)}
    command, lock = (sys.executable, "-c", KERNEL), threading.Lock()
    with subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        requests, replies = process.stdin, process.stdout
        assert requests is not None
        assert replies is not None

        def answer(message: dict[str, Any]) -> str:
            with lock:
                requests.write(json.dumps(message) + "\n")
                requests.flush()
                return replies.readline()

        yield json.loads(replies.readline()), json.loads(replies.readline()), answer
        requests.close()
        assert process.wait(60) == 0


def test_instrument_in_chromium(copy: Path, kernel: Any, blank: Page, tmp_path: Path) -> None:
    state, counts, answer = kernel
    static = copy / "deconvwidgets" / "widgets" / "static"
    load_page(blank, (static / "histogram.css").read_text(encoding="utf-8"), answer)
    module = (static / "histogram.js").read_text(encoding="utf-8")
    blank.evaluate("([code, state]) => globalThis.open(code, state)", [module, state])
    view = blank.get_by_test_id("histogram-explorer")
    expect(view).to_have_attribute("data-ready", "true")
    expect(blank.get_by_test_id("caption")).to_have_text("42 crops")
    blank.get_by_test_id("layer").select_option("conv2")
    blank.get_by_test_id("unit").fill("3")
    blank.get_by_test_id("unit").press("Enter")
    highest = max(counts)
    expect(blank.locator(f"[title^='{highest} crops']").first).to_be_visible()
    blank.wait_for_function("() => model.values.state.layer === 'conv2' && model.values.state.unit === 3")
    blank.get_by_test_id("unit").fill("99")
    blank.get_by_test_id("unit").press("Enter")
    expect(blank.get_by_test_id("caption")).to_have_text("conv2 has 5 units, counted from 0: there is no unit 99.")
