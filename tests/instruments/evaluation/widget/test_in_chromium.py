"""The EvaluationPanel in Chromium, without JupyterLab: the panel's handlers answer, with a fake API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.instruments.evaluation.widget.messages import HANDLERS
from deconvwidgets.instruments.evaluation.widget.state import checked_state
from tests.instruments.evaluation.widget.fake_api import EACH, FakeEvaluationService
from tests.widgets.accessibility import set_theme, small_text, violations
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page
from tests.widgets.waiting import expect_state, wait_until, wait_until_quiet

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


@pytest.fixture
def service() -> FakeEvaluationService:
    return FakeEvaluationService()


@pytest.fixture
def api(service):
    return service.evaluation


@pytest.fixture
def open_page(blank: Page, service: FakeEvaluationService) -> OpenPage:
    """Return a function that opens a page with one view of a panel."""

    def open_(width: int = 1180, **state: Any) -> Page:
        load_page(blank, built("evaluation.css"), kernel(HANDLERS, service))
        opened = checked_state({"data": "caltech101", **state}, {}, service.evaluation.status())
        blank.evaluate("(state) => { globalThis.model = makeModel(state, 720); }", opened)
        blank.evaluate("([code, width]) => globalThis.open(code, null, width)", [built("evaluation.js"), width])
        expect(blank.locator("[data-testid=evaluation-panel][data-ready=true]")).to_be_visible()
        expect(blank.get_by_test_id("data-summary")).to_have_attribute("data-ready", "true")
        return blank

    return open_


def send_event(page: Page, event: str = "evaluation") -> None:
    page.evaluate("(event) => model.trigger('msg:custom', {event, message: ''}, [])", event)


def calls_of(api: Any, kind: str) -> list[Any]:
    return [arguments for name, arguments in api.calls if name == kind]


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def test_a_run_shows_its_scores_while_it_goes_on(api, open_page):
    page = open_page()
    expect(page.get_by_test_id("results-empty")).to_contain_text("No evaluation yet")
    expect(page.get_by_test_id("data-matches")).to_have_text("8 of 9 classes matched with the model's · 1 without a match")
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Stop")
    api.advance(40)
    send_event(page)
    expect(page.get_by_test_id("run-words")).to_contain_text("40 of 240 photographs")
    expect(page.get_by_test_id("score-top-1")).to_contain_text(percent(api.results(1).evaluation.accuracy))
    api.advance(8 * EACH)
    api.end()
    send_event(page)
    evaluation = api.results(1).evaluation
    expect(page.get_by_test_id("score-top-1")).to_contain_text(percent(evaluation.accuracy))
    expect(page.get_by_test_id("score-top-5")).to_contain_text(percent(evaluation.top5))
    expect(page.get_by_test_id("score-ECE")).to_contain_text(percent(evaluation.reliability.error))
    expect(page.get_by_test_id("score-NLL")).to_contain_text(f"{evaluation.log_loss:.3f}")
    expect(page.get_by_test_id("go")).to_have_text("Evaluate")


def test_the_reliability_diagram_has_the_accuracy_of_each_bin(api, open_page):
    api.whole_run()
    page = open_page()
    reliability = api.results(1).evaluation.reliability
    filled = np.flatnonzero(reliability.counts)
    expect(page.get_by_test_id("reliability").locator("title")).to_have_count(len(filled))
    titles = page.get_by_test_id("reliability").locator("title").all_text_contents()
    last = filled[-1]
    assert f"{reliability.counts[last]} photographs" in titles[-1]
    assert f"{100 * reliability.accuracies[last]:.0f}% right" in titles[-1] or "% right" in titles[-1]
    expect(page.get_by_test_id("calibration-words")).to_contain_text("expected calibration error")


def test_a_pair_of_classes_opens_its_cell_with_photographs(api, open_page):
    api.whole_run()
    page = open_page()
    page.locator("[data-testid^=summary-pairs-]").first.click()
    expect(page.get_by_test_id("show-confusion")).to_have_attribute("aria-selected", "true")
    page.wait_for_function("() => model.values.state.cell")
    truth, prediction = page.evaluate("model.values.state.cell")
    count = int(api.results(1).evaluation.confusion[truth, prediction])
    expect(page.get_by_test_id("cell-numbers")).to_contain_text(f"{count} of {EACH} photographs")
    expect(page.get_by_test_id("cell-photographs").locator("[data-painted=true]")).to_have_count(count)


def test_predictions_of_other_classes_keep_their_names(api, open_page):
    api.whole_run()
    page = open_page(show="mistakes")
    evaluation = api.results(1).evaluation
    row = next(row for row in evaluation.mistakes(48) if evaluation.predicted[row] == len(evaluation.categories))
    name = evaluation.classes[evaluation.predictions[row]]
    tile = page.get_by_test_id("mistakes").locator(f"[data-source='{evaluation.sources[row]}']")
    expect(tile).to_contain_text(f"→ {name}")


def test_why_asks_for_the_photograph_by_button_and_by_key(api, open_page):
    api.whole_run()
    page = open_page(show="mistakes")
    source = int(api.results(1).evaluation.sources[api.results(1).evaluation.mistakes(1)[0]])
    first = page.get_by_test_id("mistakes").locator(f"[data-source='{source}']")
    first.focus()
    page.keyboard.press("w")
    page.get_by_test_id(f"why-{source}").click()
    page.wait_for_function("() => model.sent.filter((message) => message.kind === 'show').length === 2")
    asked = page.evaluate("model.sent.filter((message) => message.kind === 'show')")
    assert [request["widget"] for request in asked] == ["OcclusionExplorer"] * 2
    assert [request["photograph"] for request in asked] == [{"run": 1, "source": source}] * 2
    page.keyboard.press("Escape")
    first.focus()
    page.keyboard.press("ArrowRight")
    focused = "document.activeElement.dataset.source"
    wait_until(page, lambda: page.evaluate(focused) not in (None, str(source)), "the arrow keys move between photographs")


def test_classes_are_mapped_in_the_table(api, open_page):
    api.whole_run()
    page = open_page(show="names")
    expect(page.locator("[data-testid=names] tbody tr").first).to_contain_text("seagull")
    page.get_by_test_id("name-seagull").click()
    expect(page.get_by_test_id("name-search")).to_be_focused()
    page.keyboard.type("ket")
    expect(page.get_by_test_id("name-suggestions").locator("button")).to_have_text(["ketch"])
    page.keyboard.press("Enter")
    expect(page.locator("[data-name=seagull]")).to_contain_text("ketch")
    expect(page.locator("[data-name=seagull]")).to_have_attribute("data-state", "matched")
    page.get_by_test_id("name-leave-out").click()
    expect(page.locator("[data-name=seagull]")).to_contain_text("left out")
    page.wait_for_function("() => JSON.stringify(model.values.state.mapping) === JSON.stringify({seagull: []})")
    page.get_by_test_id("name-reset").click()
    expect(page.locator("[data-name=seagull]")).to_have_attribute("data-state", "unmatched")
    page.get_by_test_id("go").click()
    expect(page.get_by_test_id("go")).to_have_text("Stop")
    assert calls_of(api, "start")[-1].mapping == {}


def test_enter_takes_the_suggestion_for_the_whole_text(api, open_page):
    api.whole_run()
    page = open_page(show="names")
    page.get_by_test_id("name-seagull").click()
    expect(page.get_by_test_id("name-search")).to_be_focused()
    wait_until_quiet(page)
    page.evaluate("model.blocked = true")
    page.keyboard.type("ket")
    page.keyboard.press("Enter")
    page.evaluate("model.release()")
    expect(page.locator("[data-name=seagull]")).to_contain_text("ketch")
    expect_state(page, mapping={"seagull": ["ketch"]})


def test_the_change_between_two_runs(api, open_page):
    api.whole_run()
    api.whole_run()
    page = open_page()
    found = api.compare(2, 1, limit=24)
    moved = found.comparison
    expect(page.get_by_test_id("change-link")).to_contain_text(f"{len(moved.now_right)} now right, {len(moved.now_wrong)} now wrong")
    page.get_by_test_id("change-link").click()
    expect(page.get_by_test_id("change-accuracy")).to_have_text(f"{percent(moved.accuracy_before)} → {percent(moved.accuracy_after)}")
    expect(page.get_by_test_id("change-words")).to_contain_text(f"p = {moved.p_value:.3f}"[:6])
    first = found.now_wrong[0]
    tile = page.get_by_test_id("now-wrong").locator("[data-source]").first
    expect(tile).to_have_attribute("data-source", str(first.source))
    expect(tile).to_contain_text(f"now {first.after}")
    expect(page.get_by_test_id("now-right").locator("[data-painted=true]")).to_have_count(min(24, len(moved.now_right)))


def test_the_threshold_of_a_multilabel_model(blank):
    service = FakeEvaluationService(task="multilabel")
    service.evaluation.whole_run()
    load_page(blank, built("evaluation.css"), kernel(HANDLERS, service))
    state = checked_state({"data": "caltech101"}, {}, service.evaluation.status())
    blank.evaluate("([code, state]) => globalThis.open(code, state)", [built("evaluation.js"), state])
    evaluation: Any = service.evaluation.results(1).evaluation
    expect(blank.get_by_test_id("score-mAP")).to_contain_text(percent(evaluation.mean_average_precision))
    slider = blank.get_by_test_id("threshold")
    slider.fill("0.8")
    predicted = evaluation.probabilities >= 0.8
    right = (predicted & evaluation.truths).sum()
    words = f"precision {100 * right / predicted.sum():.0f}%, recall {100 * right / evaluation.truths.sum():.0f}%"
    expect(blank.get_by_test_id("threshold-words")).to_contain_text(words)
    blank.get_by_test_id("label-3").click()
    expect(blank.get_by_test_id("label-title")).to_have_text(evaluation.categories[3])
    found, missed = (int((evaluation.truths[:, 3] & mask[:, 3]).sum()) for mask in (predicted, ~predicted))
    expect(blank.get_by_test_id("label-found-title")).to_contain_text(f"{found} found")
    expect(blank.get_by_test_id("label-missed-title")).to_contain_text(f"{missed} missed")
    expect(blank.get_by_test_id("label-missed").locator("[data-source]")).to_have_count(min(12, missed))
    slider.fill("0.1")
    alarms = np.flatnonzero((evaluation.probabilities[:, 3] >= 0.1) & ~evaluation.truths[:, 3])
    expect(blank.get_by_test_id("label-false-title")).to_contain_text(f"{len(alarms)} false alarms")
    expect(blank.get_by_test_id("label-false").locator("[data-source]")).to_have_count(min(12, len(alarms)))


def test_a_point_of_a_regression_shows_its_photograph(blank):
    service = FakeEvaluationService(task="regression")
    service.evaluation.whole_run()
    load_page(blank, built("evaluation.css"), kernel(HANDLERS, service))
    state = checked_state({"data": "caltech101"}, {}, service.evaluation.status())
    blank.evaluate("([code, state]) => globalThis.open(code, state)", [built("evaluation.js"), state])
    evaluation: Any = service.evaluation.results(1).evaluation
    errors = np.abs(evaluation.predictions - evaluation.truths)[:, 0]
    first = blank.get_by_test_id("largest-errors").locator("[data-source]").first
    expect(first).to_have_attribute("data-source", str(int(errors.argmax())))
    wait_until_quiet(blank)
    box = blank.get_by_test_id("scatter").locator("svg").bounding_box()
    assert box
    values = np.concatenate([evaluation.truths[:, 0], evaluation.predictions[:, 0]])
    margin = 0.04 * (values.max() - values.min())
    low, high = values.min() - margin, values.max() + margin
    row = int(errors.argmax())  # far from the other points
    x, y = ((value - low) / (high - low) for value in (evaluation.truths[row, 0], evaluation.predictions[row, 0]))
    scale = box["width"] / 420
    blank.mouse.click(box["x"] + scale * (54 + 354 * x), box["y"] + scale * (372 - 362 * y))
    expect(blank.get_by_test_id("point-photograph").locator("[data-painted=true]")).to_have_attribute("data-source", str(row))
    expect(blank.get_by_test_id("point-title")).to_contain_text("predicted")


def test_the_matrix_has_the_colours_of_a_theme_that_changed_while_it_was_hidden(api, open_page):
    api.whole_run()
    page = open_page(show="confusion")
    page.wait_for_function("() => painted.some((event) => event.kind === 'matrix')")
    page.get_by_test_id("show-classes").click()
    set_theme(page, "dark")
    page.evaluate("painted.length = 0")
    page.get_by_test_id("show-confusion").click()
    page.wait_for_function("() => painted.some((event) => event.kind === 'matrix')")
    # An empty cell of the last column and row: the corner of the matrix.
    corner = """() => {
      const canvas = document.querySelector('[data-testid=confusion]');
      return [...canvas.getContext('2d').getImageData(canvas.width - 4, canvas.height - 4, 1, 1).data].slice(0, 3);
    }"""
    wait_until(page, lambda: max(page.evaluate(corner)) < 60, "the matrix is dark")


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_panel_is_accessible(api, open_page, theme):
    api.whole_run()
    api.whole_run()
    page = open_page(cell=[0, 1])
    set_theme(page, theme)
    for show in ("summary", "confusion", "classes", "mistakes", "changes", "names"):
        page.get_by_test_id(f"show-{show}").click()
        expect(page.get_by_test_id(f"show-{show}")).to_have_attribute("aria-selected", "true")
        wait_until_quiet(page)
        assert violations(page) == [], show
        assert small_text(page) == {}, show
    page.get_by_test_id("name-seagull").click()
    expect(page.get_by_test_id("name-search")).to_be_focused()
    assert violations(page) == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [1060, 640])
def test_nothing_is_wider_than_a_narrow_panel(api, open_page, width):
    api.whole_run()
    api.whole_run()
    page = open_page(width=width)
    wider = """(width) => [...document.querySelectorAll('.dwe *')]
      .filter((element) => element.checkVisibility() && !element.closest('.dwe-nav, .dwc-strip, .dwx-screen-reader, svg'))
      .filter((element) => element.getBoundingClientRect().right > width + 9).map((element) => element.className)"""
    for show in ("summary", "confusion", "classes", "mistakes", "changes", "names"):
        page.get_by_test_id(f"show-{show}").click()
        expect(page.get_by_test_id(f"show-{show}")).to_have_attribute("aria-selected", "true")
        wait_until_quiet(page)
        assert page.evaluate(wider, width) == [], show
