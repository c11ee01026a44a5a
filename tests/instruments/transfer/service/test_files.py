"""Files of a run: CSV tables, a PNG image and an HTML page."""

import csv
import io
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.errors import HeadError, ServiceError
from deconvwidgets.figures.class_results import ranked, worst
from deconvwidgets.figures.confusion import confusion_pixels
from deconvwidgets.instruments.transfer.figures.sheet import TransferSheet
from deconvwidgets.instruments.transfer.records import TestsRequest


@pytest.fixture
def api(service, settings):
    service.transfer.start(settings(folds=3, curve=(1, 5)))
    return service.transfer


def read_csv(data):
    return list(csv.reader(io.StringIO(data.decode())))


def test_photographs_csv_lists_every_test(api):
    table = read_csv(api.file(1, "photographs.csv"))
    results, tests = api.results(1), api.photographs(1, TestsRequest(limit=1000)).photographs
    assert table[0] == ["fold", "photograph", "truth", "prediction", "confidence", "correct"]
    names = results.categories
    expected = {(str(t.fold + 1), t.name, names[t.truth], names[t.prediction], str(int(t.truth == t.prediction))) for t in tests}
    assert {(*row[:4], row[5]) for row in table[1:]} == expected
    assert len(table) == len(tests) + 1
    assert sum(int(row[5]) for row in table[1:]) == np.trace(results.confusion)
    assert all(1 / 3 <= float(row[4]) <= 1 for row in table[1:])


def test_classes_csv_contains_the_most_common_mistakes(api):
    table, results = read_csv(api.file(1, "classes.csv")), api.results(1)
    assert table[0] == ["class", "tests", "accuracy", "most common mistake", "times"]
    for number, (name, tests, accuracy, mistake, times) in enumerate(table[1:]):
        assert (name, int(tests)) == (results.categories[number], results.class_tests[number])
        assert float(accuracy) == pytest.approx(results.class_accuracy[number], abs=1e-6)
        wrong = [count for other, count in enumerate(results.confusion[number]) if other != number]
        assert int(times or 0) == max(wrong)
        assert (mistake == "") == (max(wrong) == 0)
        if mistake:
            assert results.confusion[number, results.categories.index(mistake)] == max(wrong)


@pytest.mark.parametrize("kind", ["photographs.csv", "classes.csv"])
def test_csv_escapes_formulas(service, settings, colours, kind):
    names = {"brick": "=cmd|' calc'!A1", "grass": "@SUM(1,2)", "sea": "+sea"}
    for old, new in names.items():
        os.rename(colours / old, colours / new)
    os.rename(colours / "@SUM(1,2)" / "grass_0.png", colours / "@SUM(1,2)" / '-1+2", "x.png')
    service.transfer.start(settings())
    table = read_csv(service.transfer.file(1, kind))
    width = len(table[0])
    assert all(len(row) == width for row in table)
    cells = [cell for row in table[1:] for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {"'=cmd|' calc'!A1", "'@SUM(1,2)", "'+sea"} <= set(cells)


def test_csv_quotes_line_breaks(service, settings, colours):
    names = ["a\r=1+2.png", "b\n=1+2.png", 'c",\r\n=1+2.png']
    for number, name in enumerate(names):
        os.rename(colours / "sea" / f"sea_{number}.png", colours / "sea" / name)
    service.transfer.start(settings(images_per_class=1, folds=3))
    data = service.transfer.file(1, "photographs.csv").decode()
    table = list(csv.reader(io.StringIO(data, newline="")))
    assert {len(row) for row in table} == {6}
    assert {f"sea/{name}" for name in names} <= {row[1] for row in table}
    unquoted = re.sub(r'"(?:[^"]|"")*"', "", data)
    assert set(re.findall(r"[\r\n]+.", unquoted)) == {"\r\n1", "\r\n2", "\r\n3"}  # every row begins with its fold


def test_png(api):
    data = api.file(1, "results.png")
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.width) == ("PNG", 1200)
    assert 300 < image.height < 900
    assert len(data) < 120_000
    pixels = np.asarray(image.convert("RGB"))
    assert (pixels != 255).any(axis=2).mean() > 0.1


