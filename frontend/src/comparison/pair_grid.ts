/** A virtualized list of all pairs of two layers: only visible cells are in the page. */

import { cellPosition, nearestFirst, scrollToShow, totalHeight, visibleCells } from "../layers/grid_layout.ts";
import { partsOf } from "../layers/store.ts";
import { isInactive, type Table } from "../layers/unit_table.ts";
import type { MosaicRequest } from "../layers/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { prefetchOnPointer } from "../ui/pointer_prefetch.ts";
import { type PairLayout, pairLayout } from "./pair_layout.ts";
import { createPairTile, type PairTile, paintSide } from "./pair_tile.ts";
import { type Pairs, unitOf } from "./pairs.ts";
import type { PairStore } from "./store.ts";
import { type Both, type PairState, SIDES, type Side } from "./wire.ts";

/** Return which pairs a list is of. */
function pairingOf({ state }: GridContent): string {
  return JSON.stringify([state.layer_a, state.layer_b, state.paired_by]);
}

export interface GridContent {
  state: PairState;
  pairs: Pairs;
  tables: Both<Table | undefined>;
  /** The shown pairs in sort order. */
  order: number[];
}

interface GridOptions {
  id: string;
  store: PairStore;
  pick: (pair: number) => void;
  open: (pair: number) => void;
  /** Called with a pair that is pressed or hovered, and therefore likely to be selected next. */
  prefetch: (pair: number, list: "detail" | "hovered") => void;
}

const EMPTY = "No pair has one of the chosen statuses.";

export class PairGrid {
  readonly element: HTMLElement;
  layout: PairLayout = pairLayout(700, "both", 1, "medium");
  private readonly spacer = h("div", { class: "dwx-spacer", role: "presentation" });
  private readonly empty = h("p", { class: "dwx-empty", hidden: true }, EMPTY);
  private readonly observer = new ResizeObserver(() => this.resized());
  private readonly tiles = new Map<number, PairTile>();
  private readonly bitmapIds = new WeakMap<ImageBitmap, number>();
  private bitmapCount = 0;
  private content: GridContent | null = null;
  private frame = 0;

  constructor(private readonly options: GridOptions) {
    const properties = {
      class: "dwx-scroll",
      role: "listbox",
      tabindex: 0,
      "aria-label": "Pairs of units",
      "data-part": "grid",
      "data-testid": "pairs",
    };
    this.element = h("div", properties, this.spacer, this.empty);
    this.element.addEventListener("scroll", () => this.requestDraw(), { passive: true });
    const pairAt = (target: Element) => {
      const cell = target.closest<HTMLElement>(".dwc-pair");
      return cell && Number(cell.dataset.pair);
    };
    const onPair = (callback: (pair: number) => void) => (event: MouseEvent) => {
      const pair = event.target instanceof Element ? pairAt(event.target) : null;
      if (pair !== null) callback(pair);
    };
    this.element.addEventListener("click", onPair(options.pick));
    this.element.addEventListener("dblclick", onPair(options.open));
    prefetchOnPointer(this.element, pairAt, (pair, reason) => options.prefetch(pair, reason === "pressed" ? "detail" : "hovered"));
    this.observer.observe(this.element);
  }

  close(): void {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    for (const side of SIDES) this.options.store.sides[side].client.release(this);
  }

  /** The number of visible rows. */
  get visibleRows(): number {
    return Math.max(1, Math.floor(this.element.clientHeight / this.layout.stepY));
  }

  /** Draw, and return whether the list begins at its top again. */
  update(content: GridContent): boolean {
    const previous = this.content;
    // Pairs that are requested again because a service has changed keep their places.
    const reordered = !previous || pairingOf(previous) !== pairingOf(content) || String(previous.order) !== String(content.order);
    const renewed = previous?.pairs !== content.pairs || SIDES.some((side) => previous?.tables[side] !== content.tables[side]);
    this.content = content;
    this.relayout();
    if (reordered || renewed || previous?.state.view !== content.state.view) this.clear();
    if (reordered) {
      this.updateHeight();
      this.element.scrollTop = 0;
    }
    this.empty.hidden = content.order.length > 0;
    setText(this.empty, EMPTY);
    this.draw();
    return reordered;
  }

  /** Scroll to a pair if it is not visible. */
  show(pair: number | null): void {
    const index = pair === null ? -1 : (this.content?.order.indexOf(pair) ?? -1);
    if (index < 0 || !this.element.clientHeight) return;
    const top = scrollToShow(this.layout, index, this.element.scrollTop, this.element.clientHeight);
    if (top !== this.element.scrollTop) this.element.scrollTop = top;
    this.requestDraw();
  }

