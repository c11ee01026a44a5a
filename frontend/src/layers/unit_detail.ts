import { h, setText } from "../ui/dom.ts";
import type { Painted } from "../ui/explorer_view.ts";
import { formatCount, formatNumber } from "../ui/format.ts";
import { nextInGrid } from "../ui/grid_navigation.ts";
import { fitTile } from "./grid_layout.ts";
import { createMosaics } from "./mosaics.ts";
import { createSourcePhotograph } from "./source_photograph.ts";
import { type LayerStore, PARTS } from "./store.ts";
import { createUnitFacts, describeEntry, describeUnit } from "./unit_facts.ts";
import { isDead, type Table, unitStatistics } from "./unit_table.ts";
import type { UnitDetail as Detail, LayerState, MosaicRequest, Overview } from "./wire.ts";

const MOSAIC_GAP = 10;
// In CSS pixels, what the column holds besides mosaics:
const ROOM_BELOW = 385; // heading, captions, photograph and facts
const ROOM_BELOW_PINNED = 330; // the same and the pinned unit's heading, with less of a photograph

export interface DetailContent {
  state: LayerState;
  overview: Overview;
  table: Table | undefined;
  /** The grid's tile size: its mosaics are shown until the larger ones are there. */
  gridTile: number;
  /** When the user's action began, on the page's clock. */
  started: number;
}

interface DetailOptions {
  store: LayerStore;
  set: (patch: Partial<LayerState>) => void;
  painted: (info: Painted) => void;
}

/** The chosen unit: its mosaics, the source photographs, its statistics, and a pinned unit to compare with. */
export class UnitDetail {
  readonly element: HTMLElement;
  private readonly store: LayerStore;
  private readonly title = h("h3", { "data-testid": "detail-title" });
  private readonly numbers = h("div", { class: "dwx-numbers", "data-testid": "detail-numbers" });
  private readonly pin: HTMLButtonElement;
  private readonly error = h("p", { class: "dwx-error", hidden: true, "data-testid": "detail-error" });
  private readonly mosaics: ReturnType<typeof createMosaics>;
  private readonly pinned: ReturnType<typeof createPinned>;
  private readonly photograph = createSourcePhotograph();
  private readonly facts: ReturnType<typeof createUnitFacts>;
  private readonly observer = new ResizeObserver(() => this.draw());
  private lastSize: { tile: number; side: number } | null = null;
  private content: DetailContent | null = null;
  private pointed: number | null = null;
  /** The unit whose mosaics the user waits for, and since when; 0: nobody waits. */
  private waiting = { key: "", started: 0 };

  constructor(private readonly options: DetailOptions) {
    const { store, set } = options;
    this.store = store;
    const point = (rank: number | null) => this.point(rank);
    const pick = (rank: number) => set({ rank });
    const title = "Keep this unit here, to compare others with it (p)";
    this.pin = h("button", { type: "button", class: "dwx-pin", "data-testid": "pin", title, onclick: () => this.togglePin() });
    this.mosaics = createMosaics({ store, testid: "mosaic", point, pick });
    this.pinned = createPinned({ store, open: () => this.openPinned(), unpin: () => set({ pinned: null }) });
    this.facts = createUnitFacts({ point, pick });
    const head = h("div", { class: "dwx-detail-head" }, this.title, this.pin);
    const lower = h("div", { class: "dwx-lower" }, this.photograph.element, this.facts.element);
    const parts = [head, this.numbers, this.error, this.mosaics.element, this.pinned.element, lower];
    this.element = h("section", { class: "dwx-detail", "aria-label": "Chosen unit", "data-testid": "detail" }, ...parts);
    this.observer.observe(this.element);
    this.observer.observe(this.photograph.room);
  }

  close(): void {
    this.observer.disconnect();
    this.store.client.release(this);
  }

  update(content: DetailContent): void {
    const before = this.content?.state;
    this.content = content;
    if (before?.layer !== content.state.layer || before.unit !== content.state.unit) this.pointed = null;
    this.draw();
  }

  togglePin(): void {
    const state = this.content?.state;
    if (state?.unit == null) return;
    this.options.set({ pinned: isPinned(state) ? null : { layer: state.layer, unit: state.unit } });
  }

