"""Latency of a click: the time from a click on a unit to its nine projections on the page, in Chromium, under `deconvwidgets lab`.

    python benchmarks/explorer_latency.py [--layer conv5] [--units 40]

It starts `deconvwidgets lab` in a temporary folder, opens the first tutorial notebook in Chromium, and clicks units of one layer: each for
the first time (cold: the kernel projects and encodes), then again (warm). The time is taken by the browser, from the pointerdown event to
the frame after the unit's projections have been painted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Page, sync_playwright

FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def start_lab(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start `deconvwidgets lab`, and return its process and the address of the notebook."""
    config = folder / "cfg"
    config.mkdir()
    (config / "jupyter_lab_config.py").write_text("c.LabApp.expose_app_in_browser = True\n")
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(config), "JUPYTERLAB_SETTINGS_DIR": str(folder / "set"), "PYTHONUNBUFFERED": "1"}
    environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(folder / "ws"), "JUPYTER_RUNTIME_DIR": str(folder / "run")}
    command = [sys.executable, "-m", "deconvwidgets", "lab", "--no-browser", "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for line in process.stdout:
        if match := re.search(r"http://\S+/lab/tree/\S+", line):
            return process, match.group()
    raise SystemExit("deconvwidgets lab did not start")


@contextmanager
def lab_page(*flags: str) -> Iterator[tuple[Page, str, Path]]:
    """Yield a page of Chromium with additional flags, the address of the first tutorial notebook in a running lab, and the lab's folder."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    executable = os.environ.get("DECONVWIDGETS_CHROMIUM") or next((found for name in names if (found := shutil.which(name))), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        process, address = start_lab(Path(folder))
        try:
            browser = playwright.chromium.launch(executable_path=executable, chromium_sandbox=False, args=[*FLAGS, *flags])
            yield browser.new_page(viewport={"width": 1600, "height": 1100}), address, Path(folder)
            browser.close()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def open_explorer(page: Page, address: str) -> None:
    """Open a notebook of the running lab, and run its cells."""
    page.goto(address + "&reset")
    page.wait_for_function("globalThis.jupyterapp?.shell?.currentWidget?.context?.isReady === true", timeout=60_000)
    page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === 'idle'", timeout=60_000)
    page.evaluate("async () => { await jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.evaluate("() => { jupyterapp.shell.collapseLeft(); }")


def open_code(page: Page, address: str, folder: Path, code: str) -> None:
    """Run a notebook of one cell in the running lab."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, next(folder.glob("*tour*")) / "latency.ipynb")
    open_explorer(page, address.replace("01_layers.ipynb", "latency.ipynb"))


def report(name: str, times: list[float]) -> dict[str, Any]:
    ordered = sorted(times)
    row = {"what": name, "clicks": len(times), "median_ms": round(statistics.median(times), 1)}
    row["p95_ms"] = round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1)
    print(f"{name:>5}: {row['clicks']} clicks, median {row['median_ms']:.0f} ms, 95% under {row['p95_ms']:.0f} ms", flush=True)
    return row


# The widget dispatches an event when it has painted a unit's mosaics, with the time since the pointerdown event.
CLICK = """async (unit) => {
  const tile = document.querySelector(`[data-testid="tile-${unit}"]`);
  const box = tile.getBoundingClientRect();
  const root = tile.closest('[data-testid="layer-explorer"]');
  const painted = new Promise((resolve, reject) => {
    const listen = (event) => {
      if (event.detail.kind !== "detail" || event.detail.unit !== unit) return;
      root.removeEventListener("deconvwidgets:painted", listen);
      resolve(event.detail.ms);
    };
    root.addEventListener("deconvwidgets:painted", listen);
    setTimeout(() => reject(new Error(`unit ${unit} was not painted within 20 s`)), 20000);
  });
  globalThis.__painted = painted;
  return [box.x + box.width / 2, box.y + box.height / 2];
}"""


def click(page: Page, unit: int) -> float:
    """Click a unit, and return the time in ms until its projections are painted."""
    page.get_by_test_id(f"tile-{unit}").scroll_into_view_if_needed()
    x, y = page.evaluate(CLICK, unit)
    page.mouse.click(x, y)
    return float(page.evaluate("() => globalThis.__painted"))


def visible_units(page: Page) -> list[int]:
    units = page.locator("[data-testid^=tile-][data-unit]").evaluate_all("tiles => tiles.map(tile => Number(tile.dataset.unit))")
    return [int(unit) for unit in units]


def cold_and_warm(page: Page, layer: str, count: int) -> tuple[list[float], list[float]]:
    """Click `count` units for the first time, then again in another order. The grid is scrolled if needed."""
    page.get_by_test_id(f"layer-{layer}").click()
    page.get_by_test_id("sort").select_option("index")
    page.get_by_test_id("grid").press("Home")  # chooses unit 0, which is not measured
    page.wait_for_selector("[data-testid=tile-0]")
    page.wait_for_timeout(3000)  # until no request is in flight
    order = list(range(1, count + 2))
    cold, warm = [], []
    for times, units in ((cold, order), (warm, [*order[::2], *order[1::2]])):
        for unit in units:
            scroll_to(page, unit)
            times.append(click(page, unit))
            page.wait_for_timeout(150)  # the shortest pause of a user
    return cold[1:], warm[1:]


def scroll_to(page: Page, unit: int) -> None:
    """Scroll the grid until the unit's tile is visible."""
    if unit not in visible_units(page):
        page.get_by_test_id("search").fill("")
        first, last = min(visible_units(page)), max(visible_units(page))
        direction = -1 if unit < first else 1
        page.get_by_test_id("grid").evaluate("(grid, sign) => { grid.scrollTop += sign * grid.clientHeight * 0.8; }", direction)
        page.wait_for_timeout(400)
        if unit not in visible_units(page) and (first, last) != (min(visible_units(page)), max(visible_units(page))):
            scroll_to(page, unit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layer", default="conv5")
    parser.add_argument("--units", type=int, default=40)
    options = parser.parse_args()
    with lab_page() as (page, address, _):
        open_explorer(page, address)
        cold, warm = cold_and_warm(page, options.layer, options.units)
        rows = [report("cold", cold), report("warm", warm)]
        print(json.dumps({"layer": options.layer, "cores": os.cpu_count(), "results": rows}))


if __name__ == "__main__":
    main()
