"""The LayerExplorer in JupyterLab and Chromium: the first notebook of the tour.

The tests share one server and one page, and depend on their order.
"""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import START_PATIENCE
from tests.widgets.waiting import expect_value, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

UNITS = {"conv1": 64, "conv2": 192, "conv3": 384, "conv4": 256, "conv5": 256}

# Returns the share of a canvas's pixels that are neither gray nor transparent.
COLOURED = """canvas => {
  const {width, height} = canvas;
  if (!width || !height) return 0;
  const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let coloured = 0;
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 200 && Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 24) coloured++;
  return coloured / (width * height);
}"""


def by_id(page: Page, name: str) -> Locator:
    return page.get_by_test_id(name)


def detail_pixels(page: Page) -> str:
    """Return the pixels of the mosaics of the selected unit as a string."""
    return page.evaluate("() => [...document.querySelectorAll('[data-testid=detail] canvas')].map(c => c.toDataURL()).join()")


def wait_until_coloured(page: Page, selector: str, count: int = 1, share: float = 0.02) -> None:
    """Wait until `count` canvases that match the selector show colours."""
    page.wait_for_function(
        f"([selector, count, share]) => [...document.querySelectorAll(selector)].filter(c => ({COLOURED})(c) > share).length >= count",
        arg=[selector, count, share],
    )


def state(visit: Any) -> dict[str, Any]:
    """Return the explorer's state in Python."""
    import json

    return json.loads(visit.run_code("import json; print(json.dumps(explorer.state))"))


def tiles(page: Page) -> list[int]:
    """Return the units whose tiles are in the page, in their order."""
    position = "tile => Number(tile.getAttribute('aria-posinset'))"
    ordered = f"tiles => tiles.sort((a, b) => ({position})(a) - ({position})(b)).map(tile => Number(tile.dataset.unit))"
    return [int(unit) for unit in page.locator("[data-testid=grid] [data-testid^=tile-]").evaluate_all(ordered)]


def open_layer(page: Page, layer: str) -> None:
    by_id(page, f"layer-{layer}").click()
    expect(by_id(page, f"layer-{layer}")).to_have_attribute("aria-current", "true")
    expect(by_id(page, "title")).to_contain_text(layer)
    # The tiles of the former layer are shown until those of the new layer are loaded.
    page.wait_for_selector(f"[data-testid=grid] [data-testid^=tile-][aria-setsize='{UNITS[layer]}']")


def selected_unit(visit: Any) -> tuple[str, int]:
    now = state(visit)
    return now["layer"], now["unit"]


def wait_for_selection(visit: Any, layer: str, unit: int) -> None:
    expect_value(visit.page, lambda: selected_unit(visit), (layer, unit))


def test_conv_layers_are_listed_with_their_receptive_fields(visit: Any) -> None:
    page = visit.page
    by_id(page, "layers").scroll_into_view_if_needed()
    for (layer, units), field in zip(UNITS.items(), (11, 51, 99, 131, 163), strict=True):
        button = by_id(page, f"layer-{layer}")
        expect(button).to_contain_text(f"{units} units")
        expect(button).to_contain_text(f"receptive field {field} px")
    expect(by_id(page, "title")).to_contain_text("photographs")


def test_click_on_a_unit_shows_its_strongest_activations(visit: Any) -> None:
    page = visit.page
    open_layer(page, "conv5")
    wait_until_coloured(page, "[data-testid=grid] canvas", 4)
    unit = tiles(page)[2]
    by_id(page, f"tile-{unit}").click()
    wait_for_selection(visit, "conv5", unit)
    expect(by_id(page, "detail")).to_contain_text(f"Unit {unit}")
    wait_until_coloured(page, "[data-testid=detail] canvas", 2)


