"""The paper's figure 7 as one HTML file: light and dark, a map's values under the pointer, nothing fetched."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape

import numpy as np

from deconvwidgets.display import decode_image, viridis
from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.vector import data_uri
from deconvwidgets.instruments.occlusion.figures.pixels import label_pixels, map_edges, value_pixels
from deconvwidgets.instruments.occlusion.figures.sheet import OcclusionSheet, activity_words, percent
from deconvwidgets.instruments.occlusion.records import ValueMap

_PIXELS = 640


def occlusion_page(sheet: OcclusionSheet) -> bytes:
    """A standalone page."""
    probability = f"(d) probability of {sheet.target()}"
    body = f"""<main class="occlusion">
{_image(sheet)}
{_values(sheet, "activity", f"(b) activity of {sheet.watched()}", activity_words)}
{_projections(sheet)}
{_values(sheet, "probability", probability, percent) if sheet.target() else ""}
{_classes(sheet)}
</main>"""
    return html_page(sheet.title(), sheet.subtitle(), body, sheet.caption(), _STYLE, _script(sheet))


def _image(sheet: OcclusionSheet) -> str:
    height, width = sheet.size
    frames = "".join(
        f'<i class="patch" style="left:{100 * left / width:.2f}%;top:{100 * top / height:.2f}%;width:{100 * (right - left) / width:.2f}%;'
        f'height:{100 * (bottom - top) / height:.2f}%"></i>'
        for left, top, right, bottom in sheet.boxes
    )
    picture = f'<img src="{data_uri(sheet.occluded(), photograph=True)}" alt="{escape(sheet.scene.caption, quote=True)}">'
    head = "" if sheet.answer.classes else "<p>The network has no classifier: it names no class.</p>"
    rows = "".join(
        f'<tr{" class=on" if share.label == sheet.scene.wanted.target else ""}><th scope="row">{escape(share.name)}</th><td class="bar">'
        f'<i class="before" style="width:{100 * share.before:.1f}%"></i><i class="now" style="width:{100 * share.now:.1f}%"></i></td>'
        f"<td>{escape(percent(share.now))}</td></tr>"
        for share in sorted(sheet.answer.classes, key=lambda one: (-one.now, one.label))
    )
    told = "<p>with the patches (light: without)</p>" if sheet.boxes and rows else ""
    return (
        f'<figure><figcaption>(a) the image</figcaption><div class="whole">{picture}{frames}<i class="window"></i></div>'
        f"{head}{told}<table>{rows}</table></figure>"
    )


def _values(sheet: OcclusionSheet, name: ValueMap, caption: str, words: Callable[[float], str]) -> str:
    found, pixels = sheet.values(name), value_pixels(sheet, name, _PIXELS)
    if found is None or pixels is None:
        return f"<figure><figcaption>{escape(caption)}</figcaption><p>The maps have not been computed.</p></figure>"
    said = [escape(words(number)) for number in (found[2], found[1], found[3])]
    ends = f'<div class="ends"><span>{said[0]}</span><span>without a patch {said[1]}</span><span>{said[2]}</span></div>'
    itself = _itself(sheet) if name == "activity" else ""
    return _map(name, caption, pixels_uri=data_uri(pixels, photograph=False), below=f'<div class="scale"></div>{ends}{itself}')


def _map(name: str, caption: str, pixels_uri: str, below: str) -> str:
    picture = f'<div class="whole map" data-map="{name}"><img src="{pixels_uri}" alt="{escape(caption, quote=True)}"></div>'
    return f'<figure><figcaption>{escape(caption)}</figcaption>{picture}<p class="tip">&nbsp;</p>{below}</figure>'


def _itself(sheet: OcclusionSheet) -> str:
    span = sheet.map_span()
    parts = [(sheet.scene.map, sheet.scene.activity, "the map itself"), (sheet.answer.map, sheet.answer.activity, "with the patches")]
    shown = parts if sheet.boxes else parts[:1]
    cells = "".join(
        f'<div><img class="cells" src="{data_uri(viridis(values, *span), photograph=False)}" alt="{words}"><p>{words}, sum '
        f"{activity_words(total)}</p></div>"
        for values, total, words in shown
    )
    return f'<div class="pair">{cells}</div>'


def _projections(sheet: OcclusionSheet) -> str:
    caption = f"<figcaption>(c) projections of {escape(sheet.watched())}, and what it saw</figcaption>"
    if not sheet.projections:
        return f"<figure>{caption}<p>{escape(sheet.refusal or 'This map fires nowhere in this image.')}</p></figure>"
    cells = "".join(
        f'<div><img src="{data_uri(decode_image(one.projection.data), photograph=False)}" alt="projection">'
        f'<img src="{data_uri(decode_image(one.patch.data), photograph=True)}" alt="what it saw"><p>'
        f"{escape('this image' if one.own else one.caption.partition(' · ')[0])} · {one.value:.1f}</p></div>"
        for one in sheet.projections
    )
    return f'<figure>{caption}<div class="pair">{cells}</div></figure>'


def _classes(sheet: OcclusionSheet) -> str:
    pixels = label_pixels(sheet, _PIXELS)
    if pixels is None:
        return ""
    rows = "".join(
        f'<li><i style="background:{sheet.colours[label]}"></i>{escape(name)}<span>{escape(percent(share))}</span></li>'
        for label, name, share in sheet.legend()
    )
    return _map("label", "(e) most probable class", data_uri(pixels, photograph=False), f'<ul class="legend">{rows}</ul>')


def _script(sheet: OcclusionSheet) -> str:
    """The values, and what shows them under the pointer."""
    maps = sheet.maps
    if maps is None or not maps.done:
        return ""
    height, width = sheet.size
    values: dict[str, list[list[str]]] = {"activity": _said(maps.activity, activity_words)}
    if maps.probability is not None:
        values["probability"] = _said(maps.probability, percent)
    if maps.label is not None and maps.label_probability is not None:
        shares = _said(maps.label_probability, percent)
        values["label"] = [
            [f"{maps.name(int(label))}, {share}" if label >= 0 else "" for label, share in zip(labels, row, strict=True)]
            for labels, row in zip(maps.label.tolist(), shares, strict=True)
        ]
    facts = {"size": [height, width], "edges": map_edges(maps), "stride": maps.stride, "window": maps.window, "values": values}
    return _SCRIPT.replace("FACTS", json.dumps(facts).replace("<", "\\u003c"))


def _said(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], words: Callable[[float], str]) -> list[list[str]]:
    return [[words(value) if np.isfinite(value) else "" for value in row] for row in values.tolist()]


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
""".replace("VIRIDIS", ", ".join("#{:02x}{:02x}{:02x}".format(*colour) for colour in viridis(np.linspace(0, 1, 9), 0, 1).tolist()))

