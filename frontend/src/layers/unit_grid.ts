import { h, setText } from "../ui/dom.ts";
import { prefetchOnPointer } from "../ui/pointer_prefetch.ts";
import { cellPosition, gridLayout, nearestFirst, scrollToShow, totalHeight, visibleCells } from "./grid_layout.ts";
import { isPinned } from "./pins.ts";
import { type LayerStore, partsOf } from "./store.ts";
import { describeEmpty } from "./unit_legend.ts";
import type { UnitColumns } from "./unit_queries.ts";
import { isInactive, type Table } from "./unit_table.ts";
import { createUnitTile, drawMosaics, markFactor, type UnitTile } from "./unit_tile.ts";
import type { LayerState, MosaicRequest } from "./wire.ts";

const SCROLL_END_DELAY = 300; // ms after the last scroll event

export interface GridContent {
  state: LayerState;
  table: Table;
  /** The filtered units in sort order. */
  units: number[];
  /** The labels that they are filtered by. */
  labels: Set<number> | null;
  /** The contributions of the units to a class. Null: the maximum of each unit is shown. */
  contributions: Float32Array | null;
  /** Undefined while they are not loaded. */
  columns: UnitColumns | undefined;
}

interface GridOptions {
  id: string;
  store: LayerStore;
  pick: (unit: number) => void;
  open: (unit: number) => void;
  /** Called with a unit that is pressed or hovered, and therefore likely to be selected next. */
  prefetch: (unit: number, list: "detail" | "hovered") => void;
  /** Called with the first unit of the top row after scrolling. */
  scrolled: (unit: number) => void;
}

/** A virtualized grid of all units of a layer: only visible tiles are in the page. */
export class UnitGrid {
  readonly element: HTMLElement;
  layout = gridLayout(500, "both", 1);
  private readonly store: LayerStore;
  private readonly spacer = h("div", { class: "dwx-spacer", role: "presentation" });
  private readonly empty = h("p", { class: "dwx-empty", hidden: true });
  private readonly observer = new ResizeObserver(() => this.resized());
  private readonly tiles = new Map<number, UnitTile>();
  private readonly bitmapIds = new WeakMap<ImageBitmap, number>();
  private bitmapCount = 0;
  private content: GridContent | null = null;
  private scrollTimer: ReturnType<typeof setTimeout> | undefined;
  private frame = 0;
  /** The last scroll position that was set by `scrollTo`. */
  private lastScrollTop = 0;
  /** Whether scrolling was postponed because the grid was hidden. */
  private scrollPostponed = false;

  constructor(private readonly options: GridOptions) {
    this.store = options.store;
    const properties = {
      class: "dwx-scroll",
      role: "listbox",
      tabindex: 0,
      "aria-label": "Units",
      "data-part": "grid",
      "data-testid": "grid",
    };
    this.element = h("div", properties, this.spacer, this.empty);
    this.listen();
    this.observer.observe(this.element);
  }

  close(): void {
    this.observer.disconnect();
    clearTimeout(this.scrollTimer);
    cancelAnimationFrame(this.frame);
    this.store.client.release(this);
  }

  update(content: GridContent): void {
    const previous = this.content;
    const renewed = previous?.table !== content.table;
    const reordered = previous?.table.layer !== content.table.layer || previous.units !== content.units;
    const shown = ["labels", "contributions", "columns"] as const;
    const filtered = shown.some((key) => previous?.[key] !== content[key]);
    this.content = content;
    this.relayout(content.state);
    if (renewed || reordered || filtered || previous?.state.view !== content.state.view) this.clearTiles();
    if (reordered) {
      this.updateHeight();
      this.scrollTo(0);
      if (previous?.table !== content.table || content.state.scroll !== null) this.restoreScroll(content.state);
    }
    this.empty.hidden = content.units.length > 0;
    setText(this.empty, describeEmpty(content.state, content.table.k));
    this.draw();
  }

