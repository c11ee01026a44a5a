"""What can be chosen in an OcclusionExplorer, in a real Chromium: target, map, patch, image, classifier; and what leaves the page."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.instruments.occlusion.widget.fake_api import FakeOcclusionApi, FakeOcclusionService
from tests.instruments.occlusion.widget.page import api, asked, at, boxes, open_page, pixel, service, settled, tell
from tests.instruments.occlusion.widget.toy_network import KINDS
from tests.widgets.chromium import blank, browser
from tests.widgets.fake_service import encode

__all__ = ["api", "blank", "browser", "open_page", "service"]  # pytest finds fixtures by name

pytestmark = pytest.mark.browser


def test_a_target_by_click_by_name_and_back(api, open_page):
    page = open_page()
    settled(page)
    row = page.get_by_test_id("answer").nth(2)
    name = row.locator(".dwo-class").text_content()
    row.click()
    expect(page.get_by_test_id("map-probability-title")).to_have_text(f"Probability of {name}")
    first = page.get_by_test_id("answer").first
    expect(first).to_have_attribute("aria-checked", "true")  # the target stands first, and the focus went with it
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
    assert asked(api, "start_maps")[-1][0].target == KINDS.index("gramophone")
    page.get_by_test_id("target-auto").click()
    page.wait_for_function("() => model.values.state.target === null")
    said = str(api.scene(asked(api, "scene")[0][0]).request.target)  # the page has it still
    expect(page.locator("[data-testid=answer][aria-checked=true]")).to_have_attribute("data-label", said)


@pytest.mark.parametrize("then", ["target-auto", "answer", "legend-entry", "unit-auto", "layer", "image"])
def test_a_class_that_there_is_not_is_forgotten_with_the_next_choice(open_page, then):
    page = open_page(tab="images" if then == "image" else "maps", unit=3)
    page.get_by_test_id("target").fill("zebra")
    page.get_by_test_id("target").press("Enter")
    expect(page.get_by_test_id("target-error")).to_contain_text("There is no class “zebra”")
    if then == "layer":
        page.get_by_test_id("layer").select_option("conv1")
    else:
        page.get_by_test_id(then).nth(1 if then == "image" else 0).click()
    expect(page.get_by_test_id("target-error")).to_be_hidden()
    expect(page.get_by_test_id("target")).to_have_value("")


def test_a_map_that_there_is_not_is_forgotten_with_the_next_choice(api, open_page):
    page = open_page(layer="conv5")
    strongest = api.scene(asked(api, "scene")[-1][0]).strongest[0]
    page.get_by_test_id("unit").fill("99")
    page.get_by_test_id("unit").press("Enter")
    expect(page.get_by_test_id("unit-error")).to_be_visible()
    page.get_by_test_id("unit-auto").click()  # what is shown already
    expect(page.get_by_test_id("unit-error")).to_be_hidden()
    expect(page.get_by_test_id("unit")).to_have_value(str(strongest))


def test_any_layer_and_unit(api, open_page):
    page = open_page()
    strongest = api.scene(asked(api, "scene")[-1][0]).strongest
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
    expect(page.get_by_test_id("projection-words")).to_contain_text("no rule for 'gelu'")
    expect(page.get_by_test_id("alert")).to_be_hidden()
    page.wait_for_function("() => model.values.state.layer === 'conv1' && model.values.state.unit === null")
    assert page.get_by_test_id("unit-map").evaluate("(map) => [map.width, map.height]") == [27, 27]


def seen_as(api: FakeOcclusionApi, monkeypatch, rows: int, columns: int, lower: float = 0) -> None:
    """Let images and feature maps be cut to that share of 16ths, and the maps' values be lower."""
    scene, answer = api.scene, api.answer

    def cut(pixels):
        return pixels[: len(pixels) * rows // 16, : pixels.shape[1] * columns // 16]

    def cut_scene(request):
        given = scene(request)
        look = (255 * cut(api._pixels(request.image))).astype(np.uint8)
        return replace(given, image=encode(look), fill=encode(look // 2), map=cut(given.map) - lower)

    def cut_answer(*asked):
        given = answer(*asked)
        return replace(given, map=cut(given.map) - lower)

    monkeypatch.setattr(api, "scene", cut_scene)
    monkeypatch.setattr(api, "answer", cut_answer)


def room_of(page, testid: str) -> tuple[float, float]:
    """Height and width on the page."""
    room = page.get_by_test_id(testid).bounding_box()
    return round(room["height"]), round(room["width"])


def test_a_feature_map_keeps_its_aspect(api, open_page, monkeypatch):
    seen_as(api, monkeypatch, 16, 8)
    page = open_page(layer="conv1")
    assert page.get_by_test_id("unit-map").evaluate("(map) => [map.height, map.width]") == [27, 13]
    assert room_of(page, "unit-map") == (104, 50)
    page.get_by_test_id("layer").select_option("conv5")
    page.wait_for_function("() => document.querySelector('[data-testid=unit-map]').width === 6")
    assert room_of(page, "unit-map") == (104, 48)


def test_the_maps_of_a_portrait_are_no_higher_than_those_of_a_square(api, open_page, monkeypatch):
    names = "map-probability", "map-activity", "map-label"
    page = open_page()
    square = [room_of(page, name) for name in names]
    assert all(height == width for height, width in square)
    run = page.locator(".dwo-run").bounding_box()
    seen_as(api, monkeypatch, 16, 8)
    page.evaluate("() => { model.set('state', {...model.values.state, image: 'crop:6'}); model.trigger('change:state'); }")
    expect(page.get_by_test_id("title")).to_contain_text("drawing 6")
    for name, (height, width) in zip(names, square, strict=True):
        assert room_of(page, name) == (height, pytest.approx(width / 2, abs=1))
    assert page.locator(".dwo-run").bounding_box() == run, "what stands beneath is where it was"


def test_values_below_zero_have_colours_of_their_own_and_the_scale_says_so(api, open_page, monkeypatch):
    page = open_page()
    expect(page.get_by_test_id("unit-least")).to_have_text("0")
    seen_as(api, monkeypatch, 16, 16, lower=1.5)
    page.evaluate("() => { model.set('state', {...model.values.state, image: 'crop:6'}); model.trigger('change:state'); }")
    expect(page.get_by_test_id("title")).to_contain_text("drawing 6")
    values = api.scene(asked(api, "scene")[-1][0]).map
    assert values.min() < 0 < values.max()
    expect(page.get_by_test_id("unit-least")).to_have_text(re.compile(f"^[-−]{-values.min():.2f}$"))


def test_the_layer_stays_named_when_python_sets_something_else(open_page):
    page = open_page()
    named = page.get_by_test_id("layer").input_value()
    assert named != page.get_by_test_id("layer").locator("option").first.get_attribute("value")
    page.evaluate("() => { model.set('state', {...model.values.state, overlay: 0.5}); model.trigger('change:state'); }")
    page.wait_for_function("() => model.sent.filter((one) => one.kind === 'hello').length === 2")
    settled(page)
    page.wait_for_timeout(100)
    assert page.get_by_test_id("layer").input_value() == named


def test_fill_size_stride_and_border(api, open_page):
    page = open_page()
    patch = page.get_by_test_id("patches")
    page.get_by_test_id("fill-colour-input").fill("#ff0000")
    page.wait_for_function("() => document.querySelector('[data-testid=fill-colour]').getAttribute('aria-checked') === 'true'")
    page.wait_for_function("() => { const c = document.querySelector('[data-testid=patches]');"
                           " return c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[1] === 0; }")  # fmt: skip
    assert pixel(patch, 0.5, 0.5) == [255, 0, 0, 255]
    page.get_by_test_id("fill-blur").click()
    page.wait_for_function("() => model.values.state.fill === 'blur'")
    settled(page)
    assert asked(api, "answer")[-1][0].fill == "blur"
    page.get_by_test_id("window-width").fill("24")
    expect(page.get_by_test_id("window-height-value")).to_have_text("24 px")
    page.get_by_test_id("linked").uncheck()
    page.get_by_test_id("window-height").fill("10")
    settled(page)
    assert boxes(api) == [(20, 27, 44, 37)]
    page.get_by_test_id("stride").select_option("4")
    page.get_by_test_id("border").select_option("same")
    page.wait_for_function("() => model.values.state.border === 'same'")
    expect(page.get_by_test_id("maps-words")).to_contain_text("256 positions")
    last = asked(api, "start_maps")[-1][1]
    assert (last.window, last.stride, last.border) == ((10, 24), (4, 4), "same")
    assert len(api.runs) <= 4, "a slider that is still drawn starts no maps"


def test_a_colour_is_not_offered_where_nobody_knows_what_it_is_to_the_network(api, open_page):
    api.colours_known = False
    page = open_page()
    for name in ("fill-colour", "fill-colour-input"):
        expect(page.get_by_test_id(name)).to_be_hidden()
    expect(page.get_by_test_id("fill-gray")).to_have_attribute("title", re.compile("whatever colour"))
    page.get_by_test_id("fill-blur").click()
    page.get_by_test_id("fill-blur").press("ArrowRight")
    expect(page.get_by_test_id("fill-gray")).to_have_attribute("aria-checked", "true")


def test_another_image_by_looking_for_it(api, open_page):
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
    page.get_by_test_id("image-search").fill("nothing like it")
    expect(page.get_by_test_id("image-count")).to_have_text("no image matches “nothing like it”")


SLOW_DECODING = """() => {
  const decode = createImageBitmap, waiting = [];
  globalThis.createImageBitmap = async (data) => {
    await new Promise((resolve) => waiting.push(resolve));
    return await decode(data);
  };
  globalThis.decoding = waiting;
}"""

ANSWER_ALL_BUT_THIS_IMAGE = """() => {
  globalThis.answerAll = model.deliver;
  model.deliver = (one) => (one.kind === "patch" && one.request.image === "crop:6" ? model.waiting.push(one) : answerAll(one));
  model.release();
}"""


def test_an_answer_about_the_image_before_is_not_shown_for_this_one(api, open_page):
    page = open_page()
    page.evaluate(SLOW_DECODING)
    page.evaluate("() => { model.set('state', {...model.values.state, image: 'crop:6'}); model.trigger('change:state'); }")
    page.wait_for_function("() => decoding.length === 2")
    page.evaluate("model.blocked = true")
    page.get_by_test_id("stage").focus()
    page.keyboard.press("ArrowDown")  # the image before is still there
    page.wait_for_function("() => model.waiting.some((one) => one.kind === 'patch' && one.request.image === 'crop:0')")
    page.evaluate("() => decoding.forEach((done) => done())")
    expect(page.get_by_test_id("title")).to_contain_text("drawing 6")
    shown = "() => document.querySelector('[data-testid=activity-now]').textContent"
    unoccluded = page.evaluate(shown)
    page.evaluate(ANSWER_ALL_BUT_THIS_IMAGE)
    page.wait_for_function("() => model.waiting.some((one) => one.request.image === 'crop:6')")
    assert page.evaluate(shown) == unoccluded
    page.evaluate("() => { model.deliver = answerAll; model.release(); }")
    settled(page)
    assert page.evaluate(shown) != unoccluded


def png_file(colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (80, 80), colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_image_is_uploaded_and_shown(api, open_page):
    page = open_page()
    page.get_by_test_id("tab-images").click()
    page.get_by_test_id("upload-file").set_input_files({"name": "red.png", "mimeType": "image/png", "buffer": png_file()})
    expect(page.get_by_test_id("title")).to_contain_text("red.png")
    page.wait_for_function("() => model.values.state.image === 'upload:0'")
    expect(page.get_by_test_id("status")).to_have_text("Showing red.png.")
    expect(page.get_by_test_id("image").first).to_have_attribute("data-image", "upload:0")
    page.get_by_test_id("upload-file").set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"not an image"})
    expect(page.get_by_test_id("upload-words")).to_contain_text("notes.txt is not an image that can be read")
    expect(page.get_by_test_id("title")).to_contain_text("red.png")
    page.get_by_test_id("upload-file").set_input_files({"name": "huge.png", "mimeType": "image/png", "buffer": b"x" * 9_000_000})
    expect(page.get_by_test_id("upload-words")).to_contain_text("huge.png has 9 MB")
    page.get_by_test_id("image").first.click()  # the one that is shown
    expect(page.get_by_test_id("upload-words")).to_be_hidden()
    page.get_by_test_id("image").nth(1).click()
    expect(page.get_by_test_id("title")).to_contain_text("drawing 0")


def test_what_is_wrong_with_an_image_is_told_once_where_one_looks(api, open_page):
    page = open_page(tab="images")
    page.evaluate("() => { model.values.height = 630; model.trigger('change:height'); }")
    width = page.get_by_test_id("stage").bounding_box()["width"]
    page.get_by_test_id("upload-file").set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"not an image"})
    expect(page.get_by_test_id("upload-words")).to_be_visible()
    expect(page.get_by_test_id("stage-words")).to_be_hidden()
    page.get_by_test_id("tab-maps").click()
    expect(page.get_by_test_id("stage-words")).to_contain_text("notes.txt is not an image that can be read")
    assert page.locator(".dwo-left").evaluate("(pane) => pane.scrollHeight > pane.clientHeight"), "the words take room"
    page.add_style_tag(content=".dwo-left { border-right: 15px solid }")  # as a scrollbar, of which headless Chromium has none
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
  const offered = !document.querySelector("[data-testid=drop-hint]").hidden;
  return [offered, fire("dragover"), fire("drop")];
}"""


def test_an_image_is_dropped_on_the_image(api, open_page):
    page = open_page()
    page.evaluate("globalThis.leaked = 0; document.addEventListener('drop', () => { leaked += 1; })")
    offered, over, dropped = page.evaluate(DROP, [("green.png", base64.b64encode(png_file((20, 200, 60))).decode())])
    assert offered
    assert not over, "the page does not open it"
    assert not dropped
    assert page.evaluate("leaked") == 0, "nor does the notebook"
    expect(page.get_by_test_id("title")).to_contain_text("green.png")
    expect(page.get_by_test_id("drop-hint")).to_be_hidden()
    page.evaluate(DROP, [("broken.jpg", base64.b64encode(b"broken").decode())])
    expect(page.get_by_test_id("stage-words")).to_contain_text("broken.jpg is not an image")
    page.evaluate(DROP, [])
    expect(page.get_by_test_id("stage-words")).to_contain_text("Only files can be dropped")


@pytest.mark.parametrize("then", ["target", "layer", "window", "fill", "patch"])
def test_what_was_wrong_with_an_image_is_over_with_the_next_act(open_page, then):
    page = open_page()
    page.evaluate(DROP, [])
    expect(page.get_by_test_id("stage-words")).to_contain_text("Only files can be dropped")
    acts = {
        "target": lambda: page.get_by_test_id("answer").nth(1).click(),
        "layer": lambda: page.get_by_test_id("layer").select_option("conv1"),
        "window": lambda: page.get_by_test_id("window-height").fill("20"),
        "fill": lambda: page.get_by_test_id("fill-blur").click(),
        "patch": lambda: page.mouse.click(*at(page, 20, 20)),
    }
    acts[then]()
    expect(page.get_by_test_id("stage-words")).to_be_hidden()


def test_of_several_images_the_first_is_shown_and_that_is_said(open_page):
    page = open_page()
    page.evaluate(DROP, [(name, base64.b64encode(png_file()).decode()) for name in ("a.png", "b.png", "c.png")])
    expect(page.get_by_test_id("title")).to_contain_text("a.png")
    expect(page.get_by_test_id("status")).to_have_text("Showing a.png; the other 2 files were ignored: drop one at a time.")


@pytest.fixture
def without_classifier(service: FakeOcclusionService) -> None:
    service.classifier = None


def test_without_a_classifier_it_says_so_and_shows_activity(without_classifier, api, service, open_page):
    page = open_page()
    expect(page.get_by_test_id("no-classifier")).to_contain_text("This model has no classifier")
    expect(page.get_by_test_id("train-own")).to_contain_text("Or train your own")
    expect(page.get_by_test_id("name-classes")).to_contain_text("ModelBundle.from_module(model, categories=[…])")
    expect(page.get_by_test_id("answers")).to_be_hidden()
    expect(page.get_by_test_id("map-probability")).to_be_hidden()
    expect(page.get_by_test_id("map-label")).to_be_hidden()
    expect(page.get_by_test_id("map-activity")).to_be_visible()
    expect(page.get_by_test_id("over-label")).to_be_hidden()
    page.mouse.click(*at(page, 40, 40))
    page.wait_for_function("() => /\\d/.test(document.querySelector('[data-testid=activity-now]').textContent)")
    page.get_by_test_id("overlay").fill("50")
    expect(page.get_by_test_id("overlay-map")).to_be_visible()
    page.get_by_test_id("copy-panel").click()
    expect(page.get_by_test_id("status")).to_contain_text("dw.TransferPanel(service)")  # a page without a clipboard shows the line
    page.get_by_test_id("use-bundled").click()
    expect(page.get_by_test_id("status")).to_have_text("The bundled Caltech-101 classifier answers now.")
    tell(page, "changed")
    expect(page.get_by_test_id("no-classifier")).to_be_hidden()
    expect(page.get_by_test_id("answer")).to_have_count(5)
    expect(page.get_by_test_id("map-probability")).to_be_visible()


def test_where_no_classifier_is_offered_there_is_no_or(without_classifier, api, open_page, monkeypatch):
    choices = api.choices
    monkeypatch.setattr(api, "choices", lambda: replace(choices(), bundled_head=False))
    page = open_page()
    expect(page.get_by_test_id("use-bundled")).to_be_hidden()
    expect(page.get_by_test_id("train-own")).to_have_text(re.compile("^Train your own"))


def test_what_excites_a_map_is_looked_at_closely(open_page):
    page = open_page()
    look, small = page.get_by_test_id("enlarged"), page.get_by_test_id("projection").nth(1)
    expect(look).to_be_hidden()
    small.get_by_role("button").click()
    expect(look).to_contain_text("drawing 21: 8.00")
    large = look.locator("img")
    assert large.evaluate_all("(all) => all.map((one) => one.naturalWidth)") == [240, 240]
    widths = [image.bounding_box()["width"] for image in large.all()]
    assert all(width >= 3 * small.locator("img").first.bounding_box()["width"] for width in widths)
    assert [image.get_attribute("alt") for image in large.all()] == ["Projection: drawing 21", "Image patch: drawing 21"]
    page.mouse.click(5, 5)
    expect(look).to_be_hidden()
    small.get_by_role("button").press("Enter")
    expect(look).to_be_visible()
    page.keyboard.press("Escape")
    expect(look).to_be_hidden()
    expect(small.get_by_role("button")).to_be_focused()
    small.get_by_role("button").click()
    page.keyboard.press("Enter")  # on the button that closes it
    expect(look).to_be_hidden()


def test_the_fills_say_what_they_are(open_page):
    page = open_page()
    for fill, words in (("gray", "mean colour of the training images"), ("mean", "mean colour of this image"), ("blur", "blurred")):
        expect(page.get_by_test_id(f"fill-{fill}")).to_have_attribute("title", re.compile(words))


def test_one_click_opens_both_lines_of_the_header(service, open_page, monkeypatch):
    overview = service.overview
    monkeypatch.setattr(service, "overview", lambda: replace(overview(), images="gratings " * 40, notes=("noted " * 60,)))
    page = open_page()
    origin, notes = page.get_by_test_id("origin"), page.get_by_test_id("notes")
    cut = "(line) => line.scrollWidth > line.clientWidth"
    assert origin.evaluate(cut)
    assert notes.evaluate(cut)
    notes.click()
    assert not origin.evaluate(cut)
    assert not notes.evaluate(cut)


def test_another_head_keeps_the_target_where_it_has_it(api, service, open_page):
    page = open_page(target="lamp")
    service.version += 1
    tell(page, "changed")
    page.wait_for_function("() => model.sent.filter((one) => one.kind === 'scene').length === 2")
    expect(page.get_by_test_id("map-probability-title")).to_have_text("Probability of lamp")
    service.classifier, service.version = None, service.version + 1
    tell(page, "changed")
    expect(page.get_by_test_id("no-classifier")).to_be_visible()


def test_a_target_that_another_head_does_not_have_is_dropped_for_python_too(api, service, open_page, monkeypatch):
    page = open_page(target="lamp")
    choices = api.choices
    monkeypatch.setattr(api, "choices", lambda: replace(choices(), classes=("cougar face", "tram", *KINDS[2:])))
    service.version += 1
    tell(page, "changed")
    expect(page.get_by_test_id("status")).to_have_text("“lamp” is not a class of the present classifier.")
    page.wait_for_function("() => model.values.state.target === null")
    tell(page, "changed")  # something else: the words are true still
    page.wait_for_function("() => model.sent.filter((one) => one.kind === 'hello').length === 3 && !model.inFlight")
    expect(page.get_by_test_id("status")).to_contain_text("lamp")
    monkeypatch.setattr(api, "choices", choices)
    service.version += 1
    tell(page, "changed")
    expect(page.get_by_test_id("status")).to_have_text("")
    page.wait_for_function("() => model.values.state.target === null")


def test_exports_and_the_state_as_python(api, open_page):
    page = open_page(image="crop:3")
    for file in ("figure.png", "figure.svg", "figure.html", "maps.npz"):
        page.get_by_test_id("export-menu").click()
        with page.expect_download() as coming:
            page.get_by_test_id(f"export-{file}").click()
        assert coming.value.suggested_filename == f"fakenet-occlusion-drawing_3-{file}"
        expect(page.get_by_test_id("status")).to_contain_text("Saved")
    kind, request, run, state = asked(api, "file")[-1]
    assert (kind, request.image, run) == ("maps.npz", "crop:3", 1)
    assert state["window"] == [16, 16]
    page.get_by_test_id("export-menu").click()
    page.get_by_test_id("copy-state").click()
    expect(page.get_by_test_id("status")).to_contain_text('explorer.state = {"image": "crop:3"')


def test_the_chart_is_opened_with_its_tab_and_follows_the_map(api, open_page):
    api.at_once = False
    page = open_page()
    run = page.evaluate("model.sent.length") and max(api.runs)
    assert page.get_by_test_id("chart").count() == 0
    page.get_by_test_id("tab-chart").click()
    expect(page.get_by_test_id("chart-words")).to_contain_text("first positions of the map")
    api.advance(run, 3)
    tell(page)
    heatmap = page.locator("[data-testid=chart] .heatmaplayer image")
    expect(heatmap.first).to_be_attached(timeout=30_000)
    expect(page.get_by_test_id("chart-words")).to_be_hidden()
    expect(page.locator("[data-testid=chart] .gtitle")).to_contain_text("probability of")
    page.get_by_test_id("charted-activity").click()
    expect(page.locator("[data-testid=chart] .gtitle")).to_contain_text("total activity of")
    page.wait_for_function("() => model.values.state.map === 'activity'")
    asked_for = page.evaluate("model.sent.filter((one) => one.kind === 'chart').length")
    api.advance(run)
    tell(page)
    page.wait_for_function(f"() => model.sent.filter((one) => one.kind === 'chart').length > {asked_for}")
    page.get_by_test_id("tab-maps").click()
    expect(page.get_by_test_id("chart")).to_be_hidden()
