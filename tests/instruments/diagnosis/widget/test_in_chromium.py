"""The DiagnosisPanel in Chromium, without JupyterLab: the panel's handlers answer, with a fake service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from deconvwidgets.errors import ModelError
from deconvwidgets.instruments.diagnosis.widget.messages import HANDLERS
from deconvwidgets.instruments.diagnosis.widget.state import checked_state
from tests.instruments.diagnosis.widget.fake_api import BLUR, FakeDiagnosisService, diagnosis_with_sweep
from tests.instruments.diagnosis.widget.fake_deep import DEEP, deepen
from tests.widgets.accessibility import set_theme, small_text, violations
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page
from tests.widgets.waiting import expect_value, wait_until_quiet

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


@pytest.fixture
def service() -> FakeDiagnosisService:
    return FakeDiagnosisService()


@pytest.fixture
def open_page(blank: Page, service: FakeDiagnosisService) -> Callable[..., Page]:
    """Return a function that opens a page with one view of a panel."""

    def open_(width: int = 1600, height: int = 940, **state: Any) -> Page:
        blank.set_viewport_size({"width": width + 60, "height": height + 60})
        load_page(blank, built("diagnosis.css"), kernel(HANDLERS, service))
        status = service.diagnosis.status()
        diagnosis = service.diagnosis.diagnosis() if status.phase == "done" else None
        checked = checked_state(state, {}, status, service.overview(), diagnosis)
        blank.evaluate("([state, height]) => { globalThis.model = makeModel(state, height); }", [checked, height])
        blank.evaluate("([code, width]) => globalThis.open(code, null, width)", [built("diagnosis.js"), width])
        expect(blank.locator("[data-testid=diagnosis-panel][data-ready=true]").first).to_be_visible()
        return blank

    return open_


def changed(page: Page) -> None:
    """Send the event that something was computed, as the kernel does."""
    page.evaluate("model.trigger('msg:custom', {event: 'diagnosis', message: ''}, [])")


def drag(page: Page, right: float, down: float = 0) -> None:
    """Drag the photograph by some pixels of the page."""
    box = page.get_by_test_id("stage").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right / 2, y + down / 2)
    page.mouse.move(x + right, y + down)
    page.mouse.up()


def test_findings_open_and_show_their_units(service, open_page):
    page = open_page()
    expect(page.get_by_test_id("findings-count")).to_have_text("5 checks: 1 found, 2 near the limit, 1 clear, 1 cannot be checked")
    expect(page.get_by_test_id("finding-aliasing")).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_test_id("units-aliasing").locator("button")).to_have_count(8)
    expect(page.get_by_test_id("evidence-unit")).to_have_text("conv1 / 23")  # the worst of the finding
    expect(page.get_by_test_id("evidence-text")).to_contain_text("100% aliased")
    page.get_by_test_id("finding-near_copies").click()
    expect(page.get_by_test_id("finding-aliasing")).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_test_id("evidence-unit")).to_have_text("conv2 / 1")
    expect(page.get_by_test_id("evidence-text")).to_have_text("like unit 2, correlation 0.97")
    page.get_by_test_id("units-near_copies").get_by_role("button").nth(1).click()
    expect(page.get_by_test_id("evidence-unit")).to_have_text("conv2 / 2")
    page.wait_for_function("model.values.state.unit?.[1] === 2")
    assert page.evaluate("model.values.state.finding") == "near_copies"


def test_the_finding_of_the_input_lists_batch_norms_and_ways(service, open_page):
    service.diagnosis.result = diagnosis_with_sweep()
    page = open_page(finding="input")
    expect(page.get_by_test_id("finding-input")).to_contain_text("BGR: 84% against 61%")
    norms = page.get_by_role("table", name="The 8 of 10 batch norms that diverge most from training (40 photographs), the worst first")
    expect(norms.get_by_role("row")).to_have_count(9)
    expect(norms.get_by_role("row").nth(1)).to_have_text("features.9.norm100.1")
    ways = page.get_by_role("table", name="Ways to prepare 38 labelled photographs, the best first")
    expect(ways.get_by_role("columnheader")).to_have_text(["Way", "Top-1", "Comparison"])  # no top-5: there are few classes
    expect(ways.get_by_role("rowheader")).to_have_text(["channels reversed (BGR for RGB)", "as given", "0 to 1"])
    expect(ways.locator("tr[aria-current=true]")).to_have_text("as given61.0%in use")
    expect(ways.get_by_role("row").nth(1)).to_have_text("channels reversed (BGR for RGB)84.0%better")
    column = page.get_by_test_id("findings").bounding_box()
    for table in (norms, ways):
        box = table.bounding_box()
        assert box["x"] + box["width"] <= column["x"] + column["width"] + 1
    for theme in ("light", "dark"):
        set_theme(page, theme)
        assert violations(page) == []
    assert small_text(page) == {}


def test_a_finding_without_data_of_the_input_has_no_tables(open_page):
    page = open_page(finding="input")
    expect(page.get_by_test_id("finding-input")).to_have_attribute("aria-expanded", "true")
    expect(page.locator("table.dwn-input")).to_have_count(0)


def test_filters_are_sorted_and_chosen_by_keys(open_page):
    page = open_page()
    bands = page.locator(".dwn-band")
    expect_value(page, lambda: [text[:22] for text in bands.all_inner_texts()[2:3]], ["Mostly high 15 filters"])
    page.get_by_test_id("sort-rms").click()
    expect(page.locator(".dwn-band")).to_have_count(0)
    first = page.locator(".dwn-filter").first
    expect(first).to_have_attribute("data-testid", "filter-23")
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("evidence-unit")).to_have_text("conv1 / 22")
    expect(page.locator(".dwn-filter[aria-pressed=true]")).to_have_attribute("data-testid", "filter-22")


def test_a_drag_moves_the_photograph_and_every_layer_is_computed_again(service, open_page):
    page = open_page()
    expect(page.get_by_test_id("probability")).to_have_text("80%")
    side = page.get_by_test_id("stage").bounding_box()["width"]
    drag(page, 5 * side / 224, 3 * side / 224)
    expect(page.get_by_test_id("place")).to_have_text("5 px right, 3 px down")
    expect(page.get_by_test_id("layer-conv1")).to_contain_text("−25%")
    expect(page.get_by_test_id("probability")).to_have_text("70% (−10 points)")
    page.wait_for_function("model.values.state.shift[0] === 5 && model.values.state.shift[1] === 3")
    last = "painted.findLast(({kind, ms}) => kind === 'shifted' && ms !== undefined)"
    expect_value(page, f"{last}?.right", 5)
    assert 0 < page.evaluate(f"{last}.ms") < 60_000  # benchmarks/ measures it; a busy machine is many times slower
    drag(page, 500)  # as far as the margin
    expect(page.get_by_test_id("place")).to_have_text("32 px right, 3 px down")
    page.get_by_test_id("stage").dblclick()
    expect(page.get_by_test_id("place")).to_have_text("")
    expect(page.get_by_test_id("layer-conv1")).to_contain_text("0%")


def test_of_the_shifts_of_a_drag_only_the_newest_waits(service, open_page):
    page = open_page()
    page.evaluate("model.blockedKind = 'shifted'")
    for _ in range(6):
        page.get_by_test_id("stage").press("ArrowRight")
    expect(page.get_by_test_id("layers").locator("xpath=..")).to_have_attribute("data-outdated", "true")
    service.diagnosis.calls.clear()
    page.evaluate("model.release()")
    expect(page.get_by_test_id("layers").locator("xpath=..")).to_have_attribute("data-outdated", "false")
    asked = [rest[0].right for kind, rest in service.diagnosis.calls if kind == "shifted"]
    assert len(asked) <= 2
    assert asked[-1] == page.evaluate("model.sent.findLast(({kind}) => kind === 'shifted').right")


def test_keys(service, open_page):
    page = open_page()
    page.get_by_test_id("finding-aliasing").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("finding-shift")).to_be_focused()
    expect(page.get_by_test_id("finding-shift")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("shift-value")).to_have_text("2 px")
    page.keyboard.press("]")
    expect(page.get_by_test_id("photograph")).to_have_text("photograph-1.jpg · kite")
    page.keyboard.press("t")
    expect(page.get_by_test_id("plan")).to_contain_text("blur pool")
    page.keyboard.press("u")
    expect(page.get_by_test_id("plan")).to_be_hidden()

    def changes() -> list[str]:
        return [kind for kind, _ in service.diagnosis.calls if kind.endswith("_arm")]

    expect_value(page, changes, ["add_arm", "remove_arm"])


def test_all_layers_of_a_deep_network_are_in_a_list_and_one_curve_is_emphasised(service, open_page):
    deepen(service)
    page = open_page(shift=[2, 0])
    rows = page.get_by_test_id("layers").get_by_role("row")
    expect(page.get_by_test_id("layer-choice").get_by_role("radio")).to_have_text(["5 of 52", "All 52"])
    expect(rows).to_have_count(5)
    expect(page.get_by_test_id("layer-fc52").locator("canvas").first).to_be_hidden()  # one value: the number says it
    expect(page.get_by_test_id("layer-fc52")).to_contain_text("+20%")
    page.get_by_test_id("layers-all").click()
    expect(rows).to_have_count(52)
    expect(rows.get_by_role("rowheader").locator("b")).to_have_text(list(DEEP))
    page.wait_for_function("model.values.state.layers === 'all'")
    curves = page.get_by_test_id("curves-0").locator(".dwn-curve[data-layer]")
    expect(curves).to_have_count(52)
    names = page.get_by_test_id("curves-0").locator("svg > text.dwn-strong")
    expect(names).to_have_text(["conv1", "conv50", "fc52"])
    emphasised = page.get_by_test_id("curves-0").locator(".dwn-curve-emphasised")
    expect(emphasised).to_have_count(0)
    page.get_by_test_id("layer-conv20").hover()
    expect(emphasised).to_have_attribute("data-layer", "conv20")
    expect(names).to_have_text(["conv1", "conv20", "conv50", "fc52"])
    page.get_by_test_id("finding-aliasing").hover()
    expect(emphasised).to_have_count(0)
    page.get_by_test_id("layer-conv1").get_by_role("button").focus()  # the one tab stop of the list
    for key in ("ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    expect(page.get_by_test_id("layer-conv3").get_by_role("button")).to_be_focused()
    expect(emphasised).to_have_attribute("data-layer", "conv3")
    page.keyboard.press("ArrowRight")  # shifts the photograph, as everywhere else
    expect(page.get_by_test_id("shift-value")).to_have_text("3 px")
    page.keyboard.press("End")
    expect(page.get_by_test_id("layer-fc52").get_by_role("button")).to_be_focused()
    expect(page.get_by_test_id("layer-fc52")).to_be_in_viewport()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("evidence-unit")).to_have_text("conv50 / 52")
    page.wait_for_function("model.values.state.unit?.[0] === 'conv50'")
    page.get_by_test_id("finding-aliasing").focus()
    expect(emphasised).to_have_attribute("data-layer", "conv50")  # the layer of the chosen unit


def test_the_curve_that_is_pointed_at_is_emphasised_with_its_row(service, open_page):
    deepen(service)
    page = open_page(layers="all")
    chart = page.get_by_test_id("curves-0").locator("svg")
    last = chart.locator("[data-layer=fc52]")
    chart.scroll_into_view_if_needed()
    box = last.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 1)  # the highest curve at the largest shift
    expect(chart.locator(".dwn-curve-emphasised")).to_have_attribute("data-layer", "fc52")
    expect(page.get_by_test_id("layer-fc52")).to_have_attribute("data-emphasised", "true")
    page.get_by_test_id("finding-aliasing").hover()
    expect(chart.locator(".dwn-curve-emphasised")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1600, 1180, 620])
def test_accessibility_of_a_list_of_many_layers(service, open_page, theme, width):
    deepen(service)
    page = open_page(width, layers="all")
    page.get_by_test_id("layer-conv7").get_by_role("button").click()
    expect(page.get_by_test_id("evidence-unit")).to_contain_text("conv7 /")
    set_theme(page, theme)
    expect(page.get_by_test_id("layers").get_by_role("row")).to_have_count(52)
    assert violations(page) == []
    assert small_text(page) == {}
    assert page.evaluate("document.querySelector('.dwx').scrollWidth <= document.querySelector('.dwx').clientWidth")
    page.get_by_test_id("layers-few").click()
    expect(page.get_by_test_id("layers").get_by_role("row")).to_have_count(5)


def test_a_small_network_has_no_choice_of_layers(open_page):
    page = open_page()
    expect(page.get_by_test_id("layers").get_by_role("row")).to_have_count(3)
    expect(page.get_by_test_id("layer-choice")).to_have_count(1)
    expect(page.get_by_test_id("layer-choice")).to_be_hidden()


def test_a_surgery_makes_an_arm_whose_curves_appear(service, open_page):
    page = open_page()
    page.get_by_test_id("try-blur pool").first.click()
    expect(page.get_by_test_id("arm-1")).to_have_attribute("aria-checked", "true")
    expect(page.get_by_test_id("curves-1")).to_contain_text("Waiting…")
    expect(page.get_by_test_id("plan")).to_contain_text("all weights kept · nothing trained")
    service.diagnosis.complete()
    changed(page)
    expect(page.get_by_test_id("curves-1")).to_contain_text("1 px 1.1% · top-1 88.0% · aliased 1.6%")
    expect(page.get_by_test_id("accuracy-note")).to_contain_text("−5.5 points without training")
    expect(page.get_by_test_id("after-aliasing")).to_contain_text("blur pool: 31% before, 1.6% after, in the map of conv1.")
    expect(page.get_by_test_id("aliasing-note")).to_contain_text("Not included: what later strides alias")
    page.get_by_test_id("arm-0").click()
    expect(page.get_by_test_id("plan")).to_be_hidden()
    page.get_by_test_id("try-blur pool").first.click()  # on the network as it is: the same arm in a real service
    expect(page.get_by_test_id("arm-2")).to_be_visible()


def test_the_curves_and_the_slider_end_at_16_pixels_and_multiples_of_the_stride_are_marked(open_page):
    page = open_page(shift=[9, 0])
    chart = page.get_by_test_id("curves-0")
    lines = chart.locator(".dwn-stride")
    expect(lines).to_have_count(2)
    assert lines.locator("title").all_text_contents() == ["Multiples of the stride of conv2, 8 px"] * 2  # the deepest layer has no grid
    expect(chart.locator(".dwn-stride-name")).to_contain_text("stride 8 px")
    ticks = chart.locator("svg > text[text-anchor=middle]").evaluate_all(
        "texts => texts.map(one => [one.textContent, one.getAttribute('x')])"
    )
    places = {text: float(x) for text, x in ticks if text.isdigit()}
    assert list(places) == ["0", "4", "8", "12", "16"]
    assert [float(lines.nth(place).get_attribute("x1")) for place in (0, 1)] == [places["8"], places["16"]]
    assert places["8"] < float(chart.locator(".dwn-cursor").get_attribute("x1")) < places["12"]  # 9 px is between two measured shifts
    expect(page.get_by_test_id("charts").locator("xpath=..")).to_contain_text("Vertical dotted lines: multiples of the stride")
    page.get_by_test_id("shift").press("End")
    expect(page.get_by_test_id("shift-value")).to_have_text("16 px")


def test_a_surgery_that_fails_is_told_and_the_next_one_works(service, open_page):
    page = open_page()
    service.diagnosis.error = ModelError("fakenet has residual additions.")
    page.get_by_test_id("try-blur pool").first.click()
    expect(page.get_by_test_id("alert")).to_have_text("fakenet has residual additions.")
    service.diagnosis.error = None
    page.get_by_test_id("try-blur pool").first.click()
    expect(page.get_by_test_id("alert")).to_be_hidden()
    expect(page.get_by_test_id("arm-1")).to_be_visible()


def test_the_keyboard_reaches_the_panel_after_a_button_is_disabled_or_gone(open_page):
    page = open_page()
    page.get_by_test_id("try-blur pool").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("plan")).to_contain_text("blur pool")
    page.keyboard.press("u")
    expect(page.get_by_test_id("plan")).to_be_hidden()
    page.keyboard.press("t")
    expect(page.get_by_test_id("plan")).to_be_visible()
    page.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("plan")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("shift-value")).to_have_text("1 px")


def test_a_photograph_that_cannot_be_read_is_told_and_passed(open_page):
    page = open_page(image="crop:6")
    page.get_by_role("button", name="Next photograph").click()
    expect(page.get_by_test_id("stage-note")).to_contain_text("photograph-7.jpg can no longer be read")
    page.get_by_role("button", name="Next photograph").click()
    expect(page.get_by_test_id("photograph")).to_have_text("photograph-8.jpg · kite")
    page.get_by_test_id("finding-aliasing").focus()
    for key in "[[]":  # faster than the kernel answers
        page.keyboard.press(key)
    expect(page.get_by_test_id("stage-note")).to_contain_text("photograph-7.jpg can no longer be read")
    page.keyboard.press("[")
    expect(page.get_by_test_id("photograph")).to_have_text("photograph-6.jpg · kite")


def test_the_diagnosis_is_started_watched_and_stopped(service, open_page):
    service.diagnosis.phase = "none"
    page = open_page()
    expect(page.get_by_test_id("phase")).to_have_text("Diagnosing: 10 of 40 photographs · 12.0 images/s · 3 s left")
    expect(page.get_by_test_id("findings").locator("button")).to_have_count(0)
    page.get_by_test_id("run").click()
    expect(page.get_by_test_id("phase")).to_have_text("The diagnosis was stopped.")
    page.get_by_test_id("run").click()
    expect(page.get_by_test_id("run")).to_have_text("Stop")
    service.diagnosis.complete()
    changed(page)
    expect(page.get_by_test_id("finding-aliasing")).to_be_visible()
    expect(page.get_by_test_id("phase")).to_be_hidden()
    service.diagnosis.current = False
    changed(page)
    expect(page.get_by_test_id("phase")).to_have_text("The model has changed since it was diagnosed.")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1600, 1180, 620])
def test_accessibility(service, open_page, theme, width):
    service.diagnosis.add_arm(BLUR)
    service.diagnosis.complete()
    page = open_page(width, arm=1)
    set_theme(page, theme)
    page.get_by_test_id("ablation").click()
    expect(page.get_by_test_id("ablation")).to_have_attribute("aria-expanded", "true")
    wait_until_quiet(page)
    assert violations(page) == []
    assert small_text(page) == {}
    assert page.evaluate("document.querySelector('.dwx').scrollWidth <= document.querySelector('.dwx').clientWidth")


def test_the_code_of_an_ablation_study_is_shown_and_copied(service, open_page):
    page = open_page()
    expect(page.get_by_test_id("ablation")).to_be_hidden()
    page.get_by_test_id("try-blur pool").first.click()
    page.get_by_test_id("ablation").click()
    expect(page.get_by_test_id("ablation")).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_test_id("ablation-code")).to_contain_text("study = dw.run_ablation(...)")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_test_id("status")).to_contain_text("study = dw.run_ablation(...)")  # without a clipboard the code is shown
    page.get_by_test_id("ablation").click()
    expect(page.get_by_test_id("ablation-code")).to_be_hidden()


def test_an_upload_is_shown_and_can_be_left_and_found_again(service, open_page):
    page = open_page()
    service.diagnosis.calls.clear()
    data = service.diagnosis.photograph("crop:1").picture.data
    page.get_by_test_id("upload-file").set_input_files({"name": "mine.png", "mimeType": "image/png", "buffer": data})
    expect(page.get_by_test_id("photograph")).to_have_text("mine.png")
    expect(page.get_by_text("Uploaded mine.png.")).to_be_visible()
    page.wait_for_function("model.values.state.image.startsWith('upload:')")
    page.get_by_role("button", name="Next photograph").click()
    expect(page.get_by_test_id("photograph")).to_have_text("photograph-1.jpg · kite")
    page.get_by_test_id("upload-file").set_input_files({"name": "text.txt", "mimeType": "text/plain", "buffer": b"text"})
    expect(page.get_by_test_id("upload-words")).to_contain_text("text.txt")
    expect(page.get_by_test_id("photograph")).to_have_text("photograph-1.jpg · kite")
