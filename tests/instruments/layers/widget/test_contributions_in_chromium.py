"""The LayerExplorer in Chromium, without JupyterLab: contributions of units, what feeds them, and why an answer is given."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from deconvwidgets.instruments.layers.widget.messages import HANDLERS
from deconvwidgets.instruments.layers.widget.state import checked_state
from deconvwidgets.records.overview import Overview
from deconvwidgets.records.quantity import SOFTMAX
from tests.instruments.contributions.widget.fake_api import FakeContributionsApi
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page
from tests.widgets.fake_service import CATEGORIES, FakeService
from tests.widgets.waiting import expect_value, wait_until_quiet

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class ClassifyingService(FakeService):
    """A service whose model predicts classes, and whose contributions are known."""

    def __init__(self) -> None:
        super().__init__()
        self.contributions = FakeContributionsApi(60, CATEGORIES)

    def overview(self) -> Overview:
        return replace(super().overview(), quantity=SOFTMAX, classifier="five classes")


@pytest.fixture
def service():
    return ClassifyingService()


@pytest.fixture
def page(blank, service):
    load_page(blank, built("layers.css"), kernel(HANDLERS, service))
    state = checked_state({"layer": "conv2", "unit": 7}, {}, service.overview())
    blank.evaluate("([code, state]) => globalThis.open(code, state, 1460)", [built("layers.js"), state])
    expect(blank.locator(".dwx-tile").first).to_be_visible()
    return blank


def test_units_are_sorted_by_their_contribution_to_a_class(page, service):
    page.get_by_test_id("sort").select_option("contribution")
    expect(page.get_by_test_id("contribution-status")).to_have_text("Name a class.")
    page.get_by_test_id("contribution-class").fill("bee")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("contribution-status")).to_have_text("mean over 12 photographs of the class")
    order = (-service.contributions.values(1)).argsort(kind="stable").tolist()
    tiles = page.locator(".dwx-tile")
    expect(tiles.first).to_have_attribute("data-unit", str(order[0]))
    units = "[...document.querySelectorAll('.dwx-tile')].slice(0, 4).map((tile) => Number(tile.dataset.unit))"
    expect_value(page, units, order[:4])
    expect(tiles.first).to_contain_text(f"contribution +{service.contributions.values(1)[order[0]]:.1f}"[:-1])
    page.get_by_test_id("contribution-class").fill("unicorn")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("contribution-status")).to_contain_text("has no class 'unicorn'")


def test_the_classes_of_a_unit_are_shown_on_request(page, service):
    wait_until_quiet(page)
    assert not any(kind == "unit_classes" for kind, _ in service.contributions.calls), "it may take a pass over all photographs"
    page.get_by_test_id("ask-classes").click()
    classes = service.contributions.unit_classes("conv2", 7)
    name = CATEGORIES[classes.strongest()[0][0]]
    expect(page.get_by_test_id("unit-classes")).to_contain_text(f"for {name} +")
    expect(page.get_by_test_id("unit-classes")).to_contain_text("against")


def test_the_tree_has_one_node_for_a_feeder_that_appears_twice_and_leads_to_a_unit(page):
    page.get_by_test_id("grid").focus()
    page.keyboard.press("t")
    expect(page.locator("[data-testid=tree][data-ready=true]")).to_be_visible()
    nodes = "[...document.querySelectorAll('[data-testid=tree-node]')].map((node) => node.dataset.unit)"
    expect_value(page, nodes, ["conv2 7", "conv2 1", "conv2 2", "conv1 4", "conv1 5"])
    expect(page.locator("[data-testid=tree] path")).to_have_count(5)
    page.locator("[data-unit='conv1 4']").click()
    expect(page.get_by_test_id("tree-dialog")).not_to_be_visible()
    expect(page.get_by_test_id("detail-title")).to_have_text("Unit 4")
    page.wait_for_function("() => model.values.state.layer === 'conv1' && model.values.state.unit === 4")


def test_why_shows_the_photograph_in_an_occlusion_explorer(page):
    expect(page.get_by_test_id("entries").locator("li")).to_have_count(9)
    page.get_by_test_id("mosaic-patches-3").click()
    page.get_by_test_id("why").click()
    page.wait_for_function("() => model.sent.some(({kind}) => kind === 'show')")
    shown = page.evaluate("model.sent.findLast(({kind}) => kind === 'show')")
    assert shown["widget"] == "OcclusionExplorer"
    assert shown["state"] == {"image": "crop:2", "target": None, "against": None, "tab": "why", "patches": []}
    assert shown["embeds"] is False, "there is no widget manager in this page"
