"""The files of a study."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from deconvwidgets.errors import ServiceError
from deconvwidgets.figures.drawing import Polyline, Text
from deconvwidgets.instruments.ablation.figures.files import study_file
from deconvwidgets.instruments.ablation.figures.picture import ablation_drawing
from deconvwidgets.instruments.ablation.records import AblationTable
from deconvwidgets.instruments.ablation.table import rows
from tests.instruments.ablation.widget.fake_service import FakeStudy

TABLE = FakeStudy().table()


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_the_csv_has_the_numbers_of_the_table() -> None:
    first, second, third = read(study_file("ablation.csv", TABLE))
    change = TABLE.rows[1].top1_difference
    assert change is not None
    assert change.interval is not None
    assert (first["top1_difference"], first["paper_top1_error"], first["parameters"]) == ("", "0.384000", "62357608")
    assert float(second["top1_difference_low"]) == pytest.approx(change.interval[0], abs=1e-6)
    assert (float(second["paper_top1_difference"]), third["runs"], third["paper_top1_error"]) == (pytest.approx(-0.005), "2", "")
    runs = read(study_file("ablation-runs.csv", TABLE))
    assert [run["seed"] for run in runs] == ["0", "1", "2"] * 3
    assert (runs[-1]["phase"], runs[-1]["epoch"], runs[-1]["train_error"]) == ("running", "4", "")


def test_the_json_has_all_runs() -> None:
    plain = json.loads(study_file("ablation.json", TABLE))
    assert [len(row["runs"]) for row in plain["rows"]] == [3, 3, 3]
    assert plain["rows"][0]["runs"][1]["curve"][-1][2] == pytest.approx(TABLE.rows[0].runs[1].top1_error)


def test_the_dataframe_has_the_rows() -> None:
    pytest.importorskip("pandas")
    from deconvwidgets.instruments.ablation.table import to_dataframe

    frame = to_dataframe(TABLE)
    assert list(frame.columns) == list(rows(TABLE)[0])
    assert frame.attrs["baseline"] == "zfnet"


def test_the_drawing_and_the_page_show_errors_differences_and_the_paper() -> None:
    texts = [item.text for item in ablation_drawing(TABLE).items if isinstance(item, Text)]
    page = study_file("ablation.html", TABLE).decode()
    for text in ("41.0 ± 1.0%", "40.0% (−0.5)", "62.4 million", "56.5 ± 0.7%"):
        assert text in texts
        assert text in page
    intervals = [item for item in ablation_drawing(TABLE).items if isinstance(item, Polyline) and item.tone == "accent"]
    assert len(intervals) == 1  # the other difference has no interval
    (left, _), (right, _) = intervals[0].points
    assert left < right
    assert any("excludes" in text or "exclude 0 by chance" in text for text in texts)


@pytest.mark.parametrize("kind", ["ablation.png", "ablation.svg", "ablation.pdf"])
def test_pictures_are_made(kind: str) -> None:
    start = {"ablation.png": b"\x89PNG", "ablation.svg": b"<", "ablation.pdf": b"%PDF"}[kind]
    assert study_file(kind, TABLE).startswith(start)  # type: ignore[arg-type]


def test_nothing_is_saved_before_a_run_is_complete() -> None:
    with pytest.raises(ServiceError, match="no run of the study in runs/table3"):
        study_file("ablation.csv", FakeStudy(complete=False).table())
    with pytest.raises(ServiceError, match="There is no file"):
        study_file("ablation.doc", TABLE)  # type: ignore[arg-type]


def test_names_cannot_be_formulas_or_html() -> None:
    row = TABLE.rows[0]
    table: AblationTable = replace(TABLE, rows=(replace(row, variant=replace(row.variant, name="=1+1", description="<b>")),))
    assert read(study_file("ablation.csv", table))[0]["variant"] == "'=1+1"
    assert b"<b>" not in study_file("ablation.html", table)
