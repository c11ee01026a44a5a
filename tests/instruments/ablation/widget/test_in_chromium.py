"""The AblationPanel in Chromium, without JupyterLab: the panel's handlers answer, with a fake study."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.instruments.ablation.widget.messages import HANDLERS
from deconvwidgets.instruments.ablation.widget.state import checked_state
from tests.instruments.ablation.widget.fake_service import EPOCHS, SEEDS, VARIANTS, FakeStudy, run_of
from tests.widgets.accessibility import set_theme, small_text, violations
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page
from tests.widgets.waiting import expect_value, wait_until_quiet

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser
NAMES = [variant.name for variant in VARIANTS]


@pytest.fixture
def service() -> FakeStudy:
    return FakeStudy()


@pytest.fixture
def open_page(blank: Page, service: FakeStudy) -> Callable[..., Page]:
    """Return a function that opens a page with one view of a panel."""

    def open_(width: int = 1180, **state: Any) -> Page:
        load_page(blank, built("ablation.css") + built("layers.css"), kernel(HANDLERS, service))
        blank.evaluate("(state) => { globalThis.model = makeModel(state, 760); }", checked_state(state, {}, NAMES, SEEDS))
        blank.evaluate("([code, width]) => globalThis.open(code, null, width)", [built("ablation.js"), width])
        expect(blank.locator("[data-testid=ablation-panel][data-ready=true]").first).to_be_visible()
        return blank

    return open_


def changed(page: Page) -> None:
    """Send the event that the study has changed, as the kernel does."""
    page.evaluate("model.trigger('msg:custom', {event: 'ablation', message: ''}, [])")


def cells(page: Page, row: int) -> list[str]:
    return page.get_by_test_id("rows").locator("tr").nth(row).locator("td").all_inner_texts()


def test_the_table_has_the_numbers_of_the_study(service: FakeStudy, open_page: Callable[..., Page]) -> None:
    page = open_page()
    expect(page.get_by_test_id("rows").locator("tr")).to_have_count(3)
    wait_until_quiet(page)
    first, second, third = (cells(page, row) for row in range(3))
    assert first[:4] == ["62.4 million", "20.5 ± 0.5%", "41.0 ± 1.0%", "13.7 ± 0.3%"]
    assert (first[4].strip(), first[5], first[6]) == ("baseline", "38.4%", "101")
    change = service.table().rows[1].top1_difference
    assert change is not None
    assert change.interval is not None
    low, high = (f"{100 * bound:+.1f}".replace("-", "−") for bound in change.interval)
    assert second[4].strip() == f"+6.0 [{low}, {high}]"
    assert second[5] == "40.0% (−0.5)"
    assert third[2] == "56.5 ± 0.7%"  # without the run that is not complete
    expect(page.get_by_test_id("rows").locator("tr").nth(2)).to_contain_text("removed layer 3 · from given weights · 2 of 3 runs")
    expect(page.get_by_test_id("study-notes")).to_contain_text("1 of 9 runs are begun and not complete")
    expect(page.locator(".dwa-sure")).to_have_count(1)  # the other has no interval
    page.get_by_test_id("measure-train").click()
    expect_value(page, lambda: (cells(page, 1)[4].strip()[:6], cells(page, 1)[5]), ("+3.0 [", "27.4%"))


def test_variants_are_chosen_trained_and_cancelled(service: FakeStudy, open_page: Callable[..., Page]) -> None:
    service.runs, service.phase = {}, "new"
    page = open_page()
    expect(page.get_by_test_id("phase")).to_have_text("Not started")
    expect(page.get_by_test_id("go")).to_have_text("Start")
    page.get_by_label("Train zfnet_without_7").uncheck()
    expect(page.get_by_test_id("go")).to_have_text("Start 2 variants")
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Cancel")
    assert service.calls == [("start", (["zfnet", "mine"],))]
    service.runs[0, 0] = run_of(0, 0, 5)
    changed(page)
    expect(page.get_by_test_id("rows")).to_contain_text("0 of 3 runs")
    expect(page.locator("path.dwx-plot-line")).to_have_count(1)
    expect(page.get_by_test_id("bar")).to_have_js_property("value", 5 / (9 * EPOCHS))
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Stopping…")
    service.set_phase("incomplete", "Resume goes on from the last saved states.")
    changed(page)
    expect(page.get_by_test_id("go")).to_have_text("Resume 2 variants")
    expect(page.get_by_test_id("message")).to_have_text("Resume goes on from the last saved states.")


def test_nothing_is_started_without_a_variant(open_page: Callable[..., Page]) -> None:
    page = open_page(chosen=[])
    expect(page.get_by_test_id("go")).to_be_disabled()


def test_a_variant_is_selected_and_explored_by_the_keyboard(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.get_by_role("button", name="zfnet", exact=True).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[aria-pressed=true].dwa-name")).to_have_text("zfnet_without_7")
    expect(page.get_by_test_id("runs").locator("li")).to_have_count(3)
    expect_value(page, "document.activeElement.dataset.name", "zfnet_without_7")
    page.keyboard.press("e")
    page.get_by_label("Explore zfnet_without_7, seed 1").click()
    page.wait_for_function("model.sent.filter((message) => message.kind === 'show').length === 2")
    sent = page.evaluate("model.sent.filter((message) => message.kind === 'show').map(({ widget, run }) => [widget, run])")
    assert sent == [["LayerExplorer", ["zfnet_without_7", None]], ["LayerExplorer", ["zfnet_without_7", 1]]]


def test_a_panel_that_only_watches_offers_no_start(service: FakeStudy, open_page: Callable[..., Page]) -> None:
    service.own = service.explorable = False
    page = open_page()
    expect(page.get_by_test_id("go")).to_be_hidden()
    expect(page.locator("[data-testid=rows] input")).to_have_count(0)
    expect(page.get_by_role("button", name="Explore")).to_have_count(0)


@pytest.mark.parametrize("width", [360, 900, 1180])
def test_nothing_is_cut_off(open_page: Callable[..., Page], width: int) -> None:
    page = open_page(width=width, variant="mine")
    wait_until_quiet(page)
    overflowing = page.evaluate(
        "() => [...document.querySelectorAll('.dwx section, .dwx ul, .dwx header')]"
        ".filter((element) => element.scrollWidth > element.clientWidth + 1).map((element) => element.className)"
    )
    assert overflowing == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible(service: FakeStudy, open_page: Callable[..., Page], theme: str) -> None:
    service.message = "The disk is full."
    page = open_page(variant="mine")
    set_theme(page, theme)
    wait_until_quiet(page)
    assert violations(page) == []
    assert small_text(page) == {}
