"""Latency of a drag: the time from a movement of the pointer to the values of the shifted photograph on the page, in Chromium.

    python benchmarks/shift_latency.py [--moves 60]

It starts `deconvwidgets lab` in a temporary folder, shows a DiagnosisPanel in a notebook in Chromium, and drags the photograph of the shift
microscope by one pixel of the model's input at a time. The time is taken by the browser, from the event of the pointer to the frame after
every layer has been drawn. Beside it, in this process: one request of the service, and the naive way, two whole forward passes with hooks
on the layers for each movement.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from explorer_latency import lab_page, open_code, report
from playwright.sync_api import Page

import deconvwidgets as dw
from deconvwidgets.instruments.diagnosis.panel_records import ShiftRequest

CODE = """import deconvwidgets as dw
service = dw.LocalModelService.from_environment().wait()
dw.DiagnosisPanel(service, state={"image": "crop:9"})"""

# The panel dispatches an event when it has painted a shift, with the time since the movement.
NEXT = """() => {
  const root = document.querySelector('[data-testid="diagnosis-panel"]');
  globalThis.__painted = new Promise((resolve, reject) => {
    const listen = (event) => {
      if (event.detail.kind !== "shifted" || event.detail.ms === undefined) return;
      root.removeEventListener("deconvwidgets:painted", listen);
      resolve(event.detail.ms);
    };
    root.addEventListener("deconvwidgets:painted", listen);
    setTimeout(() => reject(new Error("the shift was not painted within 20 s")), 20000);
  });
}"""


def open_panel(page: Page, address: str, folder: Path) -> None:
    """Open a notebook with a panel, and wait for the diagnosis and the curves."""
    open_code(page, address, folder, CODE)
    page.wait_for_selector('[data-testid="diagnosis-panel"][data-diagnosed=true]', timeout=600_000)
    page.wait_for_selector('[data-testid="curves-0"] svg path', timeout=600_000)
    page.wait_for_timeout(5000)  # until the accuracy is known, too


def drag(page: Page, moves: int) -> list[float]:
    """Drag the photograph to and fro, and return the time in ms until each movement is painted."""
    stage = page.get_by_test_id("stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box
    pixel, times = box["width"] / 224, []
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for number in range(1, moves + 1):
        step = number % 40
        place = x + pixel * (step if step <= 20 else 40 - step)
        page.evaluate(NEXT)
        page.mouse.move(place, y + pixel * (number // 40))  # each row of positions is new: nothing comes from the page's cache
        times.append(float(page.evaluate("() => globalThis.__painted")))
    page.mouse.up()
    return times


def naive(bundle: dw.ModelBundle, pixels: torch.Tensor) -> dict[str, float]:
    """Two whole forward passes with hooks: the strongest activation of each unit, as it is and moved."""
    names = [info.name for info in bundle.network.feature_map_layers]
    modules, found = dict(bundle.model.named_modules()), {}
    hooks = [
        modules[name].register_forward_hook(lambda _, __, value, name=name: found.setdefault(name, []).append(value.amax(dim=(2, 3))))
        for name in names
        if name in modules
    ]
    with torch.no_grad():
        for batch in (pixels[None], torch.roll(pixels, 1, dims=2)[None]):
            bundle.model(batch)
    for hook in hooks:
        hook.remove()
    return {name: float((after - before).abs().max()) for name, (before, after) in found.items()}


def median_ms(run: Callable[[int], Any], count: int = 20) -> float:
    times = []
    for number in range(count + 3):
        started = time.perf_counter()
        run(number)
        times.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(times[3:]), 1)


def in_process() -> dict[str, float]:
    bundle, images = dw.load_model("alexnet"), dw.open_images("photos")
    service = dw.LocalModelService(bundle, images, device="cpu").wait()
    pixels = bundle.prepare(images.open_crop(9))
    request = median_ms(lambda number: service.diagnosis.shifted(ShiftRequest("crop:9", number % 30, 1)))
    service.close()
    layers = dw.load_model("alexnet", head=None)  # without the head, whose first call traces the model, hooks and all
    return {"request_ms": request, "naive_ms": median_ms(lambda number: naive(layers, pixels))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=60)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = [{"what": "in this process", **in_process()}]
    print(rows[0], flush=True)
    with lab_page() as (page, address, folder):
        open_panel(page, address, folder)
        drag(page, 5)
        rows.append(report("drag", drag(page, options.moves)))
    print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()[0], "results": rows}))


if __name__ == "__main__":
    main()