def test_projections_of_a_unit_are_different(visit: Any) -> None:
    """The nine tiles of the mosaic have different pixels."""
    page = visit.page
    count_different = partial(
        by_id(page, "mosaic-projections").evaluate,
        """canvas => {
          const side = canvas.width / 3, inner = Math.floor(side) - 6, context = canvas.getContext('2d'), tiles = new Set();
          for (let rank = 0; rank < 9; rank++) {
            const left = Math.round((rank % 3) * side) + 3, top = Math.round(Math.floor(rank / 3) * side) + 3;
            tiles.add(context.getImageData(left, top, inner, inner).data.join());
          }
          return tiles.size;
        }""",
    )
    expect_value(page, count_different, 9, because="tiles with different pixels")


def test_arrow_keys_move_and_enter_opens_the_unit(visit: Any) -> None:
    page = visit.page
    shown = tiles(page)
    by_id(page, f"tile-{shown[0]}").click()
    wait_for_selection(visit, "conv5", shown[0])
    page.keyboard.press("ArrowRight")
    wait_for_selection(visit, "conv5", shown[1])
    expect(by_id(page, "detail")).to_contain_text(f"Unit {shown[1]}")
    page.keyboard.press("ArrowLeft")
    wait_for_selection(visit, "conv5", shown[0])
    page.keyboard.press("Enter")
    page.wait_for_function("() => !!document.activeElement.closest('[data-testid=detail]')")  # Enter moves the focus to the selected unit


def test_slash_opens_the_search(visit: Any) -> None:
    page = visit.page
    by_id(page, f"tile-{tiles(page)[0]}").click()
    page.keyboard.press("/")
    expect(by_id(page, "search")).to_be_focused()
    page.keyboard.type("200")
    page.keyboard.press("Enter")
    wait_for_selection(visit, "conv5", 200)
    expect(by_id(page, "tile-200")).to_be_visible()


def test_search_for_a_class_filters_the_units(visit: Any) -> None:
    page = visit.page
    by_id(page, "search").fill("jeep")
    by_id(page, "search").press("Enter")
    kept = visit.run_code(
        "t = service.layers.unit_table('conv5'); j = t.categories.index('jeep'); print(int((t.labels == j).any(axis=1).sum()))"
    )
    assert 0 < int(kept) < 256
    expect(by_id(page, "count")).to_have_text(f"{int(kept)} of 256")
    by_id(page, "search").fill("")
    by_id(page, "search").press("Enter")
    expect(by_id(page, "count")).to_have_text("256 units")


def test_order_of_the_units(visit: Any) -> None:
    page = visit.page
    by_id(page, "sort").select_option("index")
    by_id(page, "grid").press("Home")  # the selected unit stays visible in another order
    expect(by_id(page, "tile-0")).to_be_visible()
    expect_value(page, lambda: tiles(page)[:3], [0, 1, 2])
    by_id(page, "sort").select_option("strongest")
    strongest = visit.run_code("print(int(service.layers.unit_table('conv5').maximum.argmax()))")
    by_id(page, "grid").press("Home")
    wait_for_selection(visit, "conv5", int(strongest))


def test_rule_changes_the_projections(visit: Any) -> None:
    page = visit.page
    by_id(page, f"tile-{tiles(page)[0]}").click()
    wait_until_coloured(page, "[data-testid=detail] canvas", 2)
    before = detail_pixels(page)
    by_id(page, "rule-gradient").click()
    page.wait_for_function(
        "before => [...document.querySelectorAll('[data-testid=detail] canvas')].map(c => c.toDataURL()).join() !== before", arg=before
    )
    by_id(page, "rule-deconvnet").click()
    expect(by_id(page, "rule-deconvnet")).to_have_attribute("aria-checked", "true")


def test_unit_can_be_pinned(visit: Any) -> None:
    page = visit.page
    first, second = tiles(page)[:2]
    by_id(page, f"tile-{first}").click()
    wait_for_selection(visit, "conv5", first)
    by_id(page, "pin").click()
    by_id(page, f"tile-{second}").click()
    wait_for_selection(visit, "conv5", second)
    expect(by_id(page, "detail")).to_contain_text(f"Unit {second}")
    expect(by_id(page, f"pin-conv5-{first}")).to_contain_text("selectivity")
    expect_value(page, lambda: [(pin["layer"], pin["unit"]) for pin in state(visit)["pinned"]], [("conv5", first)])
    visit.run_code("explorer.state = {**explorer.state, 'pinned': []}")


