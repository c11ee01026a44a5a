import { h, setText } from "../ui/dom.ts";
import { number } from "../ui/format.ts";
import { cellAt, gridLayout, inSight, nearestFirst, scrollFor, totalHeight } from "./grid_layout.ts";
import { clearGaps, drawNothing } from "./mosaics.ts";
import { mosaicKey } from "../kernel/bitmap_cache.ts";
import { PARTS } from "./store.ts";
import { classCounts, isDead } from "./unit_table.ts";
import type { NineWanted, Part, Wire } from "./store.ts";
import type { Table } from "./unit_table.ts";
import type { GridLayout } from "./grid_layout.ts";
import type { LayerState } from "./wire.ts";

export interface GridContent {
  state: LayerState;
  table: Table;
  /** the units to show */
  order: number[];
  /** those that are filtered by */
  labels: Set<number> | null;
}

const POINTED_FOR = 100; // ms: then a reader may well click
const RESTED_FOR = 300; // ms after the last scrolling

/** What a tile shows. */
const partsOf = (view: string): Part[] => PARTS.filter((part) => view === "both" || view === part);

/** All units of a layer, scrolling. Only tiles in sight are in the page; scrolling moves what is there and never waits. */
export class UnitGrid {
  id: string;
  wire: Wire;
  pick: (unit: number, event: Event) => void;
  scrolled: (unit: number) => void;
  tiles: Map<number, { element: HTMLElement; canvas: HTMLCanvasElement; note: HTMLElement; drawn: string }>;
  content: GridContent | null;
  layout: GridLayout;
  space: HTMLElement;
  empty: HTMLElement;
  element: HTMLElement;
  resting: number;
  placed: number;
  hidden: boolean;
  observer: ResizeObserver;
  frame: number;

  constructor({
    id,
    wire,
    pick,
    open,
    expect,
    scrolled,
  }: {
    id: string;
    wire: Wire;
    pick: (unit: number, event: Event) => void;
    open: (unit: number) => void;
    /** a unit may be picked next */
    expect: (unit: number, lane: "pointed" | "nine") => void;
    /** the unit whose row now stands at the top */
    scrolled: (unit: number) => void;
  }) {
    this.id = id;
    this.wire = wire;
    this.pick = pick;
    this.scrolled = scrolled;
    this.tiles = new Map();
    this.content = null;
    this.layout = gridLayout(500, "both", 1);
    this.space = h("div", { class: "dwx-space", role: "presentation" });
    this.empty = h("p", { class: "dwx-empty", hidden: true });
    const properties = {
      class: "dwx-scroll",
      role: "listbox",
      tabindex: 0,
      "aria-label": "Units",
      "data-part": "grid",
      "data-testid": "grid",
    };
    this.element = h("div", properties, this.space, this.empty);
    this.element.addEventListener("scroll", () => this.moved(), { passive: true });
    this.resting = 0;
    this.placed = 0; // where the last scrolling of our own led
    this.hidden = false; // when it was to be scrolled
    let pointing = 0;
    this.element.addEventListener("pointerover", (event) => {
      clearTimeout(pointing);
      const unit = this.unitOf(event.target);
      if (unit !== null) pointing = window.setTimeout(() => expect(unit, "pointed"), POINTED_FOR);
    });
    this.element.addEventListener("pointerleave", () => clearTimeout(pointing));
    this.element.addEventListener("pointerdown", (event) => {
      const unit = this.unitOf(event.target);
      if (unit !== null && event.button === 0 && event.pointerType === "mouse") expect(unit, "nine");
    });
    this.element.addEventListener("click", (event) => {
      const unit = this.unitOf(event.target);
      if (unit !== null) pick(unit, event);
    });
    this.element.addEventListener("dblclick", (event) => {
      const unit = this.unitOf(event.target);
      if (unit !== null) open(unit);
    });
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(this.element);
    this.frame = 0;
  }

  close() {
    this.observer.disconnect();
    clearTimeout(this.resting);
    cancelAnimationFrame(this.frame);
  }

  unitOf(target: EventTarget | null) {
    const tile = target instanceof Element ? (target.closest(".dwx-tile") as HTMLElement | null) : null;
    return tile ? Number(tile.dataset.unit) : null;
  }

  /** Draw in the next frame, once. */
  later() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  resized() {
    if (!this.content || !this.element.clientWidth) return;
    this.relayout(this.content.state.view);
    if (this.hidden && this.element.clientHeight) this.restore(this.content.state);
    this.later();
  }

  /** The reader scrolled, or we did. */
  moved() {
    this.later();
    clearTimeout(this.resting);
    this.resting = window.setTimeout(() => this.rest(), RESTED_FOR);
  }