def test_worst_classes_are_sorted_by_accuracy(api):
    results = api.results(1)
    sheet = TransferSheet("tiny", "random", results, (), ())
    classes = sheet.classes()
    bad, best = worst(classes, 10), ranked(classes)
    expected = sorted((float(share), name) for share, name in zip(results.class_accuracy, results.categories, strict=True) if share < 1)
    assert [result.accuracy for result in bad] == [share for share, _ in expected]
    assert {result.name for result in bad} == {name for _, name in expected}
    assert best[0].accuracy == results.class_accuracy.max()
    assert [result.name for result in worst(classes, 1)] == [bad[0].name]


class Page(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_html_is_standalone_and_complete(service, api, settings):
    text = api.file(1, "results.html").decode()
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)|url\(|@import|https?:""", text)
    page = Page(text)
    content = " ".join(page.text)
    run, report = api.results(1).summary, api._runs.get(1).require_report()
    assert f"{100 * run.mean:.1f} ± {100 * run.std:.1f}%" in content
    for number, share in enumerate(run.per_fold, 1):
        assert f"fold {number}" in content
        assert f"{100 * share:.1f}%" in content
    for expected in (
        "3 of 3 folds",
        "colours",
        "conv2",
        report.head.digest,
        api._runs.get(1).images.digest,
        "chosen on held-out",
        "5 per class",
    ):
        assert expected in content
    assert [attributes["src"][:22] for tag, attributes in page.tags if tag == "img"] == ["data:image/png;base64,"]


def test_html_states_whether_the_weight_decay_was_chosen(service, settings):
    for weight_decay, chosen in ((None, True), (0.001, False)):
        service.transfer.start(settings(weight_decay=weight_decay))
        text = service.transfer.file(service.transfer.status().runs[-1].run, "results.html").decode()
        assert ("the weight decay is chosen on held-out training images" in text) == chosen


def test_html_escapes_names(service, settings, colours):
    os.rename(colours / "sea", colours / "<script>alert(1)<")
    (colours / "grass" / "<script>alert(2)<.png").write_bytes(b"not an image")
    renamed = colours.rename(colours.with_name("<script>alert(3)<"))
    service.transfer.start(settings(data=str(renamed)))
    text = service.transfer.file(1, "results.html").decode()
    assert "<script>alert" not in text
    assert text.count("<script") == 2, "its own: the data and the script"
    for number in (1, 2, 3):
        assert f"&lt;script&gt;alert({number})&lt;" in text


def test_html_contains_the_results_of_the_paper(service, settings, tmp_path, class_folders, monkeypatch):
    class_folders(tmp_path / "caltech101" / "101_ObjectCategories", each=20)
    service.transfer.start(settings(data="caltech101", root=str(tmp_path), images_per_class=15))
    run = service.transfer.status().runs[0]
    assert run.dataset == "Caltech-101"
    assert [(row.mean, row.std, row.images_per_class) for row in run.paper] == [(83.8, 0.5, 15), (22.8, 1.5, 15)]
    text = service.transfer.file(1, "results.html").decode()
    assert "83.8 ± 0.5%" in text
    assert service.transfer.file(1, "results.png")


def test_unknown_runs_and_kinds_raise_errors(service, api, settings):
    with pytest.raises(ServiceError, match=r"photographs\.csv, classes\.csv, results\.png, results\.svg, results\.pdf, results\.html"):
        api.file(1, "results.gif")
    with pytest.raises(HeadError, match="no run 2"):
        api.file(2, "results.png")


def test_confusion_pixels_show_single_errors_and_the_diagonal():
    confusion = np.diag([50, 50, 0]).astype(np.int64)
    confusion[0, 1] = 1
    pixels = confusion_pixels(confusion, 30).astype(int)
    assert pixels.shape == (30, 30, 3)
    cell = pixels[5::10, 5::10]
    empty = cell[2, 0]
    assert (cell[2] == empty).all()  # a class without tests
    assert cell[1, 1, 2] - cell[1, 1, 0] > 100  # blue
    assert cell[0, 1, 0] - cell[0, 1, 2] > 30  # red, for 1 of 51
    assert confusion_pixels(np.eye(257, dtype=np.int64), 420).shape == (514, 514, 3)
