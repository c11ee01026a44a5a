"""The figure of an occlusion experiment as a standalone HTML page, in light and dark colours, with a map's values under the pointer."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape

import numpy as np

from deconvwidgets.display import DIVERGING, VIRIDIS, decode_image, viridis
from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.vector import data_uri
from deconvwidgets.instruments.occlusion.figures.pixels import label_pixels, map_edges, value_pixels
from deconvwidgets.instruments.occlusion.figures.sheet import NO_PROJECTIONS, OcclusionSheet, format_activity, image_name
from deconvwidgets.instruments.occlusion.records import ClassShare, ValueMap
from deconvwidgets.records.quantity import format_percent

_PIXELS = 640


def occlusion_page(sheet: OcclusionSheet) -> bytes:
    """Return the page."""
    target = f"(d) {sheet.target_title()}"
    body = f"""<main class="occlusion">
{_image(sheet)}
{_values(sheet, "activity", f"(b) activity of {sheet.feature_map()}", format_activity)}
{_projections(sheet)}
{_values(sheet, sheet.target_map, target, sheet.quantity.format) if sheet.target() is not None else ""}
{_classes(sheet) if sheet.has_classes else ""}
</main>"""
    return html_page(sheet.title(), sheet.subtitle(), body, sheet.caption(), _STYLE, _script(sheet))


def _image(sheet: OcclusionSheet) -> str:
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
        f'<figure><figcaption>(a) image</figcaption><div class="whole">{image}{frames}<i class="window"></i></div>'
        f"{note}{heading}<table>{rows}</table></figure>"
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
    scale = f'<div class="ends"><span>{low}</span><span>without a patch {before}</span><span>{high}</span></div>'
    below = _feature_maps(sheet) if name == "activity" else ""
    return _map(name, caption, pixels_uri=data_uri(pixels, photograph=False), below=f'<div class="scale {name}"></div>{scale}{below}')


def _map(name: str, caption: str, pixels_uri: str, below: str) -> str:
    image = f'<div class="whole map" data-map="{name}"><img src="{pixels_uri}" alt="{escape(caption, quote=True)}"></div>'
    return f'<figure><figcaption>{escape(caption)}</figcaption>{image}<p class="tip">&nbsp;</p>{below}</figure>'


def _feature_maps(sheet: OcclusionSheet) -> str:
    """Return the feature map without and with the patches."""
    colour_range = sheet.map_colour_range()
    parts = [(sheet.scene.map, sheet.scene.activity, "feature map"), (sheet.result.map, sheet.result.activity, "with the patches")]
    cells = "".join(
        f'<div><img class="cells" src="{data_uri(viridis(values, *colour_range), photograph=False)}" alt="{title}"><p>{title}, sum '
        f"{format_activity(total)}</p></div>"
        for values, total, title in (parts if sheet.boxes else parts[:1])
    )
    return f'<div class="pair">{cells}</div>'


def _projections(sheet: OcclusionSheet) -> str:
    caption = f"<figcaption>(c) projections of {escape(sheet.feature_map())}, and patches</figcaption>"
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


def _script(sheet: OcclusionSheet) -> str:
    """Return the script that shows the values under the pointer; empty if there are no maps."""
    maps = sheet.maps
    if maps is None or not maps.done:
        return ""
    height, width = sheet.size
    values: dict[str, list[list[str]]] = {"activity": _texts(maps.activity, format_activity)}
    if maps.scores is not None:
        values[sheet.target_map] = _texts(maps.scores, sheet.quantity.format)
    if maps.label is not None and maps.label_probability is not None:
        shares = _texts(maps.label_probability, format_percent)
        values["label"] = [
            [f"{maps.name(int(label))}, {share}" if label >= 0 else "" for label, share in zip(labels, row, strict=True)]
            for labels, row in zip(maps.label.tolist(), shares, strict=True)
        ]
    facts = {"size": [height, width], "edges": map_edges(maps), "stride": maps.stride, "window": maps.window, "values": values}
    return _SCRIPT.replace("FACTS", json.dumps(facts).replace("<", "\\u003c"))


def _texts(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], text: Callable[[float], str]) -> list[list[str]]:
    return [[text(value) if np.isfinite(value) else "" for value in row] for row in values.tolist()]


_STYLE = """
.occlusion { display: grid; gap: 24px 32px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 215px), 1fr)); }
figure { margin: 0; min-width: 0; }
figcaption { margin-bottom: 6px; font-weight: 600; overflow-wrap: anywhere; }
figure p { margin: 4px 0; color: var(--quiet); font-size: 13px; overflow-wrap: anywhere; }
.whole { position: relative; line-height: 0; overflow: hidden; }
.whole img, .pair img { width: 100%; display: block; }
.cells { image-rendering: pixelated; }
.patch, .window { position: absolute; box-sizing: border-box; outline: 1px solid #fff; outline-offset: -1px; }
.window { display: none; background: rgba(128, 128, 128, .75); }
.map { cursor: crosshair; }
.tip { font-variant-numeric: tabular-nums; min-height: 1.4em; }
.scale { height: 8px; background: linear-gradient(90deg, VIRIDIS); }
.scale.value { background: linear-gradient(90deg, DIVERGING); }
.ends { display: flex; justify-content: space-between; gap: 8px; color: var(--quiet); font-size: 13px; }
.ends span:not(:nth-child(2)) { white-space: nowrap; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 10px; margin-top: 10px; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 400; overflow-wrap: anywhere; width: 42%; }
tr.on th { font-weight: 600; }
th, td { padding: 3px 8px 3px 0; }
td:last-child { text-align: right; color: var(--quiet); padding-right: 0; white-space: nowrap; }
.bar { position: relative; width: 40%; background: linear-gradient(var(--line), var(--line)) left / calc(100% - 8px) 1px no-repeat; }
.bar i { position: absolute; left: 0; top: calc(50% - 4px); height: 8px; max-width: calc(100% - 8px); background: var(--soft); }
.bar i.now { background: var(--accent); }
.legend { list-style: none; margin: 0; padding: 0; }
.legend li { display: flex; gap: 8px; align-items: center; padding: 1px 0; overflow-wrap: anywhere; }
.legend i { width: 10px; height: 10px; flex: none; }
.legend span { margin-left: auto; white-space: nowrap; color: var(--quiet); font-variant-numeric: tabular-nums; }
""".replace("VIRIDIS", ", ".join(VIRIDIS)).replace("DIVERGING", ", ".join(DIVERGING))

# The value under the pointer is shown below the map, and the window on the image.
_SCRIPT = """
{
const facts = FACTS;
const [height, width] = facts.size, [left, top] = facts.edges, [strideY, strideX] = facts.stride;
const frame = document.querySelector(".window");
for (const map of document.querySelectorAll(".map")) {
  const values = facts.values[map.dataset.map], tip = map.parentElement.querySelector(".tip");
  map.addEventListener("pointermove", (event) => {
    const area = map.getBoundingClientRect();
    const row = Math.floor(((event.clientY - area.top) / area.height * height - top) / strideY);
    const column = Math.floor(((event.clientX - area.left) / area.width * width - left) / strideX);
    const value = values[row]?.[column];
    tip.textContent = value ?? "";
    frame.style.display = value ? "block" : "none";
    const [rows, columns] = facts.window;
    const corner = [left + (column + .5) * strideX - columns / 2, top + (row + .5) * strideY - rows / 2];
    Object.assign(frame.style, {
      left: `${100 * corner[0] / width}%`, top: `${100 * corner[1] / height}%`,
      width: `${100 * columns / width}%`, height: `${100 * rows / height}%`,
    });
  });
  map.addEventListener("pointerleave", () => { tip.textContent = "\\u00a0"; frame.style.display = "none"; });
}
}
"""
