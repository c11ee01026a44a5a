"""The results of a TransferPanel in Chromium, without JupyterLab: a fake with random test photographs answers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.instruments.transfer.widget.fake_results import FakeResults, FakeRun
from tests.widgets.chromium import blank, browser, built, encode_reply, load_page, most_in_flight, shared_page
from tests.widgets.waiting import expect_state, let_run, wait_until, wait_until_quiet

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser

# Shows the results only, over the whole width.
STYLE = """.dwt .dwt-main { display: block; overflow: auto } .dwt .dwt-main > section { overflow: visible }
.dwt .dwt-setup, .dwt .dwt-live { display: none }"""
SAVE_DELAY = 300  # ms
LAST_MATRIX = "globalThis.matrixPainted = () => painted.findLast((event) => event.kind === 'matrix')"
STATE = {
    "data": "caltech101", "root": None, "layer": None, "images_per_class": 30, "folds": 5, "weight_decay": None, "views": "one", "seed": 0,
    "curve": False, "run": None, "compare": None, "tab": "training", "show": "summary", "cell": None, "sort": "worst", "order": "name",
}  # fmt: skip


def open_results(page: Page, fake: FakeResults, width: int = 1180, theme: str = "light", **state: Any) -> Page:
    """Open a page with the results of a panel."""

    def kernel(message: dict[str, Any]) -> str:
        header = {"seq": message.pop("seq"), "client": message.pop("client")}
        message.pop("background", None)
        try:
            content, buffers = fake.answer(message.pop("kind"), message)
        except ValueError as error:
            return encode_reply({**header, "ok": False, "error": str(error)}, [])
        return encode_reply({**header, "ok": True, **content}, buffers)

    page.set_viewport_size({"width": 1240, "height": 1100})
    background = "#16181b" if theme == "dark" else "#fff"
    styles = f"body{{background:{background}}}{built('transfer.css')}{STYLE}"
    load_page(page, styles, kernel, root=f"theme={theme}")
    arguments = [built("transfer.js"), {**STATE, **state}, width]
    page.evaluate(
        f"([code, state, width]) => {{ globalThis.painted = []; {LAST_MATRIX}; return open(code, state, width, 1060); }}", arguments
    )
    expect(page.locator("[data-testid=transfer-panel][data-ready=true]")).to_be_visible()
    return page


def send_status(page: Page, fake: FakeResults, times: int = 1, **changes: Any) -> None:
    """Send events of a changed status."""
    fake.next_status = fake.status(**changes)
    for _ in range(times):
        page.evaluate("model.trigger('msg:custom', {event: 'transfer'}, [])")


def change_state(page: Page, **changes: Any) -> None:
    """Change the state, as Python does."""
    page.evaluate("(changes) => model.set('state', {...model.values.state, ...changes})", changes)
    page.evaluate("model.trigger('change:state')")


# Returns the elements that extend beyond the column, except in scrollable lists and texts for screen readers.
OVERFLOWING = """(width) => [...document.querySelectorAll('.dwt-results *')]
  .filter((element) => element.checkVisibility() && !element.closest('.dwc-class-strip, .dwx-screen-reader'))
  .filter((element) => element.getBoundingClientRect().right > width + 9).map((element) => element.className)"""
NAMES_12 = tuple(f"class {number}" for number in range(12))


def most_confused_pair(run: FakeRun) -> tuple[int, int]:
    """Return the cell off the diagonal with the largest share of its row."""
    _, tests, confusion = run.counts()
    shares = confusion / np.maximum(tests, 1)[:, None]
    np.fill_diagonal(shares, 0)
    truth, prediction = np.unravel_index(int(shares.argmax()), shares.shape)
    return int(truth), int(prediction)


def cell_position(page: Page, run: FakeRun, truth: int, prediction: int) -> tuple[float, float]:
    """Return the position of a cell on the page, if the whole matrix is shown in the order of names."""
    box = page.get_by_test_id("confusion").bounding_box()
    assert box
    size = page.evaluate("matrixPainted().size")
    side = size * len(run.categories)
    left, top = box["x"] + box["width"] - side, box["y"] + box["height"] - side
    return left + (prediction + 0.5) * size, top + (truth + 0.5) * size


def wait_until_matrix_painted(page: Page) -> None:
    page.wait_for_function("() => painted.some((event) => event.kind === 'matrix')")


SIMILAR_NAMES = tuple(f"{kind} (imagenet_{number:02}_{number * 37})" for kind in ("jeep", "sports car") for number in range(10, 16))
# Returns for each name: its text, whether the beginning is cut, and whether the end is cut.
READ_NAMES = """(selector) => [...document.querySelectorAll(selector)].map((name) => {
  const [start, end] = [name.firstElementChild, name.lastElementChild];
  const edge = name.parentElement.closest('button, li, .dwc-class-head').getBoundingClientRect().right + 0.5;
  const endIsCut = end.scrollWidth > end.clientWidth || end.getBoundingClientRect().right > edge;
  return [name.textContent, start.scrollWidth > start.clientWidth, endIsCut];
})"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [1153, 760])
@pytest.mark.parametrize(
    ("show", "names"),
    [("summary", ".dwc-pair .dwc-name"), ("mistakes", ".dwc-mistakes .dwc-name"), ("classes", ".dwc-class-strip .dwc-name")],
)
def test_long_names_are_cut_in_the_middle(blank, show, names, width):
    page = open_results(blank, FakeResults(FakeRun(1, SIMILAR_NAMES)), width=width, show=show)
    page.locator(names).first.wait_for()
    found = page.evaluate(READ_NAMES, names)
    assert any(start for _, start, _ in found), "some names are cut"
    assert [text for text, _, end in found if end] == []
    assert {text.removeprefix("→ ") for text, *_ in found} <= set(SIMILAR_NAMES), "the text contains the whole name"