  /** Move among the strongest activations. */
  move(key: string): void {
    const { content } = this;
    if (!content) return;
    const { rank } = content.state;
    const next = nextInGrid(key, rank, 3, Math.max(1, this.countEntries(content)));
    if (next !== null && next !== rank) this.options.set({ rank: next });
    this.focus();
  }

  focus(): void {
    this.mosaics.focus(this.content?.state.rank ?? 0);
  }

  /** Ask for the mosaics of a unit that is likely to be chosen next. */
  prefetch(unit: number, list: "detail" | "hovered"): void {
    const { content } = this;
    if (!content || !this.element.clientWidth || unit === content.state.unit || (content.table && isDead(content.table, unit))) return;
    this.store.requestMosaics(this, list, [this.requestFor({ ...content.state, unit }, this.size().tile)], PARTS);
  }

  /** Return whether all of a unit that is shown here is there already. */
  isLoaded(state: LayerState): boolean {
    if (state.unit === null || !this.store.loadedDetail(state.layer, state.unit)) return false;
    if (this.content?.table && isDead(this.content.table, state.unit)) return true;
    const request = this.requestFor({ ...state, unit: state.unit }, this.size().tile);
    return PARTS.every((part) => this.store.mosaic(request, part) || (part === "projections" && this.store.refusal(request)));
  }

  /** Mosaics of a unit are there. */
  mosaicLoaded({ layer, unit }: MosaicRequest): void {
    const state = this.content?.state;
    const isChosen = state?.layer === layer && state.unit === unit;
    if (isChosen || (state?.pinned?.layer === layer && state.pinned.unit === unit)) this.draw();
  }

  private openPinned(): void {
    const pinned = this.content?.state.pinned;
    if (pinned) this.options.set({ ...pinned, rank: 0 });
  }

  /** Show the photograph of the activation that is pointed at, as long as it is. */
  private point(rank: number | null): void {
    this.pointed = rank;
    this.mosaics.highlight(rank);
    this.drawFacts();
  }

  private requestFor({ layer, unit, rule, contrast }: LayerState & { unit: number }, tile: number): MosaicRequest {
    return { layer, unit, rule, contrast, tile };
  }

  private detail({ state }: DetailContent): Detail | undefined {
    return this.store.loadedDetail(state.layer, state.unit ?? -1);
  }

  /** Return how many strongest activations there are. */
  private countEntries(content: DetailContent): number {
    const { table, state, overview } = content;
    const detail = this.detail(content);
    if (detail) return detail.entries.length;
    return table && isDead(table, state.unit ?? -1) ? 0 : overview.k;
  }

  private isPinnedShown({ state }: DetailContent): boolean {
    return state.pinned !== null && !isPinned(state);
  }

  /** Return the size of the mosaics that fill the column. Without a kernel it stays what it was: there are no others to show. */
  private size(): { tile: number; side: number } {
    if (this.store.client.available || !this.lastSize) this.lastSize = this.fit();
    return this.lastSize;
  }

  private fit(): { tile: number; side: number } {
    const style = getComputedStyle(this.element);
    const width = this.element.clientWidth - Number.parseFloat(style.paddingLeft) - Number.parseFloat(style.paddingRight);
    const pinned = this.content !== null && this.isPinnedShown(this.content);
    // Below them the photograph and the facts need room, where the column has a height of its own.
    const { clientHeight } = this.element;
    const room = pinned ? (clientHeight - ROOM_BELOW_PINNED) / 2 : clientHeight - ROOM_BELOW;
    const height = style.overflowY === "visible" ? Number.POSITIVE_INFINITY : room;
    return fitTile(Math.min((width - MOSAIC_GAP) / 2, height), window.devicePixelRatio || 1, pinned ? 36 : 48, 110);
  }