  /** Draw the mosaics of a unit that were decoded. */
  paint(side: Side, unit: number): void {
    if (!this.content) return;
    for (const [pair, tile] of this.tiles) if (unitOf(this.content.pairs, side, pair) === unit) this.paintTile(tile, pair, side);
  }

  private requestDraw(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  private resized(): void {
    if (!this.content) return;
    this.relayout();
    this.requestDraw();
  }

  private relayout(): void {
    if (!this.element.clientWidth || !this.content) return; // hidden
    const { view, tile_size } = this.content.state;
    const layout = pairLayout(this.element.clientWidth - 16, view, window.devicePixelRatio || 1, tile_size);
    if (JSON.stringify(layout) === JSON.stringify(this.layout)) return;
    const first = Math.floor(this.element.scrollTop / this.layout.stepY) * this.layout.columns;
    this.layout = layout;
    this.clear();
    this.updateHeight();
    if (first > 0) this.element.scrollTop = cellPosition(layout, first).y;
  }

  private updateHeight(): void {
    this.spacer.style.height = `${totalHeight(this.layout, this.content?.order.length ?? 0)}px`;
  }

  private clear(): void {
    for (const { element } of this.tiles.values()) element.remove();
    this.tiles.clear();
  }

  /** Add the visible cells to the page, remove the others, and request missing mosaics. */
  private draw(): void {
    const { content, layout } = this;
    if (!content || !this.element.clientHeight) return;
    const { scrollTop, clientHeight } = this.element;
    const [first, last] = visibleCells(layout, content.order.length, scrollTop, clientHeight, 1);
    const visible = new Set(content.order.slice(first, last));
    for (const [pair, { element }] of this.tiles) {
      if (visible.has(pair)) continue;
      element.remove();
      this.tiles.delete(pair);
    }
    const indices = Array.from({ length: last - first }, (_, offset) => first + offset);
    this.element.removeAttribute("aria-activedescendant");
    for (const index of indices) this.drawTile(index, content);
    const nearest = nearestFirst(layout, indices, scrollTop, clientHeight).flatMap((index) => content.order[index] ?? []);
    for (const side of SIDES) {
      const requests = nearest.flatMap((pair) => this.requestFor(side, pair) ?? []);
      this.options.store.sides[side].requestMosaics(this, "tiles", requests, partsOf(content.state.view));
    }
  }

  private drawTile(index: number, { state, pairs, tables, order }: GridContent): void {
    const pair = order[index];
    if (pair === undefined) return;
    let tile = this.tiles.get(pair);
    if (!tile) {
      tile = createPairTile({ id: this.options.id, pair, pairs, tables, layout: this.layout, index, count: order.length });
      const { x, y } = cellPosition(this.layout, index);
      tile.element.style.transform = `translate(${x}px, ${y}px)`;
      this.tiles.set(pair, tile);
      this.spacer.append(tile.element);
    }
    const isSelected = unitOf(pairs, "a", pair) === state.unit_a && unitOf(pairs, "b", pair) === state.unit_b;
    tile.element.setAttribute("aria-selected", String(isSelected));
    if (isSelected) this.element.setAttribute("aria-activedescendant", tile.element.id);
    for (const side of SIDES) this.paintTile(tile, pair, side);
  }

  private paintTile(tile: PairTile, pair: number, side: Side): void {
    const request = this.requestFor(side, pair);
    if (!request || !this.content) return;
    const store = this.options.store.sides[side];
    const rejected = store.rejectionReason(request) !== undefined;
    const parts = partsOf(this.content.state.view);
    const bitmaps = parts.map((part) => (part === "projections" && rejected ? null : store.mosaic(request, part)));
    const error = store.mosaicError(request);
    const key = [error, rejected, request.rule, request.contrast, ...bitmaps.map((bitmap) => this.bitmapId(bitmap))].join();
    paintSide(tile, side, bitmaps, { layout: this.layout, ratio: window.devicePixelRatio || 1, error, key });
  }

  /** Return the request for the mosaics of a unit of a pair; null for no unit, and for a dead one. */
  private requestFor(side: Side, pair: number): MosaicRequest | null {
    if (!this.content) return null;
    const { pairs, state, tables } = this.content;
    const unit = unitOf(pairs, side, pair);
    const table = tables[side];
    if (unit === null || (table && isInactive(table, unit))) return null;
    return { layer: pairs.layers[side], unit, rule: state.rule, contrast: state.contrast, tile: this.layout.tile };
  }

  /** Return a number that tells a bitmap from the one that replaces it. */
  private bitmapId(bitmap: ImageBitmap | null | undefined): number {
    if (!bitmap) return 0;
    const id = this.bitmapIds.get(bitmap) ?? ++this.bitmapCount;
    this.bitmapIds.set(bitmap, id);
    return id;
  }
}
