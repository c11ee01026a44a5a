"""The results area of a TransferPanel in a real Chromium, on a page of its own: the kernel is a list of made-up test photographs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.instruments.transfer.widget.fake_results import FakeResults, FakeRun
from tests.widgets.chromium import MODEL, blank, browser, built, encode_reply

__all__ = ["blank", "browser"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser

# The results alone, over the whole width.
STYLE = """.dwt .dwt-main { display: block; overflow: auto } .dwt .dwt-main > section { overflow: visible }
.dwt .dwt-setup, .dwt .dwt-live { display: none }"""
LAST_MATRIX = "globalThis.matrixPainted = () => painted.findLast((one) => one.kind === 'matrix')"
STATE = {
    "data": "caltech101", "root": None, "layer": None, "images_per_class": 30, "folds": 5, "weight_decay": None, "views": "one", "seed": 0,
    "curve": False, "run": None, "compare": None, "tab": "training", "show": "summary", "cell": None, "sort": "worst", "order": "name",
}  # fmt: skip


def open_results(page: Page, fake: FakeResults, width: int = 1180, theme: str = "light", **state: Any) -> Page:
    """A page with the results of a panel."""

    def kernel(message: dict[str, Any]) -> str:
        echo = {"seq": message.pop("seq"), "client": message.pop("client")}
        message.pop("background", None)
        try:
            content, buffers = fake.answer(message.pop("kind"), message)
        except ValueError as error:
            return encode_reply({**echo, "ok": False, "error": str(error)}, [])
        return encode_reply({**echo, "ok": True, **content}, buffers)

    page.set_viewport_size({"width": 1240, "height": 1100})
    page.expose_function("kernel", kernel)
    background = "#16181b" if theme == "dark" else "#fff"
    styles = f"body{{background:{background}}}{built('transfer.css')}{STYLE}"
    page.set_content(f"<!doctype html><html theme={theme}><meta charset=utf-8><style>{styles}</style>")
    page.evaluate(MODEL + "null;")  # Playwright calls a function that an expression comes to
    arguments = [built("transfer.js"), {**STATE, **state}, width]
    page.evaluate(
        f"([code, state, width]) => {{ globalThis.painted = []; {LAST_MATRIX}; return open(code, state, width, 1060); }}", arguments
    )
    expect(page.locator("[data-testid=transfer-panel][data-ready=true]")).to_be_visible()
    return page


def tell_status(page: Page, fake: FakeResults, times: int = 1, **changes: Any) -> None:
    """The kernel tells the panel that its status changed."""
    fake.told = fake.status(**changes)
    for _ in range(times):
        page.evaluate("model.trigger('msg:custom', {event: 'transfer'}, [])")


def change_state(page: Page, **changes: Any) -> None:
    """Python changes the open panel."""
    page.evaluate("(changes) => model.set('state', {...model.values.state, ...changes})", changes)
    page.evaluate("model.trigger('change:state')")


def state_is(page: Page, **expected: Any) -> None:
    same = "JSON.stringify(model.values.state[key]) === JSON.stringify(value)"
    page.wait_for_function(f"(expected) => Object.entries(expected).every(([key, value]) => {same})", arg=expected)


def settled(page: Page) -> None:
    """Every request is answered."""
    page.wait_for_function("() => model.inFlight === 0")


# What ends right of the column, but for what scrolls and what is only told.
STANDING_OUT = """(width) => [...document.querySelectorAll('.dwt-results *')]
  .filter((one) => one.checkVisibility() && !one.closest('.dwt-class-strip, .dwx-spoken'))
  .filter((one) => one.getBoundingClientRect().right > width + 9).map((one) => one.className)"""
NAMES_12 = tuple(f"class {at}" for at in range(12))


def worst_pair(run: FakeRun) -> tuple[int, int]:
    """The cell beside the diagonal that holds most of its row."""
    _, tests, confusion = run.counts()
    shares = confusion / np.maximum(tests, 1)[:, None]
    np.fill_diagonal(shares, 0)
    truth, prediction = np.unravel_index(int(shares.argmax()), shares.shape)
    return int(truth), int(prediction)


def middle_of(page: Page, run: FakeRun, truth: int, prediction: int) -> tuple[float, float]:
    """Where a cell is on the page while the whole matrix is shown, in the order of names."""
    box = page.get_by_test_id("confusion").bounding_box()
    assert box
    size = page.evaluate("matrixPainted().size")
    side = size * len(run.categories)
    left, top = box["x"] + box["width"] - side, box["y"] + box["height"] - side
    return left + (prediction + 0.5) * size, top + (truth + 0.5) * size


def matrix_painted(page: Page) -> None:
    page.wait_for_function("() => painted.some((one) => one.kind === 'matrix')")


ALIKE = tuple(f"{kind} (imagenet_{at:02}_{at * 37})" for kind in ("jeep", "sports car") for at in range(10, 16))
# Of the names in sight of a selector: the whole text, whether its beginning is cut, and whether its end is.
CUT_NAMES = """(selector) => [...document.querySelectorAll(selector)].map((one) => {
  const [start, end] = [one.firstElementChild, one.lastElementChild];
  const edge = one.parentElement.closest('button, li, .dwt-class-head').getBoundingClientRect().right + 0.5;
  const beyond = end.scrollWidth > end.clientWidth || end.getBoundingClientRect().right > edge;
  return [one.textContent, start.scrollWidth > start.clientWidth, beyond];
})"""


@pytest.mark.parametrize("width", [1153, 760])
@pytest.mark.parametrize(
    ("show", "names"),
    [("summary", ".dwt-pair .dwt-name"), ("mistakes", ".dwt-mistakes .dwt-name"), ("classes", ".dwt-class-strip .dwt-name")],
)
def test_names_that_differ_at_their_end_can_be_told_apart(blank, show, names, width):
    page = open_results(blank, FakeResults(FakeRun(1, ALIKE)), width=width, show=show)
    page.locator(names).first.wait_for()
    found = page.evaluate(CUT_NAMES, names)
    assert any(start for _, start, _ in found), "there is something to cut"
    assert [text for text, _, end in found if end] == []
    assert {text.removeprefix("→ ") for text, *_ in found} <= set(ALIKE), "the text is the whole name"


def test_a_class_is_among_the_best_or_the_worst(blank):
    run = FakeRun(1, NAMES_12)
    run.tests[:, 3] = run.tests[:, 2]
    for truth in (3, 7):  # all others are always told
        run.tests[(run.tests[:, 2] == truth).argmax(), 3] = 0
    page = open_results(blank, FakeResults(run))
    lists = {kind: page.locator(f"[data-testid=summary-{kind}] .dwt-name") for kind in ("worst", "best")}
    expect(lists["best"]).to_have_text([f"class {at}" for at in (0, 1, 2, 4, 5)])
    assert set(lists["worst"].all_text_contents()) == {"class 3", "class 7"}


def test_two_clicks_lead_from_a_number_to_the_photographs_behind_it(blank):
    run = FakeRun(1, NAMES_12)
    truth, prediction = worst_pair(run)
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
        "(all) => all.map((one) => Number(one.dataset.source))"
    )
    rows = run.tests[(run.tests[:, 2] == truth) & (run.tests[:, 3] == prediction)]
    assert set(sources) <= {int(source) for source in rows[:, 0]}
    assert len(sources) == len(set(sources)), "one photograph for each answer, whatever the folds"
    state_is(page, show="confusion")


def test_the_pointer_reads_zooms_drags_and_chooses(blank):
    run = FakeRun(1, NAMES_12)
    page = open_results(blank, FakeResults(run), show="confusion")
    matrix_painted(page)
    truth, prediction = worst_pair(run)
    x, y = middle_of(page, run, truth, prediction)
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    _, tests, confusion = run.counts()
    count, of = confusion[truth, prediction], tests[truth]
    words = f"class {truth} → class {prediction}: {count} of {of} ({100 * count / of:.0f}%)"
    expect(page.get_by_test_id("confusion-tip")).to_have_text(words)
    page.mouse.click(x, y)
    state_is(page, cell=[truth, prediction])
    before = page.evaluate("matrixPainted().size")
    page.mouse.wheel(0, -400)
    page.wait_for_function(f"() => matrixPainted().size > {before}")
    expect(page.get_by_test_id("confusion-tip")).to_have_text(words)  # it stays under the pointer
    page.wait_for_timeout(400)  # until the state is saved
    saved = page.evaluate("model.saved")
    page.mouse.down()
    page.mouse.move(x - 80, y - 60, steps=4)
    page.mouse.up()
    page.wait_for_timeout(400)
    assert page.evaluate("model.saved") == saved, "a drag is no click"
    page.get_by_test_id("zoom-whole").click()
    page.wait_for_function(f"() => Math.abs(matrixPainted().size - {before}) < 1e-6")
    expect(page.get_by_test_id("zoom-out")).to_be_disabled()


def test_a_page_that_scrolls_past_does_not_zoom(blank):
    page = open_results(blank, FakeResults(FakeRun(1, NAMES_12)), show="confusion")
    matrix_painted(page)
    page.evaluate("document.body.style.paddingTop = '900px'; document.body.style.paddingBottom = '900px'")
    page.mouse.move(500, 500)
    for _ in range(20):
        page.mouse.wheel(0, 60)
        page.wait_for_timeout(10)
    assert page.evaluate("scrollY") > 800, "also with the matrix under the pointer"
    sizes = page.evaluate("[...new Set(painted.map((one) => one.size))]")
    for _ in range(5):
        page.mouse.wheel(0, -60)
    page.wait_for_timeout(100)
    assert page.evaluate("[...new Set(painted.map((one) => one.size))]") == sizes


def test_keys_move_choose_zoom_and_leave_and_say_where_one_is(blank):
    run = FakeRun(1, NAMES_12)
    page = open_results(blank, FakeResults(run), show="confusion")
    matrix_painted(page)
    page.evaluate("globalThis.leaked = []; document.addEventListener('keydown', (event) => leaked.push(event.key))")
    page.get_by_test_id("confusion").focus()
    truth, prediction = worst_pair(run)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("confusion-told")).to_contain_text(f"class {truth} → class {prediction}:")
    page.keyboard.press("Home")
    expect(page.get_by_test_id("confusion-told")).to_contain_text(f"class {truth} → class 0:")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    state_is(page, cell=[truth, 1])
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
    assert page.evaluate("leaked") == [], "the notebook's own keys would change cells"


def test_the_matrix_follows_the_order_and_the_theme(blank):
    run = FakeRun(1, NAMES_12)
    page = open_results(blank, FakeResults(run), show="confusion")
    matrix_painted(page)
    corner = "(() => { const c = document.querySelector('[data-testid=confusion]'); const side = matrixPainted().size * devicePixelRatio;"
    corner += " return [...c.getContext('2d').getImageData(c.width - side / 2 + 15, c.height - side / 2 + 15, 1, 1).data]; })()"
    light = page.evaluate(corner)
    page.get_by_test_id("order-accuracy").click()
    state_is(page, order="accuracy")
    page.wait_for_function(f"(before) => String({corner}) !== String(before)", arg=light)  # the best class is last now
    ordered = page.evaluate(corner)
    page.evaluate("document.documentElement.setAttribute('theme', 'dark')")
    page.wait_for_function(f"(before) => String({corner}) !== String(before)", arg=ordered)


def test_classes_ask_for_the_rows_in_sight_alone_and_one_at_a_time(blank):
    names = [f"kind {at:03d}" for at in range(101)]
    fake = FakeResults(FakeRun(1, names, untested=[4]))
    page = open_results(blank, fake, show="classes")
    page.wait_for_function("() => document.querySelectorAll('.dwt-class [data-painted=true]').length > 40")
    page.wait_for_function("() => model.inFlight === 0")
    lists = [fields for kind, fields in fake.calls if kind == "photographs"]
    assert len(lists) < 30
    assert page.evaluate("model.maxBackground") == 1
    expect(page.get_by_test_id("class-4")).to_contain_text("no tests")
    page.get_by_test_id("class-sort").select_option("best")
    state_is(page, sort="best")
    expect(page.locator(".dwt-class").first).to_contain_text("100%")
    page.get_by_test_id("class-find").fill("kind 09")
    expect(page.get_by_test_id("class-count")).to_have_text("10 of 101")
    page.wait_for_function("() => document.querySelector('[data-testid=class-photographs-90] [data-painted=true]')")
    sources = [source for kind, fields in fake.calls if kind == "thumbnails" for source in fields["sources"]]
    assert len(sources) == len(set(sources)), "no photograph twice"
    assert all(len(fields["sources"]) <= 24 for kind, fields in fake.calls if kind == "thumbnails")
    page.locator("[data-testid=class-photographs-90] button").first.click()
    state_is(page, show="confusion")
    page.wait_for_function("() => model.values.state.cell[0] === 90")


def test_mistakes_show_more_and_lead_to_their_cell(blank):
    fake = FakeResults(FakeRun(1, NAMES_12, errors=0.4))
    page = open_results(blank, fake, show="mistakes")
    total = int((fake.runs[1].tests[:, 2] != fake.runs[1].tests[:, 3]).sum())
    expect(page.get_by_test_id("mistakes-words")).to_contain_text(
        f"{total:,} of {len(fake.runs[1].tests):,} tests were misclassified; the most confident first"
    )
    expect(page.get_by_test_id("mistakes-more")).to_be_visible()
    before = page.locator("[data-testid=mistakes] button").count()
    page.get_by_test_id("mistakes-more").click()
    page.wait_for_function(f"() => document.querySelectorAll('[data-testid=mistakes] button').length > {before}")
    first = page.locator("[data-testid=mistakes] button").first
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-testid=mistakes] button").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_function("() => model.values.state.cell")
    truth, prediction = page.evaluate("model.values.state.cell")
    expect(page.get_by_test_id("cell-title")).to_have_text(f"class {truth} → class {prediction}")


def test_a_head_without_confidences_and_a_run_stopped_early(blank):
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


def test_heads_are_used_undone_saved_loaded_and_results_taken_away(blank):
    fake = FakeResults(FakeRun(1, NAMES_12))
    page = open_results(blank, fake)
    expect(page.get_by_test_id("undo-head")).to_be_disabled()
    page.get_by_test_id("use-head").click()
    expect(page.get_by_test_id("head-words")).to_have_text("Run 1 answers now, instead of ImageNet.")
    expect(page.get_by_test_id("status")).to_have_text("Run 1 answers now, instead of ImageNet.")
    tell_status(page, fake)
    expect(page.get_by_test_id("use-head")).to_have_text("Head in use")
    expect(page.get_by_test_id("use-head")).to_be_disabled()
    page.get_by_test_id("undo-head").click()
    expect(page.get_by_test_id("head-words")).to_have_text("ImageNet answers again.")
    page.get_by_test_id("save-head").click()
    expect(page.get_by_test_id("head-path")).to_be_focused()
    page.keyboard.type("mine.safetensors")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("head-words")).to_have_text("Run 1 is saved in mine.safetensors.")
    page.get_by_test_id("load-head").click()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("load-head")).to_be_focused()
    page.get_by_test_id("load-head").click()
    page.get_by_test_id("head-path").fill("caltech101")
    page.get_by_test_id("head-path-go").click()
    expect(page.get_by_test_id("head-words")).to_have_text("caltech101 answers now.")
    page.get_by_test_id("results-menu").click()
    expect(page.get_by_test_id("file-photographs.csv")).to_be_focused()
    page.keyboard.press("ArrowDown")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "run1-classes.csv"
    assert download.value.path().read_text() == "class,accuracy\n"
    tell_status(page, fake)
    fake.breaks["use_head"] = "The head is for another layer; train again."
    page.get_by_test_id("use-head").click()
    expect(page.get_by_test_id("head-failure")).to_have_text("The head is for another layer; train again.")
    expect(page.get_by_test_id("use-head")).to_be_enabled()


def test_quick_folds_do_not_overtake_the_results_that_are_on_their_way(blank):
    runs = [FakeRun(1, NAMES_12, folds=90, done=done) for done in (1, 2, 3)]
    fake = FakeResults(runs[0])
    page = open_results(blank, fake)
    expect(page.get_by_test_id("results-tabs")).to_be_visible()
    fake.calls.clear()
    page.evaluate("model.blockedKind = 'run'")
    for run in runs[1:]:
        fake.runs[1] = run
        tell_status(page, fake)
    assert page.evaluate("model.waiting.length") == 1, "the second fold's; a newer request would have taken its answer's place"
    fake.runs[1] = runs[1]
    page.evaluate("model.release()")
    page.wait_for_timeout(300)
    settled(page)
    assert [kind for kind, _ in fake.calls] == ["run", "run"], "the third fold's are asked for when the second's are there"


def test_a_run_that_was_chosen_says_what_sets_it_apart_first(blank):
    page = open_results(blank, FakeResults(FakeRun(1, NAMES_12, layer="pool4"), FakeRun(2, NAMES_12)))
    expect(page.get_by_test_id("results-run").locator("option").first).to_have_text(
        re.compile(r"^2 · pool5 · [\d.]+% · 30 per class · Caltech-101$")
    )
    page.get_by_test_id("save-head").click()
    page.get_by_test_id("head-path").fill("mine.safetensors")
    page.get_by_test_id("head-path").press("Enter")
    expect(page.get_by_test_id("head-words")).to_contain_text("Run 2 is saved")
    page.get_by_test_id("results-run").select_option("1")
    expect(page.get_by_test_id("head-words")).to_be_hidden()


def test_the_matrix_is_in_the_order_of_names_whatever_the_order_of_the_classes(blank):
    page = open_results(blank, FakeResults(FakeRun(1, ("dog", "ant", "cat"))), show="confusion")
    matrix_painted(page)
    page.get_by_test_id("confusion").focus()
    page.keyboard.press("Home")  # the first key says where one is
    page.keyboard.press("Home")
    expect(page.get_by_test_id("confusion-told")).to_contain_text("→ ant:")


def test_two_runs_are_compared(blank):
    one, other = FakeRun(1, NAMES_12, errors=0.3, layer="pool4"), FakeRun(2, NAMES_12)
    page = open_results(blank, FakeResults(one, other))
    expect(page.get_by_test_id("results-run")).to_have_value("2")
    page.get_by_test_id("results-compare").select_option("1")
    points = 100 * (np.mean(other.per_fold()) - np.mean(one.per_fold()))
    expect(page.get_by_test_id("compare-difference")).to_have_text(f"{'+' if points > 0 else '−'}{abs(points):.1f} points")
    gain = other.counts()[0] - one.counts()[0]
    expect(page.get_by_test_id("compare-gained").locator("li").first).to_contain_text(f"class {int(gain.argmax())}")
    expect(page.get_by_test_id("compare-lost").locator("li").first).to_contain_text(
        f"class {int(gain.argmin())}" if gain.min() < 0 else "none"
    )
    expect(page.locator(".dwt-differs").first).to_contain_text("pool5")
    expect(page.get_by_test_id("row-other")).to_contain_text("run 1")
    page.get_by_test_id("results-compare").select_option("")
    expect(page.get_by_test_id("compare")).to_be_hidden()


def test_a_run_is_asked_for_again_when_it_went_on_and_only_then(blank):
    run = FakeRun(1, NAMES_12, folds=3, done=0)
    fake = FakeResults(run)
    page = open_results(blank, fake)
    expect(page.get_by_test_id("results-empty")).to_contain_text("with its first fold")
    assert fake.calls == []
    for done in (1, 2, 3):
        fake.runs[1] = FakeRun(1, NAMES_12, folds=3, done=done)
        tell_status(page, fake, times=3)
        expect(page.get_by_test_id("folds-done")).to_contain_text("3 folds" if done == 3 else f"{done} of 3 folds")
        page.wait_for_function("() => model.inFlight === 0")
        expect(page.get_by_test_id("summary-worst").locator("li").first).to_be_visible()
    assert [kind for kind, _ in fake.calls] == ["run"] * 3
    fake.breaks["run"] = "There is no run 1 any more."
    tell_status(page, fake, runs=[{**run.summary(), "run": 9, "per_fold": [0.5]}])
    expect(page.get_by_test_id("results-failure")).to_have_text("There is no run 1 any more.")


@pytest.mark.parametrize("count", [101, 257])
def test_large_matrices_are_drawn_within_a_frame(blank, count):
    names = [f"{at:03d}.a-class-with-a-name" for at in range(count)]
    page = open_results(blank, FakeResults(FakeRun(1, names)), show="confusion")
    matrix_painted(page)
    box = page.get_by_test_id("confusion").bounding_box()
    page.mouse.move(box["x"] + 400, box["y"] + 390)
    page.mouse.move(box["x"] + 402, box["y"] + 392)
    page.mouse.wheel(0, -300)
    page.mouse.down()
    page.evaluate("painted.length = 0")
    page.mouse.move(box["x"] + 250, box["y"] + 300, steps=30)
    page.mouse.up()
    page.wait_for_timeout(100)
    times = page.evaluate("painted.map((one) => one.ms)")
    assert len(times) > 5
    assert float(np.median(times)) < 10, times


def test_the_photographs_come_into_sight_where_they_stand_beneath_the_matrix(blank):
    run = FakeRun(1, NAMES_12)
    page = open_results(blank, FakeResults(run), width=558)
    page.evaluate("Object.assign(document.querySelector('.dwx').style, {height: '560px', overflow: 'hidden auto'})")
    truth, prediction = worst_pair(run)
    page.get_by_test_id(f"summary-pairs-{truth}-{prediction}").click()
    page.wait_for_function("() => document.querySelector('[data-testid=cell-photographs] [data-painted=true]')")
    expect(page.locator("[data-testid=cell-photographs] [data-source]").first).to_be_in_viewport()
    matrix, frame = page.get_by_test_id("confusion").bounding_box(), page.locator(".dwx").bounding_box()
    assert matrix["y"] + matrix["height"] > frame["y"] + 200, "the matrix is still there"
    photograph = page.locator("[data-testid=cell-photographs] [data-source]").first.bounding_box()
    assert photograph["y"] + photograph["height"] <= frame["y"] + frame["height"] + 1


@pytest.mark.parametrize("width", [1180, 680, 460])
def test_no_element_overflows_its_column(blank, width):
    names = ["a class with a very long name that no column has room for", *NAMES_12]
    page = open_results(blank, FakeResults(FakeRun(1, names), FakeRun(2, names)), width=width, compare=1)
    for show in ("summary", "confusion", "classes", "mistakes"):
        page.get_by_test_id(f"show-{show}").click()
        page.wait_for_function("() => model.inFlight === 0")
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= max(1240, width + 16)
        out = page.evaluate(STANDING_OUT, width)
        assert out == [], show