  private draw(): void {
    const { content } = this;
    if (!content || content.state.unit === null || !this.element.clientWidth) return;
    const { state, gridTile } = content;
    const { tile, side } = this.size();
    const request = this.requestFor({ ...state, unit: content.state.unit }, tile);
    const pinnedRequest = this.isPinnedShown(content) && state.pinned ? { ...request, ...state.pinned } : null;
    const count = this.countEntries(content);
    this.drawHead(content);
    this.noteRequest({ ...request, tile: 0 }, content.started);
    // The mosaics first: the user waits for them.
    this.store.requestMosaics(this, "detail", count ? [request] : [], PARTS);
    this.store.requestMosaics(this, "pinned", pinnedRequest ? [pinnedRequest] : [], PARTS);
    const entries = this.detail(content)?.entries ?? [];
    const describe = (rank: number) => {
      const entry = entries[rank];
      return entry ? `#${rank + 1} · ${formatNumber(entry.value)} · ${describeEntry(entry)}` : `#${rank + 1}`;
    };
    const complete = this.mosaics.update({ request, side, smallTile: gridTile, count, rank: state.rank, describe });
    const error = this.store.mosaicError(request);
    this.error.hidden = !error;
    setText(this.error, error ?? "");
    if (complete) this.reportPainted(request);
    this.element.dataset.pinned = String(pinnedRequest !== null);
    this.pinned.update(pinnedRequest, side, gridTile);
    this.drawFacts();
  }

  private drawHead({ state, table, overview }: DetailContent): void {
    setText(this.title, `Unit ${state.unit}`);
    const images = formatCount(overview.crops, overview.crops > overview.photographs ? "crop" : "photograph");
    const words = table && state.unit !== null ? describeUnit(unitStatistics(table, state.unit), images) : "";
    setText(this.numbers, words);
    this.numbers.title = words;
    const pinned = isPinned(state);
    setText(this.pin, pinned ? "Unpin" : "Pin");
    this.pin.setAttribute("aria-pressed", String(pinned));
  }

  /** Draw the photograph of the chosen or pointed-at activation, and the unit's facts. */
  private drawFacts(): void {
    const { content } = this;
    if (!content || content.state.unit === null) return;
    const { layer, unit } = content.state;
    const rank = this.pointed ?? content.state.rank;
    this.facts.update(this.store.unitDetail(this, layer, unit), content.overview, rank);
    const count = this.countEntries(content);
    this.photograph.element.hidden = count === 0;
    if (rank >= count) return;
    const { room } = this.photograph;
    const size = (window.devicePixelRatio || 1) > 1 ? 960 : 480;
    const source = this.store.source(this, { layer, unit, rank, size });
    this.photograph.update(source, `#${rank + 1}`, room.clientWidth, Math.max(100, room.clientHeight));
  }

  /** Remember when the user asked for another unit. */
  private noteRequest(request: MosaicRequest, started: number): void {
    const key = JSON.stringify(request);
    if (this.waiting.key !== key) this.waiting = { key, started };
  }

  /** Tell, once and after the frame that shows them, how long the mosaics took. */
  private reportPainted({ layer, unit }: MosaicRequest): void {
    const { started } = this.waiting;
    if (!started) return;
    this.waiting.started = 0;
    const tell = () => this.options.painted({ kind: "detail", layer, unit, ms: performance.now() - started });
    requestAnimationFrame(() => setTimeout(tell, 0));
  }
}

/** The pinned unit beneath the chosen one. */
function createPinned({ store, open, unpin }: { store: LayerStore; open: () => void; unpin: () => void }) {
  const title = h("button", { type: "button", class: "dwx-link", "data-testid": "pinned-open", title: "Choose this unit", onclick: open });
  const close = h("button", { type: "button", class: "dwx-pin", "data-testid": "unpin", onclick: unpin }, "Unpin");
  const error = h("p", { class: "dwx-error", hidden: true });
  const mosaics = createMosaics({ store, testid: "pinned-mosaic" });
  const head = h("div", { class: "dwx-detail-head" }, title, close);
  const element = h("div", { class: "dwx-pinned", "data-testid": "pinned", hidden: true }, head, error, mosaics.element);

  const update = (request: MosaicRequest | null, side: number, smallTile: number) => {
    element.hidden = !request;
    if (!request) return;
    setText(title, `Pinned: ${request.layer} unit ${request.unit}`);
    const reason = store.mosaicError(request);
    error.hidden = !reason;
    setText(error, reason ?? "");
    mosaics.update({ request, side, smallTile, count: 9, rank: -1, describe: () => "" });
  };
  return { element, update };
}

/** Return whether the chosen unit is the pinned one. */
function isPinned({ layer, unit, pinned }: LayerState): boolean {
  return pinned?.layer === layer && pinned.unit === unit;
}