def test_no_class_is_listed_as_best_and_as_worst(blank):
    run = FakeRun(1, NAMES_12)
    run.tests[:, 3] = run.tests[:, 2]
    for truth in (3, 7):  # all other classes have no errors
        run.tests[(run.tests[:, 2] == truth).argmax(), 3] = 0
    page = open_results(blank, FakeResults(run))
    lists = {kind: page.locator(f"[data-testid=summary-{kind}] .dwc-name") for kind in ("worst", "best")}
    expect(lists["best"]).to_have_text([f"class {number}" for number in (0, 1, 2, 4, 5)])
    assert set(lists["worst"].all_text_contents()) == {"class 3", "class 7"}


def test_click_on_a_pair_shows_its_photographs(blank):
    run = FakeRun(1, NAMES_12)
    truth, prediction = most_confused_pair(run)
    page = open_results(blank, FakeResults(run))
    expect(page.get_by_test_id("headline")).to_have_text(f"{100 * np.mean(run.per_fold()):.1f} ± {100 * np.std(run.per_fold()):.1f}%")
    expect(page.get_by_test_id("folds-done")).to_contain_text("5 folds")
    expect(page.get_by_test_id("row-paper").first).to_contain_text("86.5 ± 0.5%")
    expect(page.locator("[data-testid^=fold-dot-run]")).to_have_count(5)
    page.get_by_test_id(f"summary-pairs-{truth}-{prediction}").click()
    expect(page.get_by_test_id("cell-title")).to_have_text(f"class {truth} → class {prediction}")
    _, tests, confusion = run.counts()
    expect(page.get_by_test_id("cell-numbers")).to_contain_text(f"{confusion[truth, prediction]} of {tests[truth]} tests")
    page.wait_for_function("() => document.querySelectorAll('[data-testid=cell-photographs] [data-painted=true]').length > 0")
    sources = page.locator("[data-testid=cell-photographs] [data-source]").evaluate_all(
        "(elements) => elements.map((element) => Number(element.dataset.source))"
    )
    rows = run.tests[(run.tests[:, 2] == truth) & (run.tests[:, 3] == prediction)]
    assert set(sources) <= {int(source) for source in rows[:, 0]}
    assert len(sources) == len(set(sources)), "each photograph is shown once, for all folds"
    expect_state(page, show="confusion")


