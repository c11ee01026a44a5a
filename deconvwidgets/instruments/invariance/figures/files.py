"""Render curves as a file of any kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from deconvwidgets.arguments import describe, instance, one_of
from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.errors import InvarianceError
from deconvwidgets.figures.pdf import to_pdf
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg
from deconvwidgets.instruments.invariance.figures.drawing import invariance_drawing
from deconvwidgets.instruments.invariance.figures.html import invariance_page
from deconvwidgets.instruments.invariance.figures.sheet import title
from deconvwidgets.instruments.invariance.records import InvarianceCurves, Measure
from deconvwidgets.instruments.invariance.table import to_csv
from deconvwidgets.paths import as_path

_RENDERERS: dict[str, Callable[[InvarianceCurves, Measure], bytes]] = {
    "png": lambda curves, measure: to_png(invariance_drawing(curves, measure)),
    "svg": lambda curves, measure: to_svg(invariance_drawing(curves, measure)),
    "pdf": lambda curves, measure: to_pdf(invariance_drawing(curves, measure), title(curves)),
    "html": invariance_page,
    "csv": lambda curves, measure: to_csv(curves),
}
KINDS = tuple(_RENDERERS)


def invariance_file(curves: InvarianceCurves, kind: str, measure: Measure = "relative") -> bytes:
    """Return curves as the bytes of a file. Raises InvarianceError for an unknown kind or measure."""
    one_of(kind, "kind", KINDS, InvarianceError)
    one_of(measure, "measure", ("relative", "distance"), InvarianceError)
    return _RENDERERS[kind](curves, measure)


def save_invariance(curves: InvarianceCurves, path: str | Path, measure: Measure = "relative") -> Path:
    """Save invariance curves as a figure, a page or a table.

    Parameters
    ----------
    curves : InvarianceCurves
        What `dw.invariance` returned.
    path : str or path
        The file. Its suffix decides: .png, .svg, .pdf, .html (a standalone page) or .csv (a row per photograph, layer and amount).
    measure : {"relative", "distance"}
        The vertical axis of the layers' charts. The table has both.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    InvarianceError
        For another suffix or measure, or if the file cannot be written.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> curves = dw.invariance(dw.load_model("alexnet"), dw.open_images("photos"), "scale", [1, 1.5], photographs=1, progress=False)
    >>> dw.save_invariance(curves, "scale.csv").read_text().splitlines()[0][:27]
    'photograph,transform,amount'
    """
    instance(curves, InvarianceCurves, "curves", InvarianceError)
    target = as_path(path, "path", InvarianceError)
    kind = target.suffix.lower().lstrip(".")
    if kind not in KINDS:
        raise InvarianceError(f"Cannot save {describe(target.name)}: use a name ending in .{', .'.join(KINDS[:-1])} or .{KINDS[-1]}.")
    if not target.parent.is_dir():
        raise InvarianceError(f"The folder of {target} does not exist; create it first.")
    data = invariance_file(curves, kind, measure)
    try:
        return write_atomic(target, data)
    except OSError as error:
        raise InvarianceError(f"{target} cannot be written: {error.strerror}. {way_on(error, 'Choose another place')}.") from error