def test_strongest_activation_is_enlarged(visit: Any) -> None:
    """The maximum of the feature map is the activation, and the arrow keys visit the others."""
    page = visit.page
    by_id(page, "mosaic-patches-1").click()
    expect(by_id(page, "enlarged")).to_have_attribute("data-sharp", "true")
    layer, unit = selected_unit(visit)
    values = [float(value) for value in visit.run_code(f"print(*(one.value for one in service.index.top('{layer}', {unit})))").split()]
    expect(by_id(page, "enlarged-maximum")).to_contain_text(f"{values[0]:.3g}")
    wait_until_coloured(page, "[data-testid=enlarged] canvas", 3)
    page.keyboard.press("ArrowRight")
    expect(by_id(page, "enlarged-maximum")).to_contain_text(f"{values[1]:.3g}")
    wait_until(page, lambda: by_id(page, "enlarged-projection").bounding_box()["width"] >= 300, "the projection is large")
    page.keyboard.press("Escape")
    expect(by_id(page, "mosaic-projections-2")).to_be_focused()


@pytest.mark.parametrize("kind", ["layer.png", "unit.svg", "layer.html"])
def test_export_is_downloaded(visit: Any, kind: str, tmp_path: Path) -> None:
    page = visit.page
    by_id(page, "export-menu").click()
    with page.expect_download(timeout=START_PATIENCE) as coming:
        by_id(page, f"export-{kind}").click()
    coming.value.save_as(tmp_path / kind)
    data = (tmp_path / kind).read_bytes()
    assert coming.value.suggested_filename.endswith(kind.rpartition(".")[2])
    if kind.endswith("png"):
        assert Image.open(io.BytesIO(data)).width > 800
    else:
        assert b"conv5" in data


def test_state_set_in_python_changes_the_view(visit: Any) -> None:
    page = visit.page
    assert visit.run_code("explorer.state = {**explorer.state, 'layer': 'conv2', 'unit': 11}") == ""
    expect(by_id(page, "layer-conv2")).to_have_attribute("aria-current", "true")
    expect(by_id(page, "detail")).to_contain_text("Unit 11")
    wait_until_coloured(page, "[data-testid=detail] canvas", 2)


ADD_CELLS = """async (sources) => {
  const panel = jupyterapp.shell.currentWidget;
  const {content} = panel;
  const at = content.model.cells.length;
  sources.forEach((source, index) => content.model.sharedModel.insertCell(at + index, {cell_type: "code", source, metadata: {}}));
  content.activeCellIndex = at;
  content.scrollToCell?.(content.widgets[at]);
  globalThis.__ended = false;
  jupyterapp.commands.execute("notebook:run-all-below").then(() => { globalThis.__ended = true; });
  return at;
}"""
TAKE_CELLS = """(at) => {
  const {model} = jupyterapp.shell.currentWidget.content;
  model.sharedModel.deleteCellRange(at, model.cells.length);
}"""


RUN_UNTIL_THERE_IS = """import pathlib, time
end = time.monotonic() + 240
while not pathlib.Path({path!r}).exists() and time.monotonic() < end:
    time.sleep(0.1)"""


def test_explorer_answers_while_other_cells_run(visit: Any, tmp_path: Path) -> None:
    page, stop = visit.page, tmp_path / "stop"
    explorer = "other = dw.LayerExplorer(service, layer='conv3', state={'sort': 'index', 'unit': 40})\nother"
    at = page.evaluate(ADD_CELLS, [explorer, RUN_UNTIL_THERE_IS.format(path=str(stop))])
    try:
        new = page.get_by_test_id("layer-explorer").last
        expect(new.get_by_test_id("title")).to_contain_text("conv3")
        expect(new.get_by_test_id("detail-title")).to_have_text("Unit 40")
        tile = new.locator(".dwx-tile").nth(1)
        tile.click()
        expect(new.get_by_test_id("detail-title")).to_have_text(f"Unit {tile.get_attribute('data-unit')}")
        expect(new.locator(".dwx-mosaic[data-sharp=true]")).to_have_count(2)
        assert not page.evaluate("globalThis.__ended"), "the other cell is still running"
        stop.touch()
        page.wait_for_function("globalThis.__ended")
        expect_value(page, lambda: visit.run_code("print(other.state['unit'])").strip(), tile.get_attribute("data-unit"))
    finally:
        stop.touch()
        page.evaluate(TAKE_CELLS, at)