  /** Scroll to a unit if it is not visible. */
  show(unit: number | null): void {
    const index = this.indexOf(unit);
    if (index < 0 || !this.element.clientHeight) return;
    const { scrollTop, clientHeight } = this.element;
    const top = scrollToShow(this.layout, index, scrollTop, clientHeight);
    if (top !== scrollTop) this.scrollTo(top);
    this.requestDraw();
  }

  /** Restore the scroll position of the state: its unit in the top row, or the selected unit visible. */
  restoreScroll({ scroll, unit }: LayerState): void {
    this.scrollPostponed = !this.element.clientHeight;
    if (this.scrollPostponed) return;
    const index = this.indexOf(scroll);
    if (index >= 0) this.scrollTo(cellPosition(this.layout, index).y);
    else this.show(unit);
  }

  get visibleRows(): number {
    return Math.max(1, Math.floor(this.element.clientHeight / this.layout.stepY));
  }

  /** Draw the cached mosaics of a unit. */
  paint(unit: number): void {
    const tile = this.tiles.get(unit);
    if (!tile || !this.content) return;
    const { state, table } = this.content;
    const request = this.requestFor(unit, state);
    const rejected = this.store.rejectionReason(request) !== undefined;
    const bitmaps = partsOf(state.view).map((part) => (part === "projections" && rejected ? null : this.store.mosaic(request, part)));
    const error = this.store.mosaicError(request);
    const drawn = [error, rejected, request.rule, request.contrast, ...bitmaps.map((bitmap) => this.bitmapId(bitmap))].join();
    if (drawn === tile.drawn) return;
    tile.drawn = drawn;
    tile.element.dataset.painted = String(bitmaps.every((bitmap) => bitmap !== undefined));
    if (!isInactive(table, unit)) {
      tile.note.hidden = !error;
      setText(tile.note, error ?? "");
    }
    drawMosaics(tile.canvas, bitmaps, this.layout, window.devicePixelRatio || 1);
  }

  /** Return a number that tells a bitmap from the one that replaces it. */
  private bitmapId(bitmap: ImageBitmap | null | undefined): number {
    if (!bitmap) return 0;
    const id = this.bitmapIds.get(bitmap) ?? ++this.bitmapCount;
    this.bitmapIds.set(bitmap, id);
    return id;
  }

  private listen(): void {
    const { element, options } = this;
    const onTile = (callback: (unit: number, event: MouseEvent) => void) => (event: MouseEvent) => {
      const tile = event.target instanceof Element ? event.target.closest<HTMLElement>(".dwx-tile") : null;
      if (tile) callback(Number(tile.dataset.unit), event);
    };
    element.addEventListener("scroll", () => this.scrolling(), { passive: true });
    const unitAt = (target: Element) => {
      const tile = target.closest<HTMLElement>(".dwx-tile");
      return tile && Number(tile.dataset.unit);
    };
    prefetchOnPointer(element, unitAt, (unit, reason) => options.prefetch(unit, reason === "pressed" ? "detail" : "hovered"));
    const isSwitch = ({ target }: MouseEvent) => target instanceof Element && target.closest(".dwx-tile-switch") !== null;
    const click = (unit: number, event: MouseEvent) => (isSwitch(event) ? this.toggle(unit) : options.pick(unit));
    element.addEventListener("click", onTile(click));
    element.addEventListener(
      "dblclick",
      onTile((unit, event) => isSwitch(event) || options.open(unit)),
    );
  }

  private toggle(unit: number): void {
    if (this.content) this.store.units.toggle(this.content.state.layer, unit);
  }

