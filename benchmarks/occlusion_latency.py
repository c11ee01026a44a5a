"""Latency of a dragged patch: the time from a movement of the mouse to the new probabilities on the page, in Chromium.

    python benchmarks/occlusion_latency.py [--seconds 12]

It starts `deconvwidgets lab` in a temporary folder, opens an OcclusionExplorer on AlexNet with its head in Chromium, and drags the patch
in circles with 60 movements per second: with the worker idle, and while it retrains a classifier. The time is taken by the browser, from
the pointer event of a position to the end of the frame that shows the probabilities for it. The time between frames is measured as well:
the patch is drawn in the frame after its event.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
from pathlib import Path
from typing import Any

from explorer_latency import lab_page, open_code
from playwright.sync_api import Page
from real_mouse import Mouse

CELL = """import deconvwidgets as dw
service = dw.LocalModelService.from_environment().wait()
explorer = dw.OcclusionExplorer(service, image="crop:0", state={"window": [64, 64], "stride": [16, 16]})
explorer"""
LONG_JOB = """from deconvwidgets.instruments.transfer.records import TransferSettings
service.transfer.start(TransferSettings("photo-crops", layer="conv3", images_per_class=5, folds=200))"""
RATE = 60  # movements per second
DEBUGGING_PORT = 9333  # of Chromium, for the mouse
WATCH = """() => {
  globalThis.replies = []; globalThis.frames = [];
  const root = document.querySelector('[data-testid="occlusion-explorer"]');
  globalThis.listener ??= ({detail}) => detail.kind === "answer" && replies.push(detail.ms);
  root.addEventListener("deconvwidgets:painted", listener);
  let last = performance.now();
  const tick = (now) => { frames.push(now - last); last = now; globalThis.ticking = requestAnimationFrame(tick); };
  cancelAnimationFrame(globalThis.ticking); globalThis.ticking = requestAnimationFrame(tick);
}"""
EXECUTE = "async (code) => { await jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code}).done; }"


def open_explorer(page: Page, address: str, folder: Path) -> None:
    open_code(page, address, folder, CELL)
    page.wait_for_selector('[data-testid="occlusion-explorer"]', timeout=120_000)
    page.wait_for_timeout(15_000)  # until the maps and projections are complete


def drag(page: Page, mouse: Mouse, seconds: float) -> dict[str, Any]:
    box = page.get_by_test_id("stage").bounding_box()
    assert box
    x, y, radius = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, min(box["width"], box["height"]) * 0.35
    with mouse.pressed(x + radius, y):
        page.evaluate(WATCH)
        moves = mouse.drag(lambda time: (x + radius * math.cos(2 * time), y + radius * math.sin(2 * time)), seconds, RATE)
        replies, frames = page.evaluate("() => [replies, frames]")
    return {
        "moves": moves,
        "replies": len(replies),
        "median_ms": round(statistics.median(replies), 1),
        "p95_ms": round(percentile(replies, 0.95), 1),
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