def test_jupyterlab_does_not_ask_about_news(visit: Any) -> None:
    """JupyterLab would ask a new user in a dialog above the page."""
    assert visit.page.evaluate("() => jupyterapp.isPluginActivated('@jupyterlab/apputils-extension:notification')")
    assert visit.page.locator(".Toastify__toast").count() == 0
    assert not visit.page.evaluate("() => jupyterapp.hasPlugin('@jupyterlab/apputils-extension:announcements')")


def test_no_errors_and_no_external_requests(visit: Any) -> None:
    """The former tests caused no errors on the console and no requests to other hosts."""
    assert visit.external_requests == []
    assert visit.errors == []


def test_no_element_overflows_at_700_pixels(visit: Any) -> None:
    page = visit.page
    page.evaluate("() => jupyterapp.shell.collapseLeft()")
    page.set_viewport_size({"width": 700, "height": 1000})
    try:
        by_id(page, "layers").scroll_into_view_if_needed()
        overflow = """() => {
          const root = document.querySelector('[data-testid=layers]').closest('.jp-OutputArea-output');
          return root.clientWidth < 700 ? root.scrollWidth - root.clientWidth : null;
        }"""
        wait_until(page, lambda: page.evaluate(overflow) in (0, 1), "nothing is wider than the output")
        expect(by_id(page, "detail")).to_be_attached()
        wait_until_coloured(page, "[data-testid=grid] canvas", 1)
    finally:
        page.set_viewport_size({"width": 1600, "height": 1100})


def test_explorer_uses_the_dark_theme(visit: Any) -> None:
    page = visit.page
    brightness = """() => {
      let element = document.querySelector('[data-testid=detail]');
      let colour = 'rgba(0, 0, 0, 0)';
      while (element && (colour = getComputedStyle(element).backgroundColor) === 'rgba(0, 0, 0, 0)') element = element.parentElement;
      const ink = getComputedStyle(document.querySelector('[data-testid=detail]')).color;
      const mean = text => text.match(/[\\d.]+/g).slice(0, 3).reduce((sum, value) => sum + Number(value) / 3, 0);
      return [mean(colour), mean(ink)];
    }"""
    paper, ink = page.evaluate(brightness)
    assert paper > ink

    def is_dark(paper: float, ink: float) -> bool:
        return paper + 60 < ink

    page.evaluate("async () => { await jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}); }")
    try:
        wait_until(page, lambda: is_dark(*page.evaluate(brightness)), "the paper is dark, and the ink is bright")
    finally:
        page.evaluate("async () => { await jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'}); }")


def test_kernel_restart_is_reported(visit: Any) -> None:
    """The next click does not change the view, because the new kernel does not have the explorer."""
    page = visit.page
    by_id(page, "layers").scroll_into_view_if_needed()
    by_id(page, "layer-conv5").click()
    expect(by_id(page, "layer-conv5")).to_have_attribute("aria-current", "true")
    wait_until_coloured(page, "[data-testid=detail] canvas", 2)
    page.evaluate("async () => { await jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }")
    expect(by_id(page, "alert")).to_have_text("The kernel was restarted. Run the cell again.")
    expect(by_id(page, "layer-explorer")).to_have_attribute("data-available", "false")
    by_id(page, "layer-conv1").click()
    expect(by_id(page, "status")).to_contain_text("Not loaded")
    expect(by_id(page, "layer-conv5")).to_have_attribute("aria-current", "true")