  /** Schedule a draw in the next frame. */
  private requestDraw(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  private resized(): void {
    if (!this.content || !this.element.clientWidth) return;
    this.relayout(this.content.state);
    if (this.scrollPostponed && this.element.clientHeight) this.restoreScroll(this.content.state);
    this.requestDraw();
  }

  private scrolling(): void {
    this.requestDraw();
    clearTimeout(this.scrollTimer);
    this.scrollTimer = setTimeout(() => this.scrollEnded(), SCROLL_END_DELAY);
  }

  /** Report the first unit of the top row, unless it is that of the state. */
  private scrollEnded(): void {
    const { content, layout } = this;
    if (!content || !this.element.clientHeight) return;
    const { scrollTop } = this.element;
    const { scroll } = content.state;
    if (scroll === null && Math.abs(scrollTop - this.lastScrollTop) <= 1) return; // not scrolled by the user
    const first = Math.round(scrollTop / layout.stepY) * layout.columns;
    const row = content.units.slice(first, first + layout.columns);
    if (row[0] !== undefined && (scroll === null || !row.includes(scroll))) this.options.scrolled(row[0]);
  }

  private scrollTo(top: number): void {
    this.element.scrollTop = top;
    this.lastScrollTop = this.element.scrollTop;
    this.requestDraw();
  }

  private relayout({ view, tile_size }: LayerState): void {
    if (!this.element.clientWidth) return; // it is hidden
    const previous = this.layout;
    const layout = gridLayout(this.element.clientWidth - 16, view, window.devicePixelRatio || 1, tile_size);
    if (JSON.stringify(layout) === JSON.stringify(previous)) return;
    const index = Math.floor(this.element.scrollTop / previous.stepY) * previous.columns; // the first cell of the top row
    this.layout = layout;
    this.clearTiles();
    this.updateHeight();
    if (this.element.scrollTop > 0) this.scrollTo(cellPosition(layout, index).y);
  }

  private updateHeight(): void {
    this.spacer.style.height = `${totalHeight(this.layout, this.content?.units.length ?? 0)}px`;
  }

  private clearTiles(): void {
    for (const { element } of this.tiles.values()) element.remove();
    this.tiles.clear();
  }

  private indexOf(unit: number | null): number {
    return unit === null ? -1 : (this.content?.units.indexOf(unit) ?? -1);
  }

  private requestFor(unit: number, { layer, rule, contrast }: LayerState): MosaicRequest {
    return { layer, unit, rule, contrast, tile: this.layout.tile };
  }

  /** Add the visible tiles to the page, remove the others, and request missing mosaics. */
  private draw(): void {
    const { content, layout } = this;
    if (!content || !this.element.clientHeight) return;
    const { state, table, units } = content;
    const { scrollTop, clientHeight } = this.element;
    const [first, last] = visibleCells(layout, units.length, scrollTop, clientHeight, 1);
    const visible = new Set(units.slice(first, last));
    for (const [unit, { element }] of this.tiles) {
      if (visible.has(unit)) continue;
      element.remove();
      this.tiles.delete(unit);
    }
    const indices = Array.from({ length: last - first }, (_, offset) => first + offset);
    for (const index of indices) this.drawTile(index, content);
    const selected = this.tiles.get(state.unit ?? -1);
    if (selected) this.element.setAttribute("aria-activedescendant", selected.element.id);
    else this.element.removeAttribute("aria-activedescendant");
    const nearest = nearestFirst(layout, indices, scrollTop, clientHeight).flatMap((index) => units[index] ?? []);
    const requests = nearest.filter((unit) => !isInactive(table, unit)).map((unit) => this.requestFor(unit, state));
    this.store.requestMosaics(this, "tiles", requests, partsOf(state.view));
  }

  private drawTile(index: number, { state, table, units, labels, contributions, columns }: GridContent): void {
    const unit = units[index];
    if (unit === undefined) return;
    let tile = this.tiles.get(unit);
    if (!tile) {
      const { layout, options } = this;
      const { sort } = state;
      const place = { id: options.id, layout, index, count: units.length };
      tile = createUnitTile({ unit, table, labels, contributions, columns, sort, ...place });
      const { x, y } = cellPosition(this.layout, index);
      tile.element.style.transform = `translate(${x}px, ${y}px)`;
      this.tiles.set(unit, tile);
      this.spacer.append(tile.element);
    }
    markFactor(tile, this.store.units.factor(state.layer, unit));
    tile.element.setAttribute("aria-selected", String(unit === state.unit));
    tile.element.classList.toggle("dwx-is-pinned", isPinned(state, { layer: state.layer, unit }));
    this.paint(unit);
  }
}
