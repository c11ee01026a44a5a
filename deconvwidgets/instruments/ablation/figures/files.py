"""Render the table of an ablation study as a file of any kind."""

from __future__ import annotations

from collections.abc import Callable

from deconvwidgets.arguments import one_of
from deconvwidgets.errors import ServiceError
from deconvwidgets.figures.pdf import to_pdf
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg
from deconvwidgets.instruments.ablation.figures.page import ablation_page
from deconvwidgets.instruments.ablation.figures.picture import ablation_drawing
from deconvwidgets.instruments.ablation.figures.texts import title
from deconvwidgets.instruments.ablation.records import AblationFile, AblationTable
from deconvwidgets.instruments.ablation.table import runs_csv, to_csv, to_json

_RENDERERS: dict[AblationFile, Callable[[AblationTable], bytes]] = {
    "ablation.csv": to_csv,
    "ablation-runs.csv": runs_csv,
    "ablation.json": to_json,
    "ablation.html": ablation_page,
    "ablation.png": lambda table: to_png(ablation_drawing(table)),
    "ablation.svg": lambda table: to_svg(ablation_drawing(table)),
    "ablation.pdf": lambda table: to_pdf(ablation_drawing(table), title(table)),
}


def study_file(kind: AblationFile, table: AblationTable) -> bytes:
    """Return the table as the bytes of a file. Raises ServiceError for an unknown kind, and as long as no run is complete."""
    one_of(kind, "file", tuple(_RENDERERS))
    if not table.complete:
        raise ServiceError(f"There is nothing to save: no run of the study in {table.folder} is complete yet.")
    return _RENDERERS[kind](table)
