/** One unit in the grid: its mosaics, number, maximum, and classes. */
import { context2d, h, screenReaderText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import type { GridLayout } from "./grid_layout.ts";
import { clearGaps, drawNoProjection } from "./mosaics.ts";
import { classCounts, isDead, type Table } from "./unit_table.ts";

export interface UnitTile {
  element: HTMLElement;
  canvas: HTMLCanvasElement;
  note: HTMLElement;
  /** What its canvas shows. */
  drawn: string;
}

export interface TileContent {
  /** Unique in the page. */
  id: string;
  unit: number;
  table: Table;
  /** The labels that the units are filtered by. */
  labels: Set<number> | null;
  layout: GridLayout;
  /** Its place among all that are shown. */
  place: number;
  count: number;
}

export function createUnitTile({ id, unit, table, labels, layout, place, count }: TileContent): UnitTile {
  const dead = isDead(table, unit);
  const classes = classCounts(table, unit);
  const isStrong = ({ label, count }: { label: number; count: number }) => (labels ? labels.has(label) : count > 1);
  const commonest = labels ? classes.find(({ label }) => labels.has(label)) : classes.slice(0, 1).find(isStrong);
  const maximum = dead ? "dead" : formatNumber(table.columns.maximum[unit]);
  const canvas = h("canvas", {});
  const note = h("div", { class: "dwx-tile-note", hidden: !dead }, dead ? "never active" : "");
  const segments = classes.map((one, at) => createSegment(one.count / table.k, isStrong(one), labels ? 0 : at));
  const bar = h("span", { class: "dwx-bar" }, ...segments);
  const name = commonest ? h("span", { class: "dwx-class" }, `${commonest.name} ${commonest.count}`) : null;
  // Texts are apart for screen readers, too, which read the caption as the tile's name.
  const number = h("b", {}, screenReaderText("Unit "), String(unit));
  const value = h("span", {}, screenReaderText(dead ? ", " : ", maximum "), maximum, screenReaderText(", "));
  const caption = h("div", { class: "dwx-caption" }, number, value, bar, name);
  caption.title = classes.map((one) => `${one.name} ${one.count}`).join(", ");
  const element = h(
    "div",
    {
      class: "dwx-tile",
      id: `${id}-unit-${unit}`,
      role: "option",
      "aria-setsize": count,
      "aria-posinset": place + 1,
      "data-unit": unit,
      "data-testid": `tile-${unit}`,
      style: `width:${layout.cellWidth}px;height:${layout.cellHeight}px`,
    },
    h("div", { class: "dwx-mosaics" }, canvas, note),
    caption,
  );
  return { element, canvas, note, drawn: "" };
}

/** A class's share of the strongest activations; classes that occur once are faint. */
function createSegment(share: number, strong: boolean, at: number): HTMLElement {
  const opacity = strong ? `;opacity:${Math.max(0.3, 1 - 0.28 * at)}` : "";
  return h("i", { style: `width:${100 * share}%${opacity}`, class: strong ? "dwx-strong" : "dwx-faint" });
}

/**
 * Draw one or two mosaics side by side, pixel for pixel.
 * @param bitmaps undefined: not there yet, grey; null: there is none, a mark
 * @param ratio device pixels per CSS pixel
 */
export function drawMosaics(
  canvas: HTMLCanvasElement,
  bitmaps: (ImageBitmap | undefined | null)[],
  layout: GridLayout,
  ratio: number,
): void {
  const side = Math.round(layout.side * ratio);
  const seam = Math.round(layout.seam * ratio);
  const width = bitmaps.length * side + (bitmaps.length - 1) * seam;
  if (canvas.width !== width || canvas.height !== side) {
    Object.assign(canvas, { width, height: side });
    Object.assign(canvas.style, { width: `${width / ratio}px`, height: `${side / ratio}px` });
  }
  const context = context2d(canvas);
  context.clearRect(0, 0, width, side);
  bitmaps.forEach((bitmap, at) => {
    const x = at * (side + seam);
    if (bitmap === null) {
      drawNoProjection(context, x, side);
      return;
    }
    context.fillStyle = "rgba(127, 127, 127, 0.16)";
    if (bitmap) context.drawImage(bitmap, x, 0, side, side);
    else context.fillRect(x, 0, side, side);
    clearGaps(context, x, side);
  });
}
