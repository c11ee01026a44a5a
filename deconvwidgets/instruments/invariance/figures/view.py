"""One transformed photograph as a picture: beside the photograph as it is, with the distances, the classes and the strongest units."""

from __future__ import annotations

from deconvwidgets.display import decode_image
from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, shorten
from deconvwidgets.figures.drawing_frame import EDGE, add_caption, add_title
from deconvwidgets.figures.raster import to_png
from deconvwidgets.instruments.invariance.records import InvarianceRequest, InvarianceView
from deconvwidgets.instruments.invariance.transforms import kind_of
from deconvwidgets.records.images import EncodedImage

_WIDTH, _TOP, _SIDE = 960.0, 74.0, 224.0
_LINE = 20.0
_BAR = 120.0


def view_file(view: InvarianceView, model: str, request: InvarianceRequest) -> bytes:
    """Return the picture as a PNG file."""
    return to_png(view_drawing(view, model, request), colours=256)


def view_drawing(view: InvarianceView, model: str, request: InvarianceRequest) -> Drawing:
    """Return the picture as a drawing."""
    kind = kind_of(request.transform)
    drawing = Drawing(_WIDTH)
    add_title(drawing, f"{model} · {kind.label.lower()} {kind.format(request.amount)}", view.caption)
    for number, (name, image) in enumerate((("as it is", view.original), ("transformed", view.picture))):
        _add_image(drawing, name, image, EDGE + number * (_SIDE + 16))
    left = EDGE + 2 * (_SIDE + 16) + 12
    bottom = _add_distances(drawing, view, request, left, _TOP)
    bottom = _add_classes(drawing, view, left, bottom + 12)
    bottom = max(_add_units(drawing, view, left, bottom + 12), _TOP + _SIDE + 34)
    add_caption(
        drawing,
        bottom,
        "Relative distance: the Euclidean distance between the features of both, divided by the norm of those of the photograph as it is. "
        f"{view.note} After Zeiler & Fergus 2014, figure 5.",
    )
    return drawing


def _add_image(drawing: Drawing, name: str, image: EncodedImage, x: float) -> None:
    scale = _SIDE / max(image.width, image.height)
    pixels = decode_image(image.data)
    drawing.add(Raster(x, _TOP, image.width * scale, image.height * scale, pixels, photograph=True, title=name))
    drawing.add(Text(x, _TOP + _SIDE + 18, name, 12, "quiet"))


def _add_distances(drawing: Drawing, view: InvarianceView, request: InvarianceRequest, x: float, y: float) -> float:
    drawing.add(Text(x, y + 6, "Relative distance", 13, strong=True))
    for number, (layer, relative) in enumerate(zip(request.layers, view.relative, strict=True), start=1):
        text = "undefined" if relative is None else f"{relative:.3f}"
        _add_row(drawing, layer, text, min(1.0, relative or 0.0), x, y + 6 + number * _LINE)
    return y + 6 + len(request.layers) * _LINE


def _add_classes(drawing: Drawing, view: InvarianceView, x: float, y: float) -> float:
    if not view.classes or view.quantity is None:
        return y
    drawing.add(Text(x, y + 16, "Classes" if view.quantity.kind == "probability" else "Outputs", 13, strong=True))
    for number, one in enumerate(view.classes, start=1):
        text = f"{view.quantity.format(one.now)} (as it is {view.quantity.format(one.before)})"
        share = one.now if view.quantity.kind == "probability" else 0.0
        _add_row(drawing, one.name, text, share, x, y + 16 + number * _LINE)
    return y + 16 + len(view.classes) * _LINE


def _add_units(drawing: Drawing, view: InvarianceView, x: float, y: float) -> float:
    numbers = ", ".join(str(one.unit) for one in view.units)
    drawing.add(
        Text(x, y + 16, f"Strongest units of {view.layer}", 13, strong=True),
        Text(x, y + 16 + _LINE, shorten(numbers, 12, _WIDTH - EDGE - x), 12, "quiet"),
        Text(x, y + 16 + 2 * _LINE, f"{view.kept} of {len(view.units)} are so for the photograph as it is", 12, "quiet"),
    )
    return y + 16 + 2 * _LINE


def _add_row(drawing: Drawing, name: str, text: str, share: float, x: float, y: float) -> None:
    drawing.add(Text(x, y, shorten(name, 12, 110), 12), Rectangle(x + 118, y - 9, _BAR, 10, "line"))
    if share > 0:
        drawing.add(Rectangle(x + 118, y - 9, _BAR * share, 10, "accent"))
    drawing.add(Text(x + 118 + _BAR + 8, y, text, 12, "quiet"))
