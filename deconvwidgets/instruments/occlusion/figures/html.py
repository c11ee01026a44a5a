"""The figure of an occlusion experiment as a standalone HTML page, with a patch to move over the positions of the maps."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

from deconvwidgets.display import COMPARED, DIVERGING, VIRIDIS, decode_image, viridis
from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.vector import data_uri
from deconvwidgets.instruments.occlusion.figures.pixels import label_pixels, value_pixels
from deconvwidgets.instruments.occlusion.figures.positions import has_positions, position_data
from deconvwidgets.instruments.occlusion.figures.sheet import NO_PROJECTIONS, OcclusionSheet, format_activity, image_name
from deconvwidgets.instruments.occlusion.records import ClassShare, ValueMap
from deconvwidgets.records.quantity import format_percent

_PIXELS = 640


def occlusion_page(sheet: OcclusionSheet) -> bytes:
    """Return the page."""
    against, scores = sheet.against(), sheet.quantity.format
    if against is not None:
        maps = f"""{_values(sheet, sheet.target_map, f"(b) {sheet.target_title()}", scores)}
{_values(sheet, "against", f"(c) {sheet.quantity.describe(against)}", scores)}
{_values(sheet, "difference", f"(d) difference: {sheet.target()} − {against}", scores)}"""
    else:
        maps = f"""{_values(sheet, "activity", f"(b) activity of {sheet.feature_map()}", format_activity)}
{_projections(sheet)}
{_values(sheet, sheet.target_map, f"(d) {sheet.target_title()}", scores) if sheet.target() is not None else ""}"""
    body = f"""<main class="occlusion">
{_image(sheet)}
{maps}
{_classes(sheet) if sheet.has_classes else ""}
</main>"""
    data = position_data(sheet)
    script = "" if data is None else (_FOLDER / "live_page.js").read_text("utf-8")
    return html_page(sheet.title(), sheet.subtitle(), body, sheet.caption(), _STYLE, script, data)


def _image(sheet: OcclusionSheet) -> str:
    """Return the input: with a patch that can be moved over the positions of the maps, or with the patches of the sheet without maps."""
    if has_positions(sheet):
        return _movable(sheet)
    height, width = sheet.size
    frames = "".join(
        f'<i class="patch" style="left:{100 * left / width:.2f}%;top:{100 * top / height:.2f}%;width:{100 * (right - left) / width:.2f}%;'
        f'height:{100 * (bottom - top) / height:.2f}%"></i>'
        for left, top, right, bottom in sheet.boxes
    )
    image = f'<img src="{data_uri(sheet.occluded(), photograph=True)}" alt="{escape(sheet.scene.caption, quote=True)}">'
    note = "" if sheet.result.classes else "<p>The model has no classifier.</p>"
    rows = "".join(
        f'<tr{" class=on" if share.label == sheet.scene.request.target else ""}><th scope="row">{escape(share.name)}</th>'
        f"{_bar(share) if sheet.has_classes else ''}<td>{escape(sheet.score_text(share))}</td></tr>"
        for share in sheet.listed()
    )
    heading = f"<p>{sheet.scores_title()}</p>" if sheet.boxes and rows else ""
    return (
        f'<figure><figcaption>(a) image</figcaption><div class="whole">{image}{frames}</div>{note}{heading}<table>{rows}</table></figure>'
    )


def _movable(sheet: OcclusionSheet) -> str:
    """Return the input with a patch; the script moves it, and fills the table."""
    pixels, fill = (data_uri(decode_image(image.data), photograph=False) for image in (sheet.scene.image, sheet.scene.fill))
    label = "Image with a patch: drag it, or move it with the arrow keys"
    image = f'<img src="{pixels}" alt="{escape(sheet.scene.caption, quote=True)}" draggable="false">'
    patch = f'<i class="window" style="background-image:url({fill})"></i>'
    heading = "Class probabilities with the patch (light: without)" if sheet.has_classes else "Value with the patch"
    return (
        f'<figure><figcaption>(a) image</figcaption><div id="image" class="whole" tabindex="0" role="group" aria-label="{label}">'
        f'{image}{patch}</div><p class="hint">Drag the patch, or use the arrow keys. Over a map, it follows the pointer.</p>'
        f'<p class="heading">{heading}</p><table id="scores"></table><p id="now" role="status"></p></figure>'
    )


def _bar(share: ClassShare) -> str:
    return (
        f'<td class="bar"><i class="before" style="width:{100 * share.before:.1f}%"></i>'
        f'<i class="now" style="width:{100 * share.now:.1f}%"></i></td>'
    )


def _values(sheet: OcclusionSheet, name: ValueMap, caption: str, text: Callable[[float], str]) -> str:
    value_map, pixels = sheet.value_map(name), value_pixels(sheet, name, _PIXELS)
    if value_map is None or pixels is None:
        return f"<figure><figcaption>{escape(caption)}</figcaption><p>The maps have not been computed.</p></figure>"
    low, before, high = (escape(text(number)) for number in (value_map[2], value_map[1], value_map[3]))
    scale = f'<div class="ends"><span>{low}</span><span>no patch: {before}</span><span>{high}</span></div>'
    below = _feature_maps(sheet) if name == "activity" else ""
    return _map(name, caption, pixels_uri=data_uri(pixels, photograph=False), below=f'<div class="scale {name}"></div>{scale}{below}')


def _map(name: str, caption: str, pixels_uri: str, below: str) -> str:
    picture = f'<img src="{pixels_uri}" alt="{escape(caption, quote=True)}" draggable="false">'
    image = f'<div class="whole map" data-map="{name}">{picture}<i class="cell"></i></div>'
    return f'<figure><figcaption>{escape(caption)}</figcaption>{image}<p class="tip">&nbsp;</p>{below}</figure>'


def _feature_maps(sheet: OcclusionSheet) -> str:
    """Return the feature map without and with the patches; only without them if the patch can be moved."""
    colour_range = sheet.map_colour_range()
    parts = [(sheet.scene.map, sheet.scene.activity, "feature map"), (sheet.result.map, sheet.result.activity, "with the patches")]
    cells = "".join(
        f'<div><img class="cells" src="{data_uri(viridis(values, *colour_range), photograph=False)}" alt="{title}"><p>{title}, sum '
        f"{format_activity(total)}</p></div>"
        for values, total, title in (parts if sheet.boxes and not has_positions(sheet) else parts[:1])
    )
    return f'<div class="pair">{cells}</div>'


def _projections(sheet: OcclusionSheet) -> str:
    caption = "<figcaption>(c) projections and patches</figcaption>"
    if not sheet.projections:
        return f"<figure>{caption}<p>{escape(sheet.projection_error or NO_PROJECTIONS)}</p></figure>"
    cells = "".join(
        f'<div><img src="{data_uri(decode_image(projection.projection.data), photograph=False)}" alt="projection">'
        f'<img src="{data_uri(decode_image(projection.patch.data), photograph=True)}" alt="patch"><p>'
        f"{escape(image_name(projection))} · {projection.value:.1f}</p></div>"
        for projection in sheet.projections
    )
    return f'<figure>{caption}<div class="pair">{cells}</div></figure>'


def _classes(sheet: OcclusionSheet) -> str:
    pixels = label_pixels(sheet, _PIXELS)
    if pixels is None:
        return ""
    rows = "".join(
        f'<li><i style="background:{sheet.colours[label]}"></i>{escape(name)}<span>{escape(format_percent(share))}</span></li>'
        for label, name, share in sheet.legend()
    )
    return _map("label", "(e) most probable class", data_uri(pixels, photograph=False), f'<ul class="legend">{rows}</ul>')


_FOLDER = Path(__file__).parent
_STYLE = (
    (_FOLDER / "live_page.css")
    .read_text("utf-8")
    .replace("/* VIRIDIS */", ", ".join(VIRIDIS))
    .replace("/* DIVERGING */", ", ".join(DIVERGING))
    .replace("/* COMPARED */", ", ".join(COMPARED))
)
