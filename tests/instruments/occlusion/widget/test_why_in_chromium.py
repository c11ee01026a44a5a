"""The tab "Why?" of the OcclusionExplorer in Chromium, without JupyterLab: the units behind an answer."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.instruments.contributions.widget.fake_api import FakeContributionsApi
from tests.instruments.occlusion.widget.page import api, open_page, send_event, service
from tests.instruments.occlusion.widget.toy_network import KINDS
from tests.widgets.chromium import blank, browser, shared_page

__all__ = ["api", "blank", "browser", "open_page", "service", "shared_page"]  # pytest finds fixtures by name

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(open_page, service):
    """A page with the tab, after the contributions have arrived: the first request says that they are pending."""
    page = open_page(width=1460, ready=False, tab="why")
    expect(page.get_by_test_id("why-status")).to_contain_text("3 of 10")
    send_event(page, "contributions")
    expect(page.locator("[data-testid=why-panel][data-ready=true]")).to_be_visible()
    return page


def listed(page, side):
    return [
        int(unit) for unit in page.get_by_test_id(side).locator(".dwu-row").evaluate_all("(rows) => rows.map((row) => row.dataset.unit)")
    ]


def test_units_are_listed_by_their_contributions_and_the_sum_closes(page, service):
    contributions: FakeContributionsApi = service.contributions
    request = next(arguments for kind, arguments in reversed(contributions.calls) if kind == "contributions")
    difference = contributions.values(request.target) - contributions.values(request.against)
    order = (-difference).argsort(kind="stable").tolist()
    assert listed(page, "why-top") == [unit for unit in order[:6] if difference[unit] > 0]
    assert listed(page, "why-bottom") == [unit for unit in order[::-1][:6] if difference[unit] < 0]
    target, against = KINDS[request.target], KINDS[request.against]
    expect(page.get_by_test_id("why-title")).to_have_text(f"What contributes to {target}, against {against}")
    first = page.get_by_test_id("why-unit").first
    expect(first).to_contain_text(f"+{difference[order[0]]:.2f}")
    numbers = re.findall(r"[+−]?\d+\.?\d*(?=\+|=|$)", page.get_by_test_id("ledger").inner_text().replace("\n", " ").replace(" ", ""))
    values = [float(text.replace("−", "-")) for text in numbers]
    assert abs(sum(values[:3]) - values[3]) < 0.03, "top + others + biases = difference of the logits"
    expect(page.get_by_test_id("map-compared-against-title")).to_have_text(against)


def test_a_unit_opens_in_a_layer_explorer_by_mouse_and_keyboard(page):
    first, second = listed(page, "why-top")[:2]
    page.get_by_test_id("why-unit").first.click()
    page.wait_for_function("() => model.sent.some(({kind}) => kind === 'show')")
    page.get_by_test_id("why-unit").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function("() => model.sent.filter(({kind}) => kind === 'show').length === 2")
    shown = page.evaluate("model.sent.filter(({kind}) => kind === 'show').map(({widget, state}) => [widget, state.unit])")
    assert shown == [["LayerExplorer", first], ["LayerExplorer", second]]


def test_switching_a_unit_off_keeps_the_classes_in_question(page, service):
    unit = listed(page, "why-top")[0]
    request = next(arguments for kind, arguments in reversed(service.contributions.calls) if kind == "contributions")
    page.get_by_test_id("why-unit").first.focus()
    page.keyboard.press("x")
    page.wait_for_function("() => model.sent.some(({kind}) => kind === 'set_units')")
    assert page.evaluate("model.sent.findLast(({kind}) => kind === 'set_units').units") == [["conv5", unit, 0]]
    page.wait_for_function("(name) => model.values.state.target === name", arg=KINDS[request.target])
    assert page.evaluate("model.values.state.against") == KINDS[request.against]


def test_the_order_is_checked_and_failures_are_shown(page, service):
    page.get_by_test_id("why-check").click()
    send_event(page, "contributions")
    expect(page.get_by_test_id("why-curve")).to_have_text(
        "The answer turns after 3 units in order of contribution, after 31 in order of activation, not within 40 at random."
    )
    del service.contributions
    page.get_by_test_id("why-method-choice").select_option("gradient")
    expect(page.get_by_test_id("why-error")).to_contain_text("computes no contributions of units")
