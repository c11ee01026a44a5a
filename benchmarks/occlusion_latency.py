"""How long from a movement of the mouse to the network's new answer on the screen, in a real browser, under `deconvwidgets lab`.

    python benchmarks/occlusion_latency.py [--seconds 12]

Starts `deconvwidgets lab` in a temporary folder, opens an OcclusionExplorer on AlexNet with its head in Chromium, and drags the patch in
circles with 60 movements a second: with the worker idle, and while it retrains a classifier. The clock is the browser's: it starts
at the pointer event whose position an answer belongs to, and stops when the bars of that answer have been drawn. Beside it, the time
between the frames that the page draws meanwhile: the patch is drawn in the frame after its event, so it lags no more than that.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
from pathlib import Path
from typing import Any

import nbformat
from explorer_latency import lab_page
from playwright.sync_api import Page
from real_mouse import Mouse

CELL = """import deconvwidgets as dw
service = dw.LocalModelService.from_environment().wait()
explorer = dw.OcclusionExplorer(service, image="crop:0", state={"window": [64, 64], "stride": [16, 16]})
explorer"""
LONG_JOB = """from deconvwidgets.instruments.transfer.records import TransferSettings
service.transfer.start(TransferSettings("photo-crops", layer="conv3", images_per_class=5, folds=200))"""
RATE = 60  # movements a second
DEBUGGING_PORT = 9333  # of Chromium, for the mouse
WATCH = """() => {
  globalThis.answers = []; globalThis.frames = [];
  const root = document.querySelector('[data-testid="occlusion-explorer"]');
  globalThis.listener ??= ({detail}) => detail.kind === "answer" && answers.push(detail.ms);
  root.addEventListener("deconvwidgets:painted", listener);
  let last = performance.now();
  const tick = (now) => { frames.push(now - last); last = now; globalThis.ticking = requestAnimationFrame(tick); };
  cancelAnimationFrame(globalThis.ticking); globalThis.ticking = requestAnimationFrame(tick);
}"""
EXECUTE = "async (code) => { await jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code}).done; }"


def open_explorer(page: Page, address: str, folder: Path) -> None:
    tour = next(folder.glob("*tour*"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tour / "latency.ipynb")
    page.goto(address.replace("01_layers.ipynb", "latency.ipynb") + "&reset")
    page.wait_for_function("globalThis.jupyterapp?.shell?.currentWidget?.context?.isReady === true", timeout=60_000)
    page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === 'idle'", timeout=60_000)
    page.evaluate("async () => { jupyterapp.shell.collapseLeft(); await jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.wait_for_selector('[data-testid="occlusion-explorer"]', timeout=120_000)
    page.wait_for_timeout(15_000)  # the map is complete, the projections are there


def drag(page: Page, mouse: Mouse, seconds: float) -> dict[str, Any]:
    box = page.get_by_test_id("stage").bounding_box()
    assert box
    x, y, reach = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, min(box["width"], box["height"]) * 0.35
    with mouse.held(x + reach, y):
        page.evaluate(WATCH)
        moves = mouse.along(lambda passed: (x + reach * math.cos(2 * passed), y + reach * math.sin(2 * passed)), seconds, RATE)
        answers, frames = page.evaluate("() => [answers, frames]")
    return {
        "moves": moves,
        "answers": len(answers),
        "median_ms": round(statistics.median(answers), 1),
        "p95_ms": round(percentile(answers, 0.95), 1),
        "frame_median_ms": round(statistics.median(frames), 1),
        "frame_p95_ms": round(percentile(frames, 0.95), 1),
    }


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12)
    options = parser.parse_args()
    with lab_page(f"--remote-debugging-port={DEBUGGING_PORT}") as (page, address, folder):
        open_explorer(page, address, folder)
        mouse = Mouse(DEBUGGING_PORT, page.url)
        drag(page, mouse, 2)  # warm-up
        results = {"idle": drag(page, mouse, options.seconds)}
        page.evaluate(EXECUTE, LONG_JOB)
        page.wait_for_timeout(3000)
        results["while retraining"] = drag(page, mouse, options.seconds)
        mouse.close()
        page.evaluate(EXECUTE, "service.transfer.stop()")
        for what, row in results.items():
            print(f"{what:>17}: {row}", flush=True)
        print(json.dumps({"cores": os.cpu_count(), "results": results}))


if __name__ == "__main__":
    main()