  /** Tell which row stands at the top now, unless the state says it already. */
  rest() {
    const { content, layout } = this;
    if (!content || !this.element.clientHeight) return;
    const { scrollTop } = this.element;
    const { scroll } = content.state;
    if (scroll === null && Math.abs(scrollTop - this.placed) <= 1) return; // where the chosen unit wants it
    const first = Math.round(scrollTop / layout.stepY) * layout.columns;
    const row = content.order.slice(first, first + layout.columns);
    const top = row[0];
    if (top !== undefined && (scroll === null || !row.includes(scroll))) this.scrolled(top);
  }

  scrollTo(top: number) {
    this.element.scrollTop = top;
    this.placed = this.element.scrollTop;
    this.later();
  }

  /** Where the state says: a unit's row at the top, or the chosen unit in sight. */
  restore({ scroll, unit }: LayerState) {
    this.hidden = !this.element.clientHeight;
    const place = scroll === null ? -1 : (this.content?.order.indexOf(scroll) ?? -1);
    if (this.hidden) return;
    if (place >= 0) this.scrollTo(cellAt(this.layout, place).y);
    else this.show(unit);
  }

  relayout(view: string) {
    const before = this.layout;
    const layout = gridLayout(this.element.clientWidth - 16, view, window.devicePixelRatio || 1);
    if (JSON.stringify(layout) === JSON.stringify(before)) return;
    // What was at the top stays there.
    const place = Math.floor(this.element.scrollTop / before.stepY) * before.columns;
    this.layout = layout;
    this.clearTiles();
    this.stretch();
    if (this.element.scrollTop > 0) this.scrollTo(cellAt(layout, place).y);
  }

  stretch() {
    this.space.style.height = `${totalHeight(this.layout, this.content?.order.length ?? 0)}px`;
  }

  clearTiles() {
    for (const { element } of this.tiles.values()) element.remove();
    this.tiles.clear();
  }

  update(content: GridContent) {
    const before = this.content;
    const other = !before || before.table !== content.table || before.order !== content.order;
    const filtered = before?.labels !== content.labels;
    this.content = content;
    this.relayout(content.state.view);
    if (other || filtered || before?.state.view !== content.state.view) this.clearTiles();
    if (other) {
      this.stretch();
      this.scrollTo(0); // another order is read from its beginning, another layer from where one was in it
      if (before?.table !== content.table || content.state.scroll !== null) this.restore(content.state);
    }
    this.empty.hidden = content.order.length > 0;
    setText(this.empty, `No unit of ${content.state.layer} has “${content.state.filter}” among its nine.`);
    this.draw();
  }

  /** Scroll as far as needed to show a unit. */
  show(unit: number | null) {
    const place = unit === null ? -1 : (this.content?.order.indexOf(unit) ?? -1);
    if (place < 0 || !this.element.clientHeight) return;
    const { scrollTop, clientHeight } = this.element;
    const top = scrollFor(this.layout, place, scrollTop, clientHeight);
    if (top !== scrollTop) this.scrollTo(top);
    this.later();
  }

  rowsInSight() {
    return Math.max(1, Math.floor(this.element.clientHeight / this.layout.stepY));
  }

  wanted(unit: number): NineWanted {
    const { layer, rule, contrast } = (this.content as GridContent).state;
    return { layer, unit, rule, contrast, tile: this.layout.tile };
  }

  /** Put the tiles in sight into the page, take the others out, and ask for what is missing. */
  draw() {
    const { content, layout } = this;
    if (!content || !this.element.clientHeight) return;
    const { scrollTop, clientHeight } = this.element;
    const [first, last] = inSight(layout, content.order.length, scrollTop, clientHeight, 1);
    const places = Array.from({ length: last - first }, (_, at) => first + at);
    const units = new Set(content.order.slice(first, last));
    for (const [unit, { element }] of this.tiles) {
      if (units.has(unit)) continue;
      element.remove();
      this.tiles.delete(unit);
    }
    for (const place of places) this.place(place);
    const chosen = this.tiles.get(content.state.unit ?? -1);
    if (chosen) this.element.setAttribute("aria-activedescendant", chosen.element.id);
    else this.element.removeAttribute("aria-activedescendant");
    const near = nearestFirst(layout, places, scrollTop, clientHeight).flatMap((place) => content.order[place] ?? []);
    const alive = near.filter((unit) => !isDead(content.table, unit));
    this.wire.nines(
      "tiles",
      alive.map((unit) => this.wanted(unit)),
      partsOf(content.state.view),
      ({ unit }) => this.paint(unit),
    );
  }

  place(place: number) {
    const { content, layout } = this;
    if (!content) return;
    const unit = content.order[place];
    if (unit === undefined) return;
    let tile = this.tiles.get(unit);
    if (!tile) {
      tile = this.tileOf(unit, place);
      this.tiles.set(unit, tile);
      const { x, y } = cellAt(layout, place);
      tile.element.style.transform = `translate(${x}px, ${y}px)`;
      this.space.append(tile.element);
    }
    tile.element.setAttribute("aria-selected", String(unit === content.state.unit));
    const { pinned } = content.state;
    tile.element.classList.toggle("dwx-is-pinned", pinned?.layer === content.state.layer && pinned?.unit === unit);
    this.paint(unit);
  }