def test_pointer_on_the_matrix(blank):
    run = FakeRun(1, NAMES_12)
    page = open_results(blank, FakeResults(run), show="confusion")
    wait_until_matrix_painted(page)
    truth, prediction = most_confused_pair(run)
    x, y = cell_position(page, run, truth, prediction)
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    _, tests, confusion = run.counts()
    count, total = confusion[truth, prediction], tests[truth]
    text = f"class {truth} → class {prediction}: {count} of {total} ({100 * count / total:.0f}%)"
    expect(page.get_by_test_id("confusion-tip")).to_have_text(text)
    page.mouse.click(x, y)
    expect_state(page, cell=[truth, prediction])
    before = page.evaluate("matrixPainted().size")
    page.mouse.wheel(0, -400)
    page.wait_for_function(f"() => matrixPainted().size > {before}")
    expect(page.get_by_test_id("confusion-tip")).to_have_text(text)  # the cell stays under the pointer
    let_run(page, SAVE_DELAY)
    saved = page.evaluate("model.saved")
    page.mouse.down()
    page.mouse.move(x - 80, y - 60, steps=4)
    page.mouse.up()
    let_run(page, SAVE_DELAY)
    assert page.evaluate("model.saved") == saved, "a drag is not a click"
    page.get_by_test_id("zoom-whole").click()
    page.wait_for_function(f"() => Math.abs(matrixPainted().size - {before}) < 1e-6")
    expect(page.get_by_test_id("zoom-out")).to_be_disabled()


def is_at_rest(page: Page) -> bool:
    """Return whether the page does not scroll any more: it goes on for a while after the wheel."""
    before = page.evaluate("scrollY")
    let_run(page, 100)
    return bool(page.evaluate("scrollY") == before)


@pytest.mark.slow
def test_scrolling_the_page_does_not_zoom_the_matrix(blank):
    page = open_results(blank, FakeResults(FakeRun(1, NAMES_12)), show="confusion")
    wait_until_matrix_painted(page)
    page.evaluate("document.body.style.paddingTop = '900px'; document.body.style.paddingBottom = '900px'")
    page.mouse.move(500, 500)
    for _ in range(20):
        page.mouse.wheel(0, 60)
        page.wait_for_timeout(10)
    wait_until(page, lambda: page.evaluate("scrollY") > 800 and is_at_rest(page), "the page scrolls with the matrix under the pointer")
    sizes, place = page.evaluate("[[...new Set(painted.map((event) => event.size))], scrollY]")
    for _ in range(5):
        page.mouse.wheel(0, -60)
    wait_until(page, lambda: page.evaluate("scrollY") <= place - 5 * 60, "the page scrolls back")
    let_run(page)
    assert page.evaluate("[...new Set(painted.map((event) => event.size))]") == sizes


def test_keys_on_the_matrix(blank):
    run = FakeRun(1, NAMES_12)
    page = open_results(blank, FakeResults(run), show="confusion")
    wait_until_matrix_painted(page)
    page.evaluate("globalThis.leaked = []; document.addEventListener('keydown', (event) => leaked.push(event.key))")
    page.get_by_test_id("confusion").focus()
    truth, prediction = most_confused_pair(run)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("confusion-told")).to_contain_text(f"class {truth} → class {prediction}:")
    page.keyboard.press("Home")
    expect(page.get_by_test_id("confusion-told")).to_contain_text(f"class {truth} → class 0:")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect_state(page, cell=[truth, 1])
    before = page.evaluate("matrixPainted().size")
    page.keyboard.press("+")
    page.wait_for_function(f"() => matrixPainted().size > {before}")
    page.keyboard.press("End")
    expect(page.get_by_test_id("confusion-told")).to_contain_text("→ class 11:")
    page.keyboard.press("0")
    page.wait_for_function(f"() => matrixPainted().size === {before}")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("show-confusion")).to_be_focused()
    page.get_by_test_id("confusion").focus()
    page.keyboard.press("z")
    assert page.evaluate("leaked") == [], "the notebook does not receive them"


def test_matrix_is_redrawn_for_another_order_and_theme(blank):
    run = FakeRun(1, NAMES_12)
    page = open_results(blank, FakeResults(run), show="confusion")
    wait_until_matrix_painted(page)
    corner = "(() => { const c = document.querySelector('[data-testid=confusion]'); const side = matrixPainted().size * devicePixelRatio;"
    corner += " return [...c.getContext('2d').getImageData(c.width - side / 2 + 15, c.height - side / 2 + 15, 1, 1).data]; })()"
    light = page.evaluate(corner)
    page.get_by_test_id("order-accuracy").click()
    expect_state(page, order="accuracy")
    page.wait_for_function(f"(before) => String({corner}) !== String(before)", arg=light)  # the best class is the last
    ordered = page.evaluate(corner)
    page.evaluate("document.documentElement.setAttribute('theme', 'dark')")
    page.wait_for_function(f"(before) => String({corner}) !== String(before)", arg=ordered)


