"""The OcclusionExplorer in Chromium, without JupyterLab: selection of target, feature map, fill and image, heads, exports, chart."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.instruments.occlusion.widget.fake_api import FakeOcclusionApi, FakeOcclusionService
from tests.instruments.occlusion.widget.page import (
    api,
    calls_of,
    last_boxes,
    open_page,
    page_position,
    pixel,
    send_event,
    service,
)
from tests.instruments.occlusion.widget.toy_network import KINDS
from tests.widgets.chromium import blank, browser, shared_page
from tests.widgets.fake_service import encode
from tests.widgets.waiting import expect_value, let_run, wait_until, wait_until_quiet

__all__ = ["api", "blank", "browser", "open_page", "service", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_target_is_selected_by_click_or_name_and_reset(api, open_page):
    page = open_page()
    wait_until_quiet(page)
    row = page.get_by_test_id("answer").nth(2)
    name = row.locator(".dwo-class").text_content()
    row.click()
    expect(page.get_by_test_id("map-probability-title")).to_have_text(f"Probability of {name}")
    first = page.get_by_test_id("answer").first
    expect(first).to_have_attribute("aria-checked", "true")  # the target is moved to the top, with the focus
    expect(first).to_contain_text(str(name))
    expect(first).to_be_focused()
    page.wait_for_function("(name) => model.values.state.target === name", arg=name)
    target = page.get_by_test_id("target")
    target.fill("zebra")
    target.press("Enter")
    expect(page.get_by_test_id("target-error")).to_contain_text("There is no class “zebra”")
    target.fill("e")
    target.press("Enter")
    expect(page.get_by_test_id("target-error")).to_contain_text("classes match “e”")
    target.fill("gramo")
    target.press("Enter")
    expect(page.get_by_test_id("target-error")).to_be_hidden()
    expect(page.get_by_test_id("map-probability-title")).to_have_text("Probability of gramophone")
    expect(page.locator("[data-testid=answer][aria-checked=true]")).to_contain_text("gramophone")
    page.wait_for_function("() => model.values.state.target === 'gramophone'")
    expect_value(page, lambda: calls_of(api, "start_maps")[-1][0].target, KINDS.index("gramophone"))
    page.get_by_test_id("target-auto").click()
    page.wait_for_function("() => model.values.state.target === null")
    predicted = str(api.scene(calls_of(api, "scene")[0][0]).request.target)  # the scene is in the cache of the page
    expect(page.locator("[data-testid=answer][aria-checked=true]")).to_have_attribute("data-label", predicted)


@pytest.mark.slow
@pytest.mark.parametrize("action", ["target-auto", "answer", "legend-entry", "unit-auto", "layer", "image"])
def test_unknown_class_name_is_cleared_by_the_next_selection(open_page, action):
    page = open_page(tab="images" if action == "image" else "maps", unit=3)
    page.get_by_test_id("target").fill("zebra")
    page.get_by_test_id("target").press("Enter")
    expect(page.get_by_test_id("target-error")).to_contain_text("There is no class “zebra”")
    if action == "layer":
        page.get_by_test_id("layer").select_option("conv1")
    else:
        page.get_by_test_id(action).nth(1 if action == "image" else 0).click()
    expect(page.get_by_test_id("target-error")).to_be_hidden()
    expect(page.get_by_test_id("target")).to_have_value("")


def test_unknown_unit_is_cleared_by_the_next_selection(api, open_page):
    page = open_page(layer="conv5")
    strongest = api.scene(calls_of(api, "scene")[-1][0]).strongest[0]
    page.get_by_test_id("unit").fill("99")
    page.get_by_test_id("unit").press("Enter")
    expect(page.get_by_test_id("unit-error")).to_be_visible()
    page.get_by_test_id("unit-auto").click()  # the unit that is shown
    expect(page.get_by_test_id("unit-error")).to_be_hidden()
    expect(page.get_by_test_id("unit")).to_have_value(str(strongest))


@pytest.mark.slow
def test_selection_of_layer_and_unit(api, open_page):
    page = open_page()
    strongest = api.scene(calls_of(api, "scene")[-1][0]).strongest
    page.get_by_test_id(f"unit-{strongest[1]}").click()
    expect(page.get_by_test_id("unit")).to_have_value(str(strongest[1]))
    expect(page.get_by_test_id("unit-words")).to_have_text("Rank 2 of the feature maps of conv5 in this image, by total activity.")
    expect(page.get_by_test_id("map-activity-title")).to_have_text(f"Activity of conv5 / {strongest[1]}")
    page.get_by_test_id("unit").fill("99")
    page.get_by_test_id("unit").press("Enter")
    expect(page.get_by_test_id("unit-error")).to_have_text("conv5 has the feature maps 0 to 11.")
    page.get_by_test_id("unit").fill("3")
    page.get_by_test_id("unit").press("Enter")
    expect(page.get_by_test_id("unit-error")).to_be_hidden()
    page.wait_for_function("() => model.values.state.unit === 3 && model.values.state.layer === 'conv5'")
    page.get_by_test_id("layer").select_option("conv1")
    expect(page.get_by_test_id("projection-words")).to_contain_text("gelu has no backward rule")
    expect(page.get_by_test_id("alert")).to_be_hidden()
    page.wait_for_function("() => model.values.state.layer === 'conv1' && model.values.state.unit === null")
    expect_value(page, lambda: page.get_by_test_id("unit-map").evaluate("(map) => [map.width, map.height]"), [27, 27])


def crop_images(api: FakeOcclusionApi, monkeypatch, rows: int, columns: int, lower: float = 0) -> None:
    """Crop the images and feature maps of the API to `rows` / 16 x `columns` / 16, and subtract `lower` from the maps."""
    scene, answer = api.scene, api.answer

    def crop(pixels):
        return pixels[: len(pixels) * rows // 16, : pixels.shape[1] * columns // 16]

    def cropped_scene(request):
        original = scene(request)
        image = (255 * crop(api._pixels(request.image))).astype(np.uint8)
        return replace(original, image=encode(image), fill=encode(image // 2), map=crop(original.map) - lower)

    def cropped_answer(*arguments):
        original = answer(*arguments)
        return replace(original, map=crop(original.map) - lower)

    monkeypatch.setattr(api, "scene", cropped_scene)
    monkeypatch.setattr(api, "answer", cropped_answer)


def page_size(page, testid: str) -> tuple[float, float]:
    """Return the height and width of an element on the page."""
    box = page.get_by_test_id(testid).bounding_box()
    return round(box["height"]), round(box["width"])


def test_feature_maps_keep_their_aspect_ratio(api, open_page, monkeypatch):
    crop_images(api, monkeypatch, 16, 8)
    page = open_page(layer="conv1")
    expect_value(page, lambda: page.get_by_test_id("unit-map").evaluate("(map) => [map.height, map.width]"), [27, 13])
    expect_value(page, lambda: page_size(page, "unit-map"), (104, 50))
    page.get_by_test_id("layer").select_option("conv5")
    page.wait_for_function("() => document.querySelector('[data-testid=unit-map]').width === 6")
    expect_value(page, lambda: page_size(page, "unit-map"), (104, 48))


@pytest.mark.slow
def test_maps_of_portrait_and_square_images_have_the_same_height(api, open_page, monkeypatch):
    names = "map-probability", "map-activity", "map-label"
    page = open_page()
    expect(page.get_by_test_id("maps-words")).to_have_text("49 positions")
    square = [page_size(page, name) for name in names]
    assert all(height == width for height, width in square)
    run = page.locator(".dwo-run").bounding_box()
    crop_images(api, monkeypatch, 16, 8)
    page.evaluate("() => { model.set('state', {...model.values.state, image: 'crop:6'}); model.trigger('change:state'); }")
    expect(page.get_by_test_id("title")).to_contain_text("drawing 6")
    for name, (height, width) in zip(names, square, strict=True):
        expect_value(page, partial(page_size, page, name), (height, pytest.approx(width / 2, abs=1)), because=name)
    expect_value(page, page.locator(".dwo-run").bounding_box, run, because="the elements below do not move")


@pytest.mark.slow
def test_colour_scale_includes_negative_values(api, open_page, monkeypatch):
    page = open_page()
    expect(page.get_by_test_id("unit-least")).to_have_text("0")
    crop_images(api, monkeypatch, 16, 16, lower=1.5)
    page.evaluate("() => { model.set('state', {...model.values.state, image: 'crop:6'}); model.trigger('change:state'); }")
    expect(page.get_by_test_id("title")).to_contain_text("drawing 6")
    values = api.scene(calls_of(api, "scene")[-1][0]).map
    assert values.min() < 0 < values.max()
    expect(page.get_by_test_id("unit-least")).to_have_text(re.compile(f"^[-−]{-values.min():.2f}$"))


def test_layer_stays_selected_when_python_changes_the_state(open_page):
    page = open_page()
    layer = page.get_by_test_id("layer").input_value()
    assert layer != page.get_by_test_id("layer").locator("option").first.get_attribute("value")
    page.evaluate("() => { model.set('state', {...model.values.state, overlay: 0.5}); model.trigger('change:state'); }")
    page.wait_for_function("() => model.sent.filter((message) => message.kind === 'hello').length === 2")
    wait_until_quiet(page)
    assert page.get_by_test_id("layer").input_value() == layer


DRAG_WINDOW_WIDTH = """() => {  // faster than any machine paints
  const slider = document.querySelector("[data-testid=window-width]");
  for (let width = 25; width <= 40; width += 1) {
    slider.value = String(width);
    slider.dispatchEvent(new Event("input", {bubbles: true}));
  }
  slider.dispatchEvent(new Event("change", {bubbles: true}));
}"""


@pytest.mark.slow
def test_fill_size_stride_and_border(api, open_page):
    page = open_page()
    patch = page.get_by_test_id("patches")
    page.get_by_test_id("fill-colour-input").fill("#ff0000")
    expect(page.get_by_test_id("fill-colour")).to_have_attribute("aria-checked", "true")
    expect_value(page, lambda: pixel(patch, 0.5, 0.5), [255, 0, 0, 255])
    page.get_by_test_id("fill-blur").click()
    page.wait_for_function("() => model.values.state.fill === 'blur'")
    wait_until_quiet(page)
    assert calls_of(api, "answer")[-1][0].fill == "blur"
    page.get_by_test_id("window-width").fill("24")
    expect(page.get_by_test_id("window-height-value")).to_have_text("24 px")
    page.get_by_test_id("linked").uncheck()
    page.get_by_test_id("window-height").fill("10")
    wait_until_quiet(page)
    assert last_boxes(api) == [(20, 27, 44, 37)]
    page.get_by_test_id("stride").select_option("4")
    page.get_by_test_id("border").select_option("same")
    page.wait_for_function("() => model.values.state.border === 'same'")
    expect(page.get_by_test_id("maps-words")).to_contain_text("256 positions")
    last = calls_of(api, "start_maps")[-1][1]
    assert (last.window, last.stride, last.border) == ((10, 24), (4, 4), "same")
    runs = len(api.runs)
    page.evaluate(DRAG_WINDOW_WIDTH)
    expect(page.get_by_test_id("window-width-value")).to_have_text("40 px")
    page.wait_for_function("() => model.values.state.window[1] === 40")
    wait_until_quiet(page)
    assert len(api.runs) <= runs + 1, "maps are not started while a slider is dragged"


def test_colour_fill_is_hidden_if_the_transform_is_unknown(api, open_page):
    api.colours_known = False
    page = open_page()
    for name in ("fill-colour", "fill-colour-input"):
        expect(page.get_by_test_id(name)).to_be_hidden()
    expect(page.get_by_test_id("fill-gray")).to_have_attribute("title", re.compile("the colour is unknown"))
    page.get_by_test_id("fill-blur").click()
    page.get_by_test_id("fill-blur").press("ArrowRight")
    expect(page.get_by_test_id("fill-gray")).to_have_attribute("aria-checked", "true")


@pytest.mark.slow
def test_search_for_an_image(api, open_page):
    page = open_page()
    page.get_by_test_id("other-image").click()
    expect(page.get_by_test_id("image-search")).to_be_focused()
    expect(page.get_by_test_id("image-count")).to_have_text("60 images")
    expect(page.get_by_test_id("image").first).to_have_attribute("aria-selected", "true")
    page.get_by_test_id("images").evaluate("(list) => list.parentElement.scrollTo(0, 1e6)")
    page.wait_for_function("() => document.querySelectorAll('[data-testid=image]').length >= 48")
    page.get_by_test_id("image-search").fill("platypus")
    expect(page.get_by_test_id("image-count")).to_have_text("15 images")
    expect(page.get_by_test_id("image")).to_have_count(15)
    page.get_by_test_id("image").nth(1).click()
    expect(page.get_by_test_id("title")).to_contain_text("drawing 6 (platypus)")
    page.wait_for_function("() => model.values.state.image === 'crop:6'")
    page.get_by_test_id("image-search").fill("aardvark")
    expect(page.get_by_test_id("image-count")).to_have_text("no image matches “aardvark”")


DELAY_DECODING = """() => {
  const decode = createImageBitmap, waiting = [];
  globalThis.createImageBitmap = async (data) => {
    await new Promise((resolve) => waiting.push(resolve));
    return await decode(data);
  };
  globalThis.heldBack = waiting;
}"""

BLOCK_ANSWERS_FOR_CROP_6 = """() => {
  globalThis.deliver = model.deliver;
  const blocked = (message) => message.kind === "patch" && message.request.image === "crop:6";
  model.deliver = (message) => (blocked(message) ? model.waiting.push(message) : deliver(message));
  model.release();
}"""


@pytest.mark.slow
def test_answers_for_the_former_image_are_ignored(api, open_page):
    page = open_page()
    page.evaluate(DELAY_DECODING)
    page.evaluate("() => { model.set('state', {...model.values.state, image: 'crop:6'}); model.trigger('change:state'); }")
    page.wait_for_function("() => heldBack.length === 2")
    page.evaluate("model.blocked = true")
    page.get_by_test_id("stage").focus()
    page.keyboard.press("ArrowDown")  # the former image is still shown
    page.wait_for_function("() => model.waiting.some((message) => message.kind === 'patch' && message.request.image === 'crop:0')")
    page.evaluate("() => heldBack.forEach((done) => done())")
    expect(page.get_by_test_id("title")).to_contain_text("drawing 6")
    shown = "() => document.querySelector('[data-testid=activity-now]').textContent"
    unoccluded = page.evaluate(shown)
    page.evaluate(BLOCK_ANSWERS_FOR_CROP_6)
    page.wait_for_function("() => model.waiting.some((message) => message.request.image === 'crop:6')")
    let_run(page)
    assert page.evaluate(shown) == unoccluded
    page.evaluate("() => { model.deliver = deliver; model.release(); }")
    wait_until(page, lambda: page.evaluate(shown) != unoccluded, "the answer for the new image is shown")


def png_file(colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (80, 80), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.slow
def test_upload_of_an_image(api, open_page):
    page = open_page()
    page.get_by_test_id("tab-images").click()
    page.get_by_test_id("upload-file").set_input_files({"name": "red.png", "mimeType": "image/png", "buffer": png_file()})
    expect(page.get_by_test_id("title")).to_contain_text("red.png")
    page.wait_for_function("() => model.values.state.image === 'upload:0'")
    expect(page.get_by_test_id("status")).to_have_text("Uploaded red.png.")
    expect(page.get_by_test_id("image").first).to_have_attribute("data-image", "upload:0")
    page.get_by_test_id("upload-file").set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"not an image"})
    expect(page.get_by_test_id("upload-words")).to_contain_text("notes.txt cannot be decoded")
    expect(page.get_by_test_id("title")).to_contain_text("red.png")
    page.get_by_test_id("upload-file").set_input_files({"name": "huge.png", "mimeType": "image/png", "buffer": b"x" * 9_000_000})
    expect(page.get_by_test_id("upload-words")).to_contain_text("huge.png has 9.0 MB")
    page.get_by_test_id("image").first.click()  # the image that is shown
    expect(page.get_by_test_id("upload-words")).to_be_hidden()
    page.get_by_test_id("image").nth(1).click()
    expect(page.get_by_test_id("title")).to_contain_text("drawing 0")


@pytest.mark.slow
def test_upload_error_is_shown_once_in_the_visible_tab(api, open_page):
    page = open_page(tab="images")
    page.evaluate("() => { model.values.height = 630; model.trigger('change:height'); }")
    width = page.get_by_test_id("stage").bounding_box()["width"]
    page.get_by_test_id("upload-file").set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"not an image"})
    expect(page.get_by_test_id("upload-words")).to_be_visible()
    expect(page.get_by_test_id("stage-words")).to_be_hidden()
    page.get_by_test_id("tab-maps").click()
    expect(page.get_by_test_id("stage-words")).to_contain_text("notes.txt cannot be decoded")
    scrolls = partial(page.locator(".dwo-left").evaluate, "(pane) => pane.scrollHeight > pane.clientHeight")
    wait_until(page, scrolls, "the message makes the pane scroll")
    page.add_style_tag(content=".dwo-left { border-right: 15px solid }")  # the width of a scrollbar, which headless Chromium does not show
    assert page.get_by_test_id("stage").bounding_box()["width"] == width
    page.get_by_test_id("tab-images").click()
    expect(page.get_by_test_id("upload-words")).to_be_visible()
    page.evaluate("() => { model.set('state', {...model.values.state, image: 'crop:6'}); model.trigger('change:state'); }")
    expect(page.get_by_test_id("upload-words")).to_be_hidden()
    page.get_by_test_id("tab-maps").click()
    expect(page.get_by_test_id("stage-words")).to_be_hidden()


DROP = """(files) => {
  const data = new DataTransfer();
  for (const [name, text] of files) data.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], name));
  const stage = document.querySelector("[data-testid=stage]");
  const fire = (kind) => stage.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
  fire("dragenter");
  const hinted = !document.querySelector("[data-testid=drop-hint]").hidden;
  return [hinted, fire("dragover"), fire("drop")];
}"""


@pytest.mark.slow
def test_drop_of_an_image_file(api, open_page):
    page = open_page()
    page.evaluate("globalThis.leaked = 0; document.addEventListener('drop', () => { leaked += 1; })")
    hinted, over, dropped = page.evaluate(DROP, [("green.png", base64.b64encode(png_file((20, 200, 60))).decode())])
    assert hinted
    assert not over, "the browser does not open the file"
    assert not dropped
    assert page.evaluate("leaked") == 0, "the notebook does not receive the event"
    expect(page.get_by_test_id("title")).to_contain_text("green.png")
    expect(page.get_by_test_id("drop-hint")).to_be_hidden()
    page.evaluate(DROP, [("broken.jpg", base64.b64encode(b"broken").decode())])
    expect(page.get_by_test_id("stage-words")).to_contain_text("broken.jpg cannot be decoded")
    page.evaluate(DROP, [])
    expect(page.get_by_test_id("stage-words")).to_contain_text("Only files can be dropped")


@pytest.mark.parametrize("action", ["target", "layer", "window", "fill", "patch"])
def test_upload_error_is_cleared_by_the_next_action(open_page, action):
    page = open_page()
    page.evaluate(DROP, [])
    expect(page.get_by_test_id("stage-words")).to_contain_text("Only files can be dropped")
    actions = {
        "target": lambda: page.get_by_test_id("answer").nth(1).click(),
        "layer": lambda: page.get_by_test_id("layer").select_option("conv1"),
        "window": lambda: page.get_by_test_id("window-height").fill("20"),
        "fill": lambda: page.get_by_test_id("fill-blur").click(),
        "patch": lambda: page.mouse.click(*page_position(page, 20, 20)),
    }
    actions[action]()
    expect(page.get_by_test_id("stage-words")).to_be_hidden()


@pytest.mark.slow
def test_drop_of_several_files_shows_the_first(open_page):
    page = open_page()
    page.evaluate(DROP, [(name, base64.b64encode(png_file()).decode()) for name in ("a.png", "b.png", "c.png")])
    expect(page.get_by_test_id("title")).to_contain_text("a.png")
    expect(page.get_by_test_id("status")).to_have_text("Uploaded a.png; the other 2 files were ignored. Drop one file at a time.")


@pytest.fixture
def without_classifier(service: FakeOcclusionService) -> None:
    service.classifier = None


@pytest.mark.slow
def test_model_without_a_classifier(without_classifier, api, service, open_page):
    page = open_page()
    expect(page.get_by_test_id("no-classifier")).to_contain_text("This model has no classifier")
    expect(page.get_by_test_id("train-own")).to_contain_text("Or train your own")
    expect(page.get_by_test_id("name-classes")).to_contain_text("ModelBundle.from_module(model, categories=[…])")
    expect(page.get_by_test_id("answers")).to_be_hidden()
    expect(page.get_by_test_id("map-probability")).to_be_hidden()
    expect(page.get_by_test_id("map-label")).to_be_hidden()
    expect(page.get_by_test_id("map-activity")).to_be_visible()
    expect(page.get_by_test_id("over-label")).to_be_hidden()
    page.mouse.click(*page_position(page, 40, 40))
    page.wait_for_function("() => /\\d/.test(document.querySelector('[data-testid=activity-now]').textContent)")
    page.get_by_test_id("overlay").fill("50")
    expect(page.get_by_test_id("overlay-map")).to_be_visible()
    page.get_by_test_id("copy-panel").click()
    expect(page.get_by_test_id("status")).to_contain_text("dw.TransferPanel(service)")  # without a clipboard the line is shown
    page.get_by_test_id("use-bundled").click()
    expect(page.get_by_test_id("status")).to_have_text("fakenet now predicts Caltech-101's 12 classes; before: no classes.")
    send_event(page, "changed")
    expect(page.get_by_test_id("no-classifier")).to_be_hidden()
    expect(page.get_by_test_id("answer")).to_have_count(5)
    expect(page.get_by_test_id("map-probability")).to_be_visible()


def test_hint_without_a_bundled_classifier(without_classifier, api, open_page, monkeypatch):
    choices = api.choices
    monkeypatch.setattr(api, "choices", lambda: replace(choices(), bundled_head=False))
    page = open_page()
    expect(page.get_by_test_id("use-bundled")).to_be_hidden()
    expect(page.get_by_test_id("train-own")).to_have_text(re.compile("^Train your own"))


def test_projections_can_be_enlarged(open_page):
    page = open_page()
    enlarged, small = page.get_by_test_id("enlarged"), page.get_by_test_id("projection").nth(1)
    expect(enlarged).to_be_hidden()
    small.get_by_role("button").click()
    expect(page.get_by_test_id("enlarged-title")).to_have_text("conv5 / 4 · activation 8.00")
    expect(page.get_by_test_id("enlarged-caption")).to_have_text("one of the 3 strongest other photographs · drawing 21")
    expect(page.get_by_test_id("enlarged-maximum")).to_have_text("8.00 maximum")
    brightest = """(canvas) => {
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      const green = Array.from({ length: pixels.length / 4 }, (_, at) => pixels[4 * at + 1]);
      const at = green.indexOf(green.reduce((a, b) => Math.max(a, b)));
      return [Math.floor(at / canvas.width) / canvas.height, (at % canvas.width) / canvas.width];
    }"""

    def shows_the_second_photograph() -> bool:
        row, column = page.get_by_test_id("enlarged-map").evaluate(brightest)
        return 0.25 <= row <= 0.5 and column <= 0.25

    wait_until(page, shows_the_second_photograph, "the value of its map is in the second of four rows")
    large = [page.get_by_test_id(f"enlarged-{name}") for name in ("projection", "patch")]
    expect_value(page, lambda: [canvas.evaluate("(canvas) => canvas.width") for canvas in large], [480, 480])
    assert all(canvas.bounding_box()["width"] >= 300 for canvas in large)
    page.keyboard.press("ArrowLeft")
    expect(enlarged).to_contain_text("this image")
    page.keyboard.press("End")
    expect(page.get_by_test_id("enlarged-next")).to_be_disabled()
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    page.mouse.click(5, 5)
    expect(enlarged).to_be_hidden()
    small.get_by_role("button").press("Enter")
    expect(enlarged).to_be_visible()
    page.keyboard.press("Escape")
    expect(enlarged).to_be_hidden()
    expect(small.get_by_role("button")).to_be_focused()
    small.get_by_role("button").click()
    page.get_by_test_id("enlarged-close").press("Enter")
    expect(enlarged).to_be_hidden()


def test_fills_have_descriptions(open_page):
    page = open_page()
    for fill, description in (("gray", "mean colour of the training images"), ("mean", "mean colour of this image"), ("blur", "blurred")):
        expect(page.get_by_test_id(f"fill-{fill}")).to_have_attribute("title", re.compile(description))


def test_origin_and_notes_are_behind_the_info_button(service, open_page, monkeypatch):
    overview = service.overview
    changes = {"trained": False, "classifier": None, "images": "gratings " * 40, "notes": ("a note " * 60,)}
    monkeypatch.setattr(service, "overview", lambda: replace(overview(), **changes))
    page = open_page()
    origin, notes, button = (page.get_by_test_id(name) for name in ("origin", "notes", "info"))
    for warning in ("untrained: random weights", "no classifier"):
        expect(page.get_by_test_id("warnings")).to_contain_text(warning)
    expect(button).to_contain_text("2 notes" if overview().skipped else "1 note")
    expect(origin).to_be_hidden()
    button.press("Enter")
    for part in (origin, notes):
        expect(part).to_be_visible()
        assert not part.evaluate("(line) => line.scrollWidth > line.clientWidth")
    page.keyboard.press("Escape")
    expect(origin).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    page.get_by_test_id("stage").click()
    expect(origin).to_be_hidden()


def test_target_is_kept_if_the_new_head_has_it(api, service, open_page):
    page = open_page(target="lamp")
    service.version += 1
    send_event(page, "changed")
    page.wait_for_function("() => model.sent.filter((message) => message.kind === 'scene').length === 2")
    expect(page.get_by_test_id("map-probability-title")).to_have_text("Probability of lamp")
    service.classifier, service.version = None, service.version + 1
    send_event(page, "changed")
    expect(page.get_by_test_id("no-classifier")).to_be_visible()


@pytest.mark.slow
def test_target_is_reset_if_the_new_head_does_not_have_it(api, service, open_page, monkeypatch):
    page = open_page(target="lamp")
    choices = api.choices
    monkeypatch.setattr(api, "choices", lambda: replace(choices(), classes=("cougar face", "tram", *KINDS[2:])))
    service.version += 1
    send_event(page, "changed")
    expect(page.get_by_test_id("status")).to_have_text("“lamp” is not a class of the current classifier.")
    page.wait_for_function("() => model.values.state.target === null")
    send_event(page, "changed")  # another change does not remove the message
    page.wait_for_function("() => model.sent.filter((message) => message.kind === 'hello').length === 3 && !model.inFlight")
    expect(page.get_by_test_id("status")).to_contain_text("lamp")
    monkeypatch.setattr(api, "choices", choices)
    service.version += 1
    send_event(page, "changed")
    expect(page.get_by_test_id("status")).to_have_text("")
    page.wait_for_function("() => model.values.state.target === null")


@pytest.mark.slow
def test_export_and_copy_of_the_state(api, open_page):
    page = open_page(image="crop:3")
    for file in ("figure.png", "figure.svg", "figure.pdf", "figure.html", "maps.npz"):
        page.get_by_test_id("export-menu").click()
        with page.expect_download() as download:
            page.get_by_test_id(f"export-{file}").click()
        assert download.value.suggested_filename == f"fakenet-occlusion-drawing_3{file.replace('figure', '').replace('maps', '-maps')}"
        expect(page.get_by_test_id("status")).to_contain_text("Exported")
    kind, request, run, state = calls_of(api, "file")[-1]
    assert (kind, request.image, run) == ("maps.npz", "crop:3", 1)
    assert state["window"] == [16, 16]
    page.get_by_test_id("export-menu").click()
    page.get_by_test_id("copy-state").click()
    expect(page.get_by_test_id("status")).to_contain_text('explorer.state = {"image": "crop:3"')


@pytest.mark.parametrize("remove", ["click", "Backspace", *(pytest.param(key, marks=pytest.mark.slow) for key in ("Escape", "Delete"))])
def test_the_chosen_target_is_a_chip_that_can_be_removed(open_page, remove):
    page = open_page()
    chip, field = page.get_by_test_id("target-chip"), page.get_by_test_id("target")
    expect(chip).to_be_hidden()
    field.fill("platypus")
    field.press("Enter")
    expect(chip).to_have_text("platypus×")
    page.wait_for_function("() => model.values.state.target === 'platypus'")
    if remove == "click":
        chip.click()
    else:
        (chip if remove == "Delete" else field).press(remove)
    expect(chip).to_be_hidden()
    expect(field).to_be_focused()
    page.wait_for_function("() => model.values.state.target === null")


@pytest.mark.slow
def test_chart_that_arrives_while_its_tab_is_hidden_fills_the_tab_later(api, open_page):
    page = open_page()
    page.evaluate("model.blockedKind = 'chart'")
    page.get_by_test_id("tab-chart").click()
    page.wait_for_function("model.waiting.length > 0")
    page.get_by_test_id("tab-maps").click()
    page.evaluate("model.release()")
    expect(page.locator(".dwx-chart-box")).to_have_attribute("data-drawn", "true")  # it would be, if it were visible
    page.get_by_test_id("tab-chart").click()
    heatmap = page.locator("[data-testid=chart] .heatmaplayer image")
    expect(heatmap).to_be_visible()

    def sizes() -> list[tuple[float, float]]:
        boxes = (page.locator(f"[data-testid=chart]{inner}").first.bounding_box() for inner in ("", " svg.main-svg"))
        return [(box["width"], box["height"]) for box in boxes]

    wait_until(page, lambda: sizes()[0] == pytest.approx(sizes()[1], abs=1), "the chart fills its tab")
    container = page.get_by_test_id("chart").bounding_box()
    drawn = heatmap.bounding_box()
    assert min(drawn["width"], drawn["height"]) > 100
    assert drawn["x"] + drawn["width"] <= container["x"] + container["width"] + 1


@pytest.mark.slow
def test_chart_is_loaded_with_its_tab_and_shows_the_selected_map(api, open_page):
    api.complete_at_once = False
    page = open_page()
    run = page.evaluate("model.sent.length") and max(api.runs)
    assert page.get_by_test_id("chart").count() == 0
    page.get_by_test_id("tab-chart").click()
    expect(page.get_by_test_id("chart-words")).to_contain_text("first positions of the map")
    api.advance(run, 3)
    send_event(page)
    heatmap = page.locator("[data-testid=chart] .heatmaplayer image")
    expect(heatmap.first).to_be_attached()
    expect(page.get_by_test_id("chart-words")).to_be_hidden()
    expect(page.locator("[data-testid=chart] .gtitle")).to_contain_text("probability of")
    page.get_by_test_id("charted-activity").click()
    expect(page.locator("[data-testid=chart] .gtitle")).to_contain_text("total activity of")
    page.wait_for_function("() => model.values.state.map === 'activity'")
    count = page.evaluate("model.sent.filter((message) => message.kind === 'chart').length")
    api.advance(run)
    send_event(page)
    page.wait_for_function(f"() => model.sent.filter((message) => message.kind === 'chart').length > {count}")
    page.get_by_test_id("tab-maps").click()
    expect(page.get_by_test_id("chart")).to_be_hidden()