# Pointing at a map reads it, and shows on the image where the window lies there.
_SCRIPT = """
{
const facts = FACTS;
const [height, width] = facts.size, [left, top] = facts.edges, [down, right] = facts.stride;
const frame = document.querySelector(".window");
for (const map of document.querySelectorAll(".map")) {
  const values = facts.values[map.dataset.map], tip = map.parentElement.querySelector(".tip");
  map.addEventListener("pointermove", (event) => {
    const place = map.getBoundingClientRect();
    const row = Math.floor(((event.clientY - place.top) / place.height * height - top) / down);
    const column = Math.floor(((event.clientX - place.left) / place.width * width - left) / right);
    const value = values[row]?.[column];
    tip.textContent = value ?? "";
    frame.style.display = value ? "block" : "none";
    const [tall, wide] = facts.window;
    const edges = [left + (column + .5) * right - wide / 2, top + (row + .5) * down - tall / 2];
    Object.assign(frame.style, {
      left: `${100 * edges[0] / width}%`, top: `${100 * edges[1] / height}%`,
      width: `${100 * wide / width}%`, height: `${100 * tall / height}%`,
    });
  });
  map.addEventListener("pointerleave", () => { tip.textContent = "\\u00a0"; frame.style.display = "none"; });
}
}
"""