@pytest.mark.slow
def test_classes_request_only_visible_rows_one_at_a_time(blank):
    names = [f"kind {number:03d}" for number in range(101)]
    fake = FakeResults(FakeRun(1, names, untested=[4]))
    page = open_results(blank, fake, show="classes")
    page.wait_for_function("() => document.querySelectorAll('.dwc-class [data-painted=true]').length > 40")
    wait_until_quiet(page)
    lists = [fields for kind, fields in fake.calls if kind == "photographs"]
    assert len(lists) < 30
    assert most_in_flight(page, "background") == 1
    expect(page.get_by_test_id("class-4")).to_contain_text("no tests")
    page.get_by_test_id("class-sort").select_option("best")
    expect_state(page, sort="best")
    expect(page.locator(".dwc-class").first).to_contain_text("100%")
    page.get_by_test_id("class-find").fill("kind 09")
    expect(page.get_by_test_id("class-count")).to_have_text("10 of 101")
    page.wait_for_function("() => document.querySelector('[data-testid=class-photographs-90] [data-painted=true]')")
    sources = [source for kind, fields in fake.calls if kind == "thumbnails" for source in fields["sources"]]
    assert len(sources) == len(set(sources)), "each photograph is requested once"
    assert all(len(fields["sources"]) <= 24 for kind, fields in fake.calls if kind == "thumbnails")
    page.locator("[data-testid=class-photographs-90] button").first.click()
    expect_state(page, show="confusion")
    page.wait_for_function("() => model.values.state.cell[0] === 90")


def test_mistakes_load_more_and_open_their_cell(blank):
    fake = FakeResults(FakeRun(1, NAMES_12, errors=0.4))
    page = open_results(blank, fake, show="mistakes")
    total = int((fake.runs[1].tests[:, 2] != fake.runs[1].tests[:, 3]).sum())
    expect(page.get_by_test_id("mistakes-words")).to_contain_text(
        f"{total:,} of {len(fake.runs[1].tests):,} tests were misclassified; the most confident first"
    )
    expect(page.get_by_test_id("mistakes-more")).to_be_visible()
    before = page.locator("[data-testid=mistakes] button.dwc-photograph").count()
    page.get_by_test_id("mistakes-more").click()
    page.wait_for_function(f"() => document.querySelectorAll('[data-testid=mistakes] button.dwc-photograph').length > {before}")
    first = page.locator("[data-testid=mistakes] button.dwc-photograph").first
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-testid=mistakes] button.dwc-photograph").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_function("() => model.values.state.cell")
    truth, prediction = page.evaluate("model.values.state.cell")
    expect(page.get_by_test_id("cell-title")).to_have_text(f"class {truth} → class {prediction}")


def test_run_without_confidences_that_was_stopped(blank):
    run = FakeRun(1, NAMES_12, done=1, phase="stopped", confidences=False, untested=[2], skipped=2)
    page = open_results(blank, FakeResults(run), show="mistakes")
    expect(page.get_by_test_id("headline")).to_have_text(f"{100 * run.per_fold()[0]:.1f}%")
    expect(page.get_by_test_id("folds-done")).to_contain_text("1 of 5 folds · stopped")
    expect(page.get_by_test_id("mistakes-words")).to_contain_text("gives no probabilities")
    expect(page.locator("[data-testid=mistakes] button").first).to_contain_text("fold 1")
    page.get_by_test_id("show-summary").click()
    expect(page.get_by_test_id("skipped")).to_contain_text("2 photographs could not be read")
    change_state(page, show="confusion", cell=[2, 2])
    expect(page.get_by_test_id("cell-numbers")).to_have_text("class 2 had no tests.")
    change_state(page, cell=[40, 2])
    expect(page.get_by_test_id("cell-title")).to_be_hidden()  # a cell of another run


