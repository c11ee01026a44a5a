"""The page of a check in Chromium: light and dark, on a phone, without any request; and its other files."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

import deconvwidgets as dw
from deconvwidgets.instruments.comparison.check_limits import CheckLimits, Limit
from deconvwidgets.instruments.comparison.check_records import ChangeFigure, LayerCheck, UnitCheck
from deconvwidgets.instruments.comparison.figures.check_file import github_lines
from deconvwidgets.instruments.comparison.frozen_records import UnitStatistics
from deconvwidgets.records.layers import LayerInfo
from tests.widgets.chromium import browser as browser

NASTY = '</script><img src=x onerror="document.title=\'hacked\'"> "it\'s" & <!-- \x07'


def picture(red: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (144, 48), (red, 90, 60)).save(buffer, "WEBP")
    return buffer.getvalue()


def statistics(units: int, maximum: float) -> UnitStatistics:
    values = np.full(units, maximum, np.float32)
    return UnitStatistics(values, values / 2, values / 4, np.minimum(values, 1))


def result() -> UnitCheck:
    """A check of two layers: units 1 and 3 of the first one died and changed."""
    status = np.array(["kept", "died", "kept", "changed"])
    match, correlation = np.array([0, 1, 2, 3]), np.array([1.0, np.nan, 0.99, 0.7])
    info = LayerInfo("features.0", "conv1", "conv", 4, 9, 9, (3, 3), (1, 1), (0, 0))
    other = replace(info, name=NASTY, alias=None)
    first = LayerCheck(
        info=info, info_new=info, same_weights=False, status=status, reasons=("", "its unit is silent", "", NASTY), match=match,
        correlation=correlation, overlap=np.array([1.0, 0.0, 0.9, 0.2]), likeness=np.array([1.0, np.nan, 0.9, 0.5]),
        before=statistics(4, 2.0), after=statistics(4, 1.5), copies=((0, (3,)),), new=(),
    )  # fmt: skip
    second = replace(first, info=other, status=np.array(["kept"] * 4), reasons=("",) * 4, copies=())
    figures = tuple(
        ChangeFigure("features.0", unit, picture(40), picture(200), after, after, (NASTY,), (NASTY,) if after else ())
        for unit, after in ((1, b""), (3, picture(120)))
    )
    return UnitCheck(
        frozen_model=NASTY, frozen_weights="old", model="net (random weights)", weights="new", frozen_trained=True, trained=False,
        image_set=NASTY, crops=40,
        limits=CheckLimits(changed=Limit.of("20%")), layers=(first, second), figures=figures, notes=(NASTY,),
    )  # fmt: skip


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_works_alone_in_both_themes_and_on_a_phone(browser: Browser, tmp_path: Path, scheme: str) -> None:
    (tmp_path / "page.html").write_bytes(dw.check_file(result()))
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("request", lambda request: None if request.url.startswith(("data:", "file:")) else problems.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(".verdict")).to_have_text("Failed")
    expect(page.locator("h1")).to_contain_text("random weights")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator("article:visible")).to_have_count(2)
    page.get_by_label("Status").select_option("died")
    expect(page.locator("article:visible")).to_have_count(1)
    expect(page.locator("article:visible")).to_contain_text("Its unit is silent.")
    expect(page.locator("#count")).to_have_text("1 of 2 units")
    page.wait_for_function("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert page.title() != "hacked"
    assert problems == []
    page.close()


def test_the_other_files_have_the_same_numbers() -> None:
    found = result()
    rows = list(csv.DictReader(io.StringIO(dw.check_file(found, "csv").decode())))
    assert [row["status"] for row in rows[:4]] == ["kept", "died", "kept", "changed"]
    assert (rows[1]["correlation"], rows[3]["correlation"], rows[3]["mean_after"]) == ("", "0.7", "0.75")
    content = json.loads(dw.check_file(found, "json"))
    assert content["layers"][0]["units"][1]["correlation"] is None
    assert content["layers"][0]["split"] == {"0": [0, 3]}
    assert {verdict["kind"]: (verdict["found"], verdict["allowed"], verdict["passed"]) for verdict in content["verdicts"]} == {
        "died": (1, 0, False), "changed": (1, 1, True), "moved": (0, 8, True), "split": (1, 8, True),
    }  # fmt: skip
    suite = ElementTree.fromstring(dw.check_file(found, "xml"))
    failures = [case.get("classname") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert (suite.get("tests"), suite.get("failures"), failures) == ("8", "1", ["conv1"])


def test_lines_for_github_are_one_line_each() -> None:
    lines = list(github_lines(replace(result(), limits=CheckLimits(changed=Limit.of(0)))))
    assert lines[0] == "::error title=conv1%3A units died::1 of 4 units died: 1. 1 in all layers, 0 allowed (0)"
    assert len(lines) == 2
    assert not any("\n" in line for line in lines)