  tileOf(unit: number, place: number) {
    const { table, labels, order } = this.content as GridContent;
    const dead = isDead(table, unit);
    const classes = classCounts(table, unit);
    const canvas = h("canvas", {});
    const note = h("div", { class: "dwx-tile-note", hidden: !dead }, dead ? "fires on no photograph" : "");
    const commonest = labels ? classes.find(({ label }) => labels.has(label)) : classes.slice(0, 1).find(({ count }) => count > 1);
    const bar = h(
      "span",
      { class: "dwx-bar" },
      ...classes.map((one, at) => segment(one.count, table.k, labels ? labels.has(one.label) : one.count > 1, labels ? 0 : at)),
    );
    const value = h("span", {}, dead ? "dead" : number(table.columns.maximum[unit]));
    const name = commonest ? h("span", { class: "dwx-class" }, `${commonest.name} ${commonest.count}`) : null;
    const caption = h("div", { class: "dwx-caption" }, h("b", {}, String(unit)), value, bar, name);
    caption.title = classes.map((one) => `${one.name} ${one.count}`).join(", ");
    const words = `unit ${unit}, ${dead ? "dead" : `maximum ${number(table.columns.maximum[unit])}`}${commonest ? `, ${commonest.name} ${commonest.count} of ${table.k}` : ""}`;
    const roles = { role: "option", "aria-label": words, "aria-setsize": order.length, "aria-posinset": place + 1 };
    const properties = { class: "dwx-tile", id: `${this.id}-unit-${unit}`, "data-unit": unit, "data-testid": `tile-${unit}`, ...roles };
    const { cellWidth, cellHeight } = this.layout;
    const element = h(
      "div",
      { ...properties, style: `width:${cellWidth}px;height:${cellHeight}px` },
      h("div", { class: "dwx-pictures" }, canvas, note),
      caption,
    );
    return { element, canvas, note, drawn: "" };
  }

  /** Draw what is there of a unit's mosaics. */
  paint(unit: number) {
    const tile = this.tiles.get(unit);
    const { content, layout, wire } = this;
    if (!tile || !content) return;
    const wanted = this.wanted(unit);
    const parts = partsOf(content.state.view);
    const refused = wire.refusal(wanted) !== undefined;
    const bitmaps = parts.map((part) => (part === "projections" && refused ? null : wire.pictures.get(mosaicKey(wanted, part))));
    const failure = parts.map((part) => wire.failures.get(wire.nineKey(wanted, part))).find(Boolean);
    const drawn = `${failure ?? ""}${refused} ${parts.map((part, at) => (bitmaps[at] ? mosaicKey(wanted, part) : "")).join(" ")}`;
    if (drawn === tile.drawn) return;
    tile.drawn = drawn;
    tile.element.dataset.painted = String(bitmaps.every((bitmap) => bitmap !== undefined));
    if (!isDead(content.table, unit)) {
      tile.note.hidden = !failure;
      setText(tile.note, failure ?? "");
    }
    paintPair(tile.canvas, bitmaps, layout, window.devicePixelRatio || 1);
  }
}

/**
 * One or two mosaics side by side on a canvas, each pixel for pixel; grey where one has not come yet, a mark where none will (null).
 */
function paintPair(canvas: HTMLCanvasElement, bitmaps: (ImageBitmap | undefined | null)[], layout: GridLayout, ratio: number) {
  const side = Math.round(layout.side * ratio);
  const seam = Math.round(layout.seam * ratio);
  const width = bitmaps.length * side + (bitmaps.length - 1) * seam;
  if (canvas.width !== width || canvas.height !== side) {
    canvas.width = width;
    canvas.height = side;
    canvas.style.width = `${width / ratio}px`;
    canvas.style.height = `${side / ratio}px`;
  }
  const context = canvas.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, width, side);
  bitmaps.forEach((bitmap, at) => {
    const x = at * (side + seam);
    if (bitmap === null) {
      drawNothing(context, x, side);
      return;
    }
    context.fillStyle = "rgba(127, 127, 127, 0.16)";
    if (bitmap) context.drawImage(bitmap, x, 0, side, side);
    else context.fillRect(x, 0, side, side);
    clearGaps(context, x, side);
  });
}

/** A class's share of the nine; those that occur once stay faint. */
function segment(count: number, k: number, strong: boolean, at: number) {
  const opacity = strong ? Math.max(0.3, 1 - 0.28 * at) : 0;
  return h("i", { style: `width:${(100 * count) / k}%${strong ? `;opacity:${opacity}` : ""}`, class: strong ? "dwx-strong" : "dwx-faint" });
}
