/** A tile of the grid: mosaics, number, maximum activation and classes of a unit. */
import { formatSigned } from "../contributions/format.ts";
import { context2d, h, screenReaderText, setText } from "../ui/dom.ts";
import { formatCount, formatNumber } from "../ui/format.ts";
import { describeFactor } from "../ui/switch.ts";
import type { GridLayout } from "./grid_layout.ts";
import { clearGaps, drawPlaceholder } from "./mosaics.ts";
import { COPY_CORRELATION, formatCorrelation, nearestUnit, type UnitColumns } from "./unit_queries.ts";
import { classCounts, isDead, isInactive, type Table } from "./unit_table.ts";
import type { Sort } from "./wire.ts";

export interface UnitTile {
  element: HTMLElement;
  canvas: HTMLCanvasElement;
  note: HTMLElement;
  /** What is multiplied to the map of the unit, in words; hidden if it is on. */
  mark: HTMLElement;
  /** A key of the drawn content. */
  drawn: string;
}

export interface TileContent {
  /** Unique in the page. */
  id: string;
  unit: number;
  table: Table;
  /** The labels that the units are filtered by. */
  labels: Set<number> | null;
  /** The contributions of the units to a class, which are shown in place of their maximum. */
  contributions: Float32Array | null;
  columns: UnitColumns | undefined;
  sort: Sort;
  layout: GridLayout;
  /** The index among the shown units. */
  index: number;
  count: number;
}

export function createUnitTile({ id, unit, table, labels, contributions, columns, sort, layout, index, count }: TileContent): UnitTile {
  const inactive = isInactive(table, unit);
  const classes = classCounts(table, unit);
  const isHighlighted = ({ label, count }: { label: number; count: number }) => (labels ? labels.has(label) : count > 1);
  const mostFrequent = labels ? classes.find(({ label }) => labels.has(label)) : classes.slice(0, 1).find(isHighlighted);
  const whyInactive = table.crops !== null ? "inactive" : isDead(table, unit) ? "dead" : "negative";
  const maximum = inactive ? whyInactive : formatNumber(table.columns.maximum[unit]);
  const canvas = h("canvas", {});
  const note = h(
    "div",
    { class: "dwx-tile-note", hidden: !inactive },
    inactive ? (table.crops === null ? `${whyInactive === "dead" ? "inactive" : whyInactive} in every crop` : "inactive so far") : "",
  );
  const segments = classes.map((entry, rank) => createSegment(entry.count / table.k, isHighlighted(entry), labels ? 0 : rank));
  const bar = h("span", { class: "dwx-bar" }, ...segments);
  const name = mostFrequent ? h("span", { class: "dwx-class" }, `${mostFrequent.name} ${mostFrequent.count}`) : null;
  // The caption is the accessible name of the tile: its parts need separators for screen readers.
  const number = h("b", {}, screenReaderText("Unit "), String(unit));
  const value = contributions
    ? createContribution(contributions[unit] ?? Number.NaN)
    : h("span", {}, screenReaderText(inactive ? ", " : ", maximum "), maximum, screenReaderText(", "));
  const caption = h("div", { class: "dwx-caption" }, number, value, bar, name);
  caption.title = classes.map((entry) => `${entry.name} ${entry.count}`).join(", ");
  const mark = h("span", { class: "dwx-tile-mark", hidden: true });
  // An option has no controls inside for assistive technology: there, the key x switches the unit.
  const toggle = h("span", { class: "dwx-tile-switch", title: `Switch unit ${unit} off or on (x)`, "aria-hidden": "true" }, h("i", {}));
  const element = h(
    "div",
    {
      class: "dwx-tile",
      id: `${id}-unit-${unit}`,
      role: "option",
      "aria-setsize": count,
      "aria-posinset": index + 1,
      "data-unit": unit,
      "data-testid": `tile-${unit}`,
      style: `width:${layout.cellWidth}px;height:${layout.cellHeight}px`,
    },
    h("div", { class: "dwx-mosaics" }, canvas, note, mark, createColumnMark(columns, unit, sort), toggle),
    caption,
  );
  return { element, canvas, note, mark, drawn: "" };
}

/** Create the mark of a unit that is a near-copy of another one, or has several peaks. An order by a column marks every unit. */
function createColumnMark(columns: UnitColumns | undefined, unit: number, sort: Sort): HTMLElement | null {
  if (!columns) return null;
  const copy = nearestUnit(columns, unit, sort === "copies" ? -1 : COPY_CORRELATION);
  const peaks = columns.peaks[unit] ?? 0;
  const shown = { copy: copy && sort !== "peaks", peaks: sort === "peaks" || (peaks > 1 && sort !== "copies") };
  const correlation = copy ? formatCorrelation(copy.correlation) : "";
  const parts = [
    shown.copy && copy ? `≈ ${copy.unit}${sort === "copies" ? `, r = ${correlation}` : ""}` : "",
    shown.peaks ? formatCount(peaks, "peak") : "",
  ].filter(Boolean);
  if (!parts.length) return null;
  const like = shown.copy && copy ? `like unit ${copy.unit}: their activations correlate with r = ${correlation}` : "";
  const words = [like, shown.peaks ? `${formatCount(peaks, "peak")} in the histogram` : ""].filter(Boolean).join("; ");
  const text = h("span", { "aria-hidden": "true" }, parts.join(" · "));
  return h("span", { class: "dwl-column-mark", title: words }, screenReaderText(`${words}, `), text);
}

function createContribution(value: number): HTMLElement {
  const role = value < 0 ? "against" : "target";
  return h("span", { "data-role": role }, screenReaderText(", contribution "), formatSigned(value), screenReaderText(", "));
}

/** Mark a tile as switched off or scaled. */
export function markFactor({ element, mark }: UnitTile, factor: number): void {
  element.dataset.off = String(factor === 0);
  mark.hidden = factor === 1;
  setText(mark, factor === 1 ? "" : describeFactor(factor));
}

/** Create the bar segment of a class; classes that occur once are faint. */
function createSegment(fraction: number, highlighted: boolean, rank: number): HTMLElement {
  const opacity = highlighted ? `;opacity:${Math.max(0.3, 1 - 0.28 * rank)}` : "";
  return h("i", { style: `width:${100 * fraction}%${opacity}`, class: highlighted ? "dwx-frequent" : "dwx-rare" });
}

/**
 * Draw one or two mosaics side by side, without scaling.
 * @param bitmaps undefined: not loaded yet, drawn gray; null: the rule was rejected, drawn as a placeholder
 * @param ratio device pixels per CSS pixel
 */
export function drawMosaics(
  canvas: HTMLCanvasElement,
  bitmaps: (ImageBitmap | undefined | null)[],
  layout: Pick<GridLayout, "side" | "seam">,
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
  bitmaps.forEach((bitmap, index) => {
    const x = index * (side + seam);
    if (bitmap === null) {
      drawPlaceholder(context, x, side);
      return;
    }
    context.fillStyle = "rgba(127, 127, 127, 0.16)";
    if (bitmap) context.drawImage(bitmap, x, 0, side, side);
    else context.fillRect(x, 0, side, side);
    clearGaps(context, x, side);
  });
}
