import { h, setText } from "../ui/dom.ts";
import { cellPosition, gridLayout, nearestFirst, scrollToShow, totalHeight, visiblePlaces } from "./grid_layout.ts";
import { type LayerStore, PARTS } from "./store.ts";
import { isDead, type Table } from "./unit_table.ts";
import { createUnitTile, drawMosaics, type UnitTile } from "./unit_tile.ts";
import type { LayerState, MosaicRequest, Part, View } from "./wire.ts";

const HOVER_DELAY = 100; // ms; then a click may well follow
const SCROLL_END_DELAY = 300; // ms after the last scroll event

export interface GridContent {
  state: LayerState;
  table: Table;
  /** The units to show, in order. */
  units: number[];
  /** The labels that they are filtered by. */
  labels: Set<number> | null;
}

interface GridOptions {
  id: string;
  store: LayerStore;
  pick: (unit: number) => void;
  open: (unit: number) => void;
  /** Called with a unit that is likely to be picked next: pressed already, or hovered. */
  prefetch: (unit: number, list: "detail" | "hovered") => void;
  /** Called with the first unit of the row that is at the top now. */
  scrolled: (unit: number) => void;
}

/** All units of a layer in a scrolling grid. Only visible tiles are in the page; scrolling never waits for the kernel. */
export class UnitGrid {
  readonly element: HTMLElement;
  layout = gridLayout(500, "both", 1);
  private readonly store: LayerStore;
  private readonly space = h("div", { class: "dwx-space", role: "presentation" });
  private readonly empty = h("p", { class: "dwx-empty", hidden: true });
  private readonly observer = new ResizeObserver(() => this.resized());
  private readonly tiles = new Map<number, UnitTile>();
  private content: GridContent | null = null;
  private scrollTimer: ReturnType<typeof setTimeout> | undefined;
  private frame = 0;
  /** Where the last scrolling of our own led. */
  private placed = 0;
  /** Whether the grid was hidden when it was to be scrolled. */
  private hidden = false;

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
    this.element = h("div", properties, this.space, this.empty);
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
    const before = this.content;
    const reordered = before?.table !== content.table || before.units !== content.units;
    const filtered = before?.labels !== content.labels;
    this.content = content;
    this.relayout(content.state.view);
    if (reordered || filtered || before?.state.view !== content.state.view) this.clearTiles();
    if (reordered) {
      this.stretch();
      this.scrollTo(0); // another order is read from its beginning, another layer from where the reader was in it
      if (before?.table !== content.table || content.state.scroll !== null) this.restoreScroll(content.state);
    }
    this.empty.hidden = content.units.length > 0;
    const { layer, filter } = content.state;
    setText(this.empty, `No unit of ${layer} has “${filter}” among its ${content.table.k} strongest activations.`);
    this.draw();
  }

  /** Scroll as far as needed to show a unit. */
  show(unit: number | null): void {
    const place = this.placeOf(unit);
    if (place < 0 || !this.element.clientHeight) return;
    const { scrollTop, clientHeight } = this.element;
    const top = scrollToShow(this.layout, place, scrollTop, clientHeight);
    if (top !== scrollTop) this.scrollTo(top);
    this.requestDraw();
  }

  /** Scroll to where the state says: a unit's row at the top, or the chosen unit visible. */
  restoreScroll({ scroll, unit }: LayerState): void {
    this.hidden = !this.element.clientHeight;
    if (this.hidden) return;
    const place = this.placeOf(scroll);
    if (place >= 0) this.scrollTo(cellPosition(this.layout, place).y);
    else this.show(unit);
  }

  get visibleRows(): number {
    return Math.max(1, Math.floor(this.element.clientHeight / this.layout.stepY));
  }

  /** Draw what is there of a unit's mosaics. */
  paint(unit: number): void {
    const tile = this.tiles.get(unit);
    if (!tile || !this.content) return;
    const { state, table } = this.content;
    const request = this.requestFor(unit, state);
    const refused = this.store.refusal(request) !== undefined;
    const bitmaps = partsOf(state.view).map((part) => (part === "projections" && refused ? null : this.store.mosaic(request, part)));
    const error = this.store.mosaicError(request);
    const drawn = [error, refused, request.rule, request.contrast, ...bitmaps.map((bitmap) => bitmap !== undefined)].join();
    if (drawn === tile.drawn) return;
    tile.drawn = drawn;
    tile.element.dataset.painted = String(bitmaps.every((bitmap) => bitmap !== undefined));
    if (!isDead(table, unit)) {
      tile.note.hidden = !error;
      setText(tile.note, error ?? "");
    }
    drawMosaics(tile.canvas, bitmaps, this.layout, window.devicePixelRatio || 1);
  }

  private listen(): void {
    const { element, options } = this;
    const withUnit = (act: (unit: number, event: MouseEvent) => void) => (event: MouseEvent) => {
      const tile = event.target instanceof Element ? event.target.closest<HTMLElement>(".dwx-tile") : null;
      if (tile) act(Number(tile.dataset.unit), event);
    };
    let hovering: ReturnType<typeof setTimeout> | undefined;
    element.addEventListener("scroll", () => this.scrolling(), { passive: true });
    element.addEventListener("pointerover", (event) => {
      clearTimeout(hovering);
      withUnit((unit) => {
        hovering = setTimeout(() => options.prefetch(unit, "hovered"), HOVER_DELAY);
      })(event);
    });
    element.addEventListener("pointerleave", () => clearTimeout(hovering));
    element.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && event.pointerType === "mouse") withUnit((unit) => options.prefetch(unit, "detail"))(event);
    });
    element.addEventListener("click", withUnit(options.pick));
    element.addEventListener("dblclick", withUnit(options.open));
  }

  /** Draw in the next frame, once. */
  private requestDraw(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  private resized(): void {
    if (!this.content || !this.element.clientWidth) return;
    this.relayout(this.content.state.view);
    if (this.hidden && this.element.clientHeight) this.restoreScroll(this.content.state);
    this.requestDraw();
  }

  private scrolling(): void {
    this.requestDraw();
    clearTimeout(this.scrollTimer);
    this.scrollTimer = setTimeout(() => this.scrollEnded(), SCROLL_END_DELAY);
  }

  /** Tell which row is at the top now, unless the state says it already. */
  private scrollEnded(): void {
    const { content, layout } = this;
    if (!content || !this.element.clientHeight) return;
    const { scrollTop } = this.element;
    const { scroll } = content.state;
    if (scroll === null && Math.abs(scrollTop - this.placed) <= 1) return; // where the chosen unit put it
    const first = Math.round(scrollTop / layout.stepY) * layout.columns;
    const row = content.units.slice(first, first + layout.columns);
    if (row[0] !== undefined && (scroll === null || !row.includes(scroll))) this.options.scrolled(row[0]);
  }

  private scrollTo(top: number): void {
    this.element.scrollTop = top;
    this.placed = this.element.scrollTop;
    this.requestDraw();
  }

  private relayout(view: View): void {
    const before = this.layout;
    const layout = gridLayout(this.element.clientWidth - 16, view, window.devicePixelRatio || 1);
    if (JSON.stringify(layout) === JSON.stringify(before)) return;
    const place = Math.floor(this.element.scrollTop / before.stepY) * before.columns; // what was at the top stays there
    this.layout = layout;
    this.clearTiles();
    this.stretch();
    if (this.element.scrollTop > 0) this.scrollTo(cellPosition(layout, place).y);
  }

  private stretch(): void {
    this.space.style.height = `${totalHeight(this.layout, this.content?.units.length ?? 0)}px`;
  }

  private clearTiles(): void {
    for (const { element } of this.tiles.values()) element.remove();
    this.tiles.clear();
  }

  private placeOf(unit: number | null): number {
    return unit === null ? -1 : (this.content?.units.indexOf(unit) ?? -1);
  }

  private requestFor(unit: number, { layer, rule, contrast }: LayerState): MosaicRequest {
    return { layer, unit, rule, contrast, tile: this.layout.tile };
  }

  /** Put the visible tiles into the page, take the others out, and ask for what is missing. */
  private draw(): void {
    const { content, layout } = this;
    if (!content || !this.element.clientHeight) return;
    const { state, table, units } = content;
    const { scrollTop, clientHeight } = this.element;
    const [first, last] = visiblePlaces(layout, units.length, scrollTop, clientHeight, 1);
    const visible = new Set(units.slice(first, last));
    for (const [unit, { element }] of this.tiles) {
      if (visible.has(unit)) continue;
      element.remove();
      this.tiles.delete(unit);
    }
    const places = Array.from({ length: last - first }, (_, at) => first + at);
    for (const place of places) this.drawTile(place, content);
    const chosen = this.tiles.get(state.unit ?? -1);
    if (chosen) this.element.setAttribute("aria-activedescendant", chosen.element.id);
    else this.element.removeAttribute("aria-activedescendant");
    const near = nearestFirst(layout, places, scrollTop, clientHeight).flatMap((place) => units[place] ?? []);
    const requests = near.filter((unit) => !isDead(table, unit)).map((unit) => this.requestFor(unit, state));
    this.store.requestMosaics(this, "tiles", requests, partsOf(state.view));
  }

  private drawTile(place: number, { state, table, units, labels }: GridContent): void {
    const unit = units[place];
    if (unit === undefined) return;
    let tile = this.tiles.get(unit);
    if (!tile) {
      tile = createUnitTile({ id: this.options.id, unit, table, labels, layout: this.layout, place, count: units.length });
      const { x, y } = cellPosition(this.layout, place);
      tile.element.style.transform = `translate(${x}px, ${y}px)`;
      this.tiles.set(unit, tile);
      this.space.append(tile.element);
    }
    const { pinned } = state;
    tile.element.setAttribute("aria-selected", String(unit === state.unit));
    tile.element.classList.toggle("dwx-is-pinned", pinned?.layer === state.layer && pinned?.unit === unit);
    this.paint(unit);
  }
}

/** Return what a tile shows. */
function partsOf(view: View): Part[] {
  return PARTS.filter((part) => view === "both" || view === part);
}