def test_heads_are_used_undone_saved_and_loaded_and_results_are_downloaded(blank):
    fake = FakeResults(FakeRun(1, NAMES_12))
    page = open_results(blank, fake)
    expect(page.get_by_test_id("undo-head")).to_be_disabled()
    page.get_by_test_id("use-head").click()
    expect(page.get_by_test_id("head-words")).to_have_text(
        "alexnet now predicts Caltech-101's 12 classes (head of run 1); before: ImageNet."
    )
    expect(page.get_by_test_id("status")).to_have_text("alexnet now predicts Caltech-101's 12 classes (head of run 1); before: ImageNet.")
    send_status(page, fake)
    expect(page.get_by_test_id("use-head")).to_have_text("Head in use")
    expect(page.get_by_test_id("use-head")).to_be_disabled()
    page.get_by_test_id("undo-head").click()
    expect(page.get_by_test_id("head-words")).to_have_text(
        "alexnet now predicts ImageNet; before: Caltech-101's 12 classes (head of run 1)."
    )
    page.get_by_test_id("save-head").click()
    expect(page.get_by_test_id("head-path")).to_be_focused()
    page.keyboard.type("mine.safetensors")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("head-words")).to_have_text("Saved as mine.safetensors.")
    page.get_by_test_id("mute-units").click()
    page.keyboard.type("conv5 133, 254")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("head-words")).to_have_text("Run 2 leaves out conv5 133, 254 of run 1.")
    page.get_by_test_id("load-head").click()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("load-head")).to_be_focused()
    page.get_by_test_id("load-head").click()
    page.get_by_test_id("head-path").fill("caltech101")
    page.get_by_test_id("head-path-go").click()
    expect(page.get_by_test_id("head-words")).to_have_text("alexnet now predicts the classes of caltech101; before: ImageNet.")
    page.get_by_test_id("export-menu").click()
    expect(page.get_by_test_id("export-results.png")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("export-results.svg")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "transfer-run1-classes.csv"
    assert download.value.path().read_text() == "class,accuracy\n"
    send_status(page, fake)
    fake.errors["use_head"] = "The head is for another layer; train again."
    page.get_by_test_id("use-head").click()
    expect(page.get_by_test_id("head-failure")).to_have_text("The head is for another layer; train again.")
    expect(page.get_by_test_id("use-head")).to_be_enabled()


def test_results_are_requested_one_at_a_time(blank):
    runs = [FakeRun(1, NAMES_12, folds=90, done=done) for done in (1, 2, 3)]
    fake = FakeResults(runs[0])
    page = open_results(blank, fake)
    expect(page.get_by_test_id("results-tabs")).to_be_visible()
    fake.calls.clear()
    page.evaluate("model.sent.length = 0; model.blockedKind = 'run'")
    for run in runs[1:]:
        fake.runs[1] = run
        send_status(page, fake)
        page.wait_for_function("model.waiting.length > 0")
        let_run(page)
    assert page.evaluate("model.waiting.length") == 1, "the request for the second fold; a newer one would supersede it"
    fake.runs[1] = runs[1]
    page.evaluate("model.release()")
    page.wait_for_function("model.sent.filter(({kind}) => kind === 'run').length === 2")
    wait_until_quiet(page)
    assert [kind for kind, _ in fake.calls] == ["run", "run"], "the third fold is requested after the second"


def test_options_begin_with_the_differences_of_the_runs(blank):
    page = open_results(blank, FakeResults(FakeRun(1, NAMES_12, layer="pool4"), FakeRun(2, NAMES_12)))
    expect(page.get_by_test_id("results-run").locator("option").first).to_have_text(
        re.compile(r"^2 · pool5 · [\d.]+% · 30 per class · Caltech-101$")
    )
    page.get_by_test_id("save-head").click()
    page.get_by_test_id("head-path").fill("mine.safetensors")
    page.get_by_test_id("head-path").press("Enter")
    expect(page.get_by_test_id("head-words")).to_contain_text("Saved as mine.safetensors.")
    page.get_by_test_id("results-run").select_option("1")
    expect(page.get_by_test_id("head-words")).to_be_hidden()


def test_matrix_is_sorted_by_name(blank):
    page = open_results(blank, FakeResults(FakeRun(1, ("dog", "ant", "cat"))), show="confusion")
    wait_until_matrix_painted(page)
    page.get_by_test_id("confusion").focus()
    page.keyboard.press("Home")  # the first key selects the current cell
    page.keyboard.press("Home")
    expect(page.get_by_test_id("confusion-told")).to_contain_text("→ ant:")


def test_comparison_of_two_runs(blank):
    first, second = FakeRun(1, NAMES_12, errors=0.3, layer="pool4"), FakeRun(2, NAMES_12)
    page = open_results(blank, FakeResults(first, second))
    expect(page.get_by_test_id("results-run")).to_have_value("2")
    page.get_by_test_id("results-compare").select_option("1")
    points = 100 * (np.mean(second.per_fold()) - np.mean(first.per_fold()))
    expect(page.get_by_test_id("compare-difference")).to_have_text(f"{'+' if points > 0 else '−'}{abs(points):.1f} points")
    gain = second.counts()[0] - first.counts()[0]
    expect(page.get_by_test_id("compare-gained").locator("li").first).to_contain_text(f"class {int(gain.argmax())}")
    expect(page.get_by_test_id("compare-lost").locator("li").first).to_contain_text(
        f"class {int(gain.argmin())}" if gain.min() < 0 else "none"
    )
    expect(page.locator(".dwt-differs").first).to_contain_text("pool5")
    expect(page.get_by_test_id("row-other")).to_contain_text("run 1")
    page.get_by_test_id("results-compare").select_option("")
    expect(page.get_by_test_id("compare")).to_be_hidden()


def test_results_are_requested_again_after_each_fold(blank):
    run = FakeRun(1, NAMES_12, folds=3, done=0)
    fake = FakeResults(run)
    page = open_results(blank, fake)
    expect(page.get_by_test_id("results-empty")).to_contain_text("with its first fold")
    assert fake.calls == []
    for done in (1, 2, 3):
        fake.runs[1] = FakeRun(1, NAMES_12, folds=3, done=done)
        send_status(page, fake, times=3)
        expect(page.get_by_test_id("folds-done")).to_contain_text("3 folds" if done == 3 else f"{done} of 3 folds")
        fetched = "(count) => model.sent.filter(({kind}) => kind === 'run').length === count && !model.inFlight"
        page.wait_for_function(fetched, arg=done)
        expect(page.get_by_test_id("summary-worst").locator("li").first).to_be_visible()
    assert [kind for kind, _ in fake.calls] == ["run"] * 3
    fake.errors["run"] = "The run 1 is no longer kept: start it again."
    send_status(page, fake, runs=[{**run.summary(), "run": 9, "per_fold": [0.5]}])
    expect(page.get_by_test_id("results-failure")).to_have_text("The run 1 is no longer kept: start it again.")


@pytest.mark.parametrize("count", [101, 257])
def test_time_to_draw_large_matrices(blank, count):
    names = [f"{number:03d}.a-class-with-a-name" for number in range(count)]
    page = open_results(blank, FakeResults(FakeRun(1, names)), show="confusion")
    wait_until_matrix_painted(page)
    box = page.get_by_test_id("confusion").bounding_box()
    page.mouse.move(box["x"] + 400, box["y"] + 390)
    page.mouse.move(box["x"] + 402, box["y"] + 392)
    page.mouse.wheel(0, -300)
    page.mouse.down()
    page.evaluate("painted.length = 0")
    for step in range(10):
        page.mouse.move(box["x"] + 402 - 15 * step, box["y"] + 392 - 9 * step)
        let_run(page)
    page.mouse.up()
    times = page.evaluate("painted.map((event) => event.ms)")
    assert len(times) > 5
    assert min(times) < 10, times  # the other times contain those of other processes on a busy machine


def test_photographs_below_the_matrix_are_scrolled_into_view(blank):
    run = FakeRun(1, NAMES_12)
    page = open_results(blank, FakeResults(run), width=558)
    page.evaluate("Object.assign(document.querySelector('.dwx').style, {height: '560px', overflow: 'hidden auto'})")
    truth, prediction = most_confused_pair(run)
    page.get_by_test_id(f"summary-pairs-{truth}-{prediction}").click()
    page.wait_for_function("() => document.querySelector('[data-testid=cell-photographs] [data-painted=true]')")
    expect(page.locator("[data-testid=cell-photographs] [data-source]").first).to_be_in_viewport()
    page.wait_for_function(
        "() => document.querySelector('[data-testid=cell-photographs] [data-source]').getBoundingClientRect().bottom"
        " <= document.querySelector('.dwx').getBoundingClientRect().bottom + 1"
    )
    matrix, frame = page.get_by_test_id("confusion").bounding_box(), page.locator(".dwx").bounding_box()
    assert matrix["y"] + matrix["height"] > frame["y"] + 200, "the matrix is still visible"


@pytest.mark.parametrize("width", [1180, 680, 460])
def test_no_element_overflows_its_column(blank, width):
    names = ["a class with a name that is too long for every column", *NAMES_12]
    page = open_results(blank, FakeResults(FakeRun(1, names), FakeRun(2, names)), width=width, compare=1)
    for show in ("summary", "confusion", "classes", "mistakes"):
        page.get_by_test_id(f"show-{show}").click()
        expect(page.get_by_test_id(f"show-{show}")).to_have_attribute("aria-selected", "true")
        wait_until_quiet(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= max(1240, width + 16)
        assert page.evaluate(OVERFLOWING, width) == [], show
