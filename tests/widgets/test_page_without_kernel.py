"""A view in a page without a kernel, and what every view does for front ends other than JupyterLab."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.instruments.layers.widget.messages import HANDLERS
from deconvwidgets.instruments.layers.widget.state import checked_state
from deconvwidgets.widgets.picture import small_jpeg
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page
from tests.widgets.fake_service import FakeService, encode, grating
from tests.widgets.waiting import let_run, wait_until_quiet

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser

# A model whose manager knows whether it has a comm, as that of ipywidgets does: `live` is undefined for a front end that does not tell.
OPEN = """([code, state, picture, live]) => {
  const model = globalThis.model = globalThis.makeModel(state, 720);
  model.values._comm_id = "one";
  model.values._picture = new DataView(Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0)).buffer);
  model.own = {comm_live: live ?? undefined};
  model.widget_manager = {get_model: async (id) => id === "one" ? model.own : Promise.reject(new Error("not found"))};
  model.blocked = live !== true;
  return globalThis.open(code, state);
}"""


def open_view(page: Page, live: bool | None, picture: bytes | None = None) -> None:
    service = FakeService()
    load_page(page, built("layers.css"), kernel(HANDLERS, service))
    page.evaluate(
        "globalThis.shown = 0; new MutationObserver(() => { if (document.querySelector('.dwx-picture:not([hidden])')) shown += 1; })"
        ".observe(document, {subtree: true, childList: true, attributes: true})"
    )
    jpeg = small_jpeg(encode(grating(1, 64, signed=False)).data) if picture is None else picture
    state = checked_state({"layer": "conv2"}, {}, service.overview())
    page.evaluate(OPEN, [built("layers.js"), state, base64.b64encode(jpeg).decode(), live])


def test_saved_picture_is_shown_without_a_kernel(blank: Page) -> None:
    open_view(blank, live=False)
    picture = blank.get_by_test_id("picture")
    expect(picture).to_contain_text("A picture of the layer explorer. Run the notebook to use it.")
    blank.wait_for_function("() => document.querySelector('.dwx-picture img').naturalWidth === 64")
    expect(blank.locator(".dwx-frame")).to_be_hidden()
    blank.evaluate("model.own.comm_live = true; model.release(); model.trigger('comm_live_update')")  # the front end found the kernel
    expect(blank.locator(".dwx-frame")).to_be_visible()
    expect(picture).to_be_hidden()
    expect(blank.locator("[data-testid=layer-explorer][data-ready=true]")).to_be_visible()


def test_missing_picture_is_said(blank: Page) -> None:
    open_view(blank, live=False, picture=b"")
    expect(blank.get_by_test_id("picture")).to_have_text("No picture was saved. Run the notebook to use it.")
    expect(blank.get_by_test_id("picture").locator("img")).to_have_count(0)


def test_live_view_never_shows_the_picture(blank: Page) -> None:
    open_view(blank, live=True)
    expect(blank.locator("[data-testid=layer-explorer][data-ready=true]")).to_be_visible()
    wait_until_quiet(blank)
    assert blank.evaluate("shown") == 0


@pytest.mark.slow
def test_front_end_that_does_not_tell_shows_the_picture_when_the_reply_is_overdue(blank: Page) -> None:
    open_view(blank, live=None)
    expect(blank.locator(".dwx-frame")).to_be_visible()
    expect(blank.get_by_test_id("picture")).to_be_visible()
    blank.evaluate("model.release()")
    expect(blank.locator(".dwx-frame")).to_be_visible()
    expect(blank.get_by_test_id("picture")).to_be_hidden()


def test_scroll_position_is_kept_while_the_output_is_collapsed(blank: Page) -> None:
    open_view(blank, live=True)
    grid = blank.get_by_test_id("grid")
    expect(blank.locator(".dwx-tile").first).to_be_visible()
    grid.evaluate("(grid) => { grid.scrollTop = 700; }")
    let_run(blank, 300, 300)  # until the end of scrolling is noticed, and the state saved
    for hide, show in (("host.style.display = 'none'", "host.style.display = ''"), ("host.remove()", "document.body.append(host)")):
        blank.evaluate(f"() => {{ globalThis.host = globalThis.host ?? document.querySelector('.dwx-host'); {hide}; }}")
        let_run(blank)
        blank.evaluate(f"() => {{ {show}; }}")
        blank.wait_for_function("() => document.querySelector('[data-testid=grid]').scrollTop === 700")


def test_downloads_are_clicked_in_the_document(blank: Page) -> None:
    open_view(blank, live=True)
    expect(blank.locator("[data-testid=layer-explorer][data-ready=true]")).to_be_visible()
    blank.evaluate("""() => document.addEventListener('click', ({target}) => {
      if (target instanceof HTMLAnchorElement) globalThis.clicked = [target.download, target.href.slice(0, 5), target.isConnected];
    })""")
    blank.get_by_test_id("export-menu").click()
    with blank.expect_download():
        blank.get_by_test_id("export-layer.png").click()
    name, scheme, connected = clicked(blank)
    assert name.endswith(".png")
    assert (scheme, connected) == ("blob:", True)
    expect(blank.locator("a[download]")).to_have_count(0)


def clicked(page: Page) -> Any:
    return page.evaluate("globalThis.clicked")
