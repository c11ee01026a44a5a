/** A cell of the list: the mosaics of a unit of A beside those of its partner, their correlation, and what became of them. */

import { classCounts, isInactive, type Table } from "../layers/unit_table.ts";
import { drawMosaics } from "../layers/unit_tile.ts";
import { h, screenReaderText, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import type { PairLayout } from "./pair_layout.ts";
import { describeStatus, formatCorrelation, type Pairs, unitOf } from "./pairs.ts";
import { type Both, SIDES, type Side } from "./wire.ts";

export const LETTERS: Both<string> = { a: "A", b: "B" };

export interface PairTile {
  element: HTMLElement;
  canvases: Both<HTMLCanvasElement | null>;
  notes: Both<HTMLElement>;
  /** A key of the drawn content. */
  drawn: Both<string>;
}

interface TileContent {
  /** Unique in the page. */
  id: string;
  pair: number;
  pairs: Pairs;
  tables: Both<Table | undefined>;
  layout: PairLayout;
  /** The index among the shown pairs. */
  index: number;
  count: number;
}

export function createPairTile({ id, pair, pairs, tables, layout, index, count }: TileContent): PairTile {
  const create = (side: Side) => createUnit(side, unitOf(pairs, side, pair), tables[side], layout);
  const units = { a: create("a"), b: create("b") };
  const number = (side: Side) => {
    const unit = unitOf(pairs, side, pair);
    return unit === null ? h("span", { class: "dwc-none" }, `${LETTERS[side]} –`) : h("b", {}, `${LETTERS[side]} ${unit}`);
  };
  const correlation = formatCorrelation(pairs.correlation[pair]);
  const head = h(
    "div",
    { class: "dwc-pair-head", style: `grid-template-columns:${layout.unitWidth}px ${layout.unitWidth}px` },
    number("a"),
    h(
      "span",
      { class: "dwc-pair-second" },
      screenReaderText(" and "),
      number("b"),
      h("span", { class: "dwc-r" }, screenReaderText(", "), correlation === "–" ? "" : `r ${correlation}`),
      screenReaderText(", "),
      createStatusMark(pairs, pair),
    ),
  );
  const element = h(
    "div",
    {
      class: "dwc-pair",
      id: `${id}-pair-${pair}`,
      role: "option",
      "aria-setsize": count,
      "aria-posinset": index + 1,
      "data-pair": pair,
      "data-testid": `pair-${pair}`,
      style: `width:${layout.cellWidth}px;height:${layout.cellHeight}px;--dwc-side-gap:${layout.sideGap}px`,
    },
    head,
    h("div", { class: "dwc-pair-units" }, units.a.element, units.b.element),
  );
  const canvases = { a: units.a.canvas, b: units.b.canvas };
  return { element, canvases, notes: { a: units.a.note, b: units.b.note }, drawn: { a: "", b: "" } };
}

/** Create the status, with a mark in its colour. */
export function createStatusMark(pairs: Pairs, pair: number): HTMLElement {
  const status = pairs.status[pair] ?? [null, null];
  const words = describeStatus(status, pairs.elsewhere[pair]);
  return h("span", { class: "dwc-status", "data-status": status[0] ?? status[1] ?? "", title: words }, h("i", {}), words);
}

function createUnit(side: Side, unit: number | null, table: Table | undefined, layout: PairLayout) {
  const dead = unit !== null && table !== undefined && isInactive(table, unit);
  const empty = unit === null ? "no partner" : dead ? "inactive in every image" : "";
  const canvas = empty ? null : h("canvas", {});
  const note = h("div", { class: "dwc-note", hidden: !empty }, empty);
  const frame = h("div", { class: "dwc-mosaics", style: `width:${layout.unitWidth}px;height:${layout.side}px` }, canvas, note);
  const text = unit === null || !table || dead ? "" : describe(table, unit);
  const caption = h("div", { class: "dwc-caption", title: text }, screenReaderText(`, ${LETTERS[side]}: `), text || empty);
  return { element: h("div", { class: "dwc-unit", "data-side": side }, frame, caption), canvas, note };
}

/** Return the maximum of a unit and its most frequent class: "24.9 · sunflower 6". */
function describe(table: Table, unit: number): string {
  const [most] = classCounts(table, unit);
  return [formatNumber(table.columns.maximum[unit]), most && most.count > 1 ? `${most.name} ${most.count}` : ""]
    .filter(Boolean)
    .join(" · ");
}

/** Draw the mosaics of one side, unless they are drawn. */
export function paintSide(
  tile: PairTile,
  side: Side,
  bitmaps: (ImageBitmap | undefined | null)[],
  { layout, ratio, error, key }: { layout: PairLayout; ratio: number; error: string | undefined; key: string },
): void {
  const canvas = tile.canvases[side];
  if (!canvas || tile.drawn[side] === key) return;
  tile.drawn[side] = key;
  tile.notes[side].hidden = !error;
  setText(tile.notes[side], error ?? "");
  drawMosaics(canvas, bitmaps, layout, ratio);
  tile.element.dataset.painted = String(SIDES.every((each) => !tile.canvases[each] || tile.drawn[each] !== ""));
}
