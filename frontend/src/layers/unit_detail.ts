import { h, setText } from "../ui/dom.ts";
import { createFacts, entryWords, unitWords } from "./unit_facts.ts";
import { counted, number } from "../ui/format.ts";
import { placeAfter, tileFor } from "./grid_layout.ts";
import { createMosaics } from "./mosaics.ts";
import { createPhotograph } from "./source_photograph.ts";
import { PARTS } from "./store.ts";
import type { Table } from "./unit_table.ts";
import type { NineWanted, SourceFound, Wire } from "./store.ts";
import type { Column, LayerState, Overview, UnitDetail as Detail } from "./wire.ts";
import type { Painted } from "../ui/explorer_view.ts";

export interface DetailContent {
  state: LayerState;
  overview: Overview;
  table: Table | undefined;
  /** the grid's tile size: its mosaics stand in until the larger ones are there */
  gridTile: number;
  /** when the user's action began, on the page's clock */
  started: number;
}

const BETWEEN_NINES = 10;
// In CSS pixels, what the column holds besides nines:
const BENEATH = 385; // heading, captions, photograph and facts
const BENEATH_PINNED = 330; // the same and the pinned one's heading, with less of a photograph

/** Whether the chosen unit is the pinned one. */
export function isPinned({ layer, unit, pinned }: LayerState) {
  return pinned?.layer === layer && pinned?.unit === unit;
}

/** The chosen unit: its nine, the photographs they come from, what is known of it, and a pinned unit to compare with. */
export class UnitDetail {
  wire: Wire;
  set: (patch: Partial<LayerState>) => void;
  painted: (info: Painted) => void;
  content: DetailContent | null;
  pointed: number | null;
  waiting: { key: string; started: number };
  title: HTMLElement;
  numbers: HTMLElement;
  pin: HTMLElement;
  error: HTMLElement;
  mosaics: ReturnType<typeof createMosaics>;
  pinnedTitle: HTMLElement;
  pinnedError: HTMLElement;
  pinnedMosaics: ReturnType<typeof createMosaics>;
  pinned: HTMLElement;
  photograph: ReturnType<typeof createPhotograph>;
  facts: ReturnType<typeof createFacts>;
  lower: HTMLElement;
  element: HTMLElement;
  observer: ResizeObserver;

  constructor({
    wire,
    set,
    painted,
  }: {
    wire: Wire;
    set: (patch: Partial<LayerState>) => void;
    painted: (info: Painted) => void;
  }) {
    this.wire = wire;
    this.set = set;
    this.painted = painted;
    this.content = null;
    this.pointed = null;
    this.waiting = { key: "", started: 0 };
    const point = (rank: number | null) => this.point(rank);
    const pick = (rank: number) => set({ rank });
    this.title = h("h3", { "data-testid": "detail-title" });
    this.numbers = h("div", { class: "dwx-numbers", "data-testid": "detail-numbers" });
    this.pin = h("button", {
      type: "button",
      class: "dwx-pin",
      "data-testid": "pin",
      title: "Keep this unit here, to compare others with (p)",
      onclick: () => this.togglePin(),
    });
    this.error = h("p", { class: "dwx-error", hidden: true, "data-testid": "detail-error" });
    this.mosaics = createMosaics({ wire, testid: "nine", point, pick });
    this.pinnedTitle = h("button", { type: "button", class: "dwx-link", "data-testid": "pinned-open", onclick: () => this.openPinned() });
    this.pinnedError = h("p", { class: "dwx-error", hidden: true });
    this.pinnedMosaics = createMosaics({ wire, testid: "pinned-nine" });
    const unpin = h("button", { type: "button", class: "dwx-pin", "data-testid": "unpin", onclick: () => set({ pinned: null }) }, "unpin");
    const pinnedHead = h("div", { class: "dwx-detail-head" }, this.pinnedTitle, unpin);
    this.pinned = h(
      "div",
      { class: "dwx-pinned", "data-testid": "pinned", hidden: true },
      pinnedHead,
      this.pinnedError,
      this.pinnedMosaics.element,
    );
    this.photograph = createPhotograph();
    this.facts = createFacts({ point, pick });
    this.lower = h("div", { class: "dwx-lower" }, this.photograph.element, this.facts.element);
    const head = h("div", { class: "dwx-detail-head" }, this.title, this.pin);
    const parts = [head, this.numbers, this.error, this.mosaics.element, this.pinned, this.lower];
    this.element = h("section", { class: "dwx-detail", "aria-label": "Chosen unit", "data-testid": "detail" }, ...parts);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
    this.observer.observe(this.photograph.room);
  }

  close() {
    this.observer.disconnect();
  }

  togglePin() {
    const { state } = this.content ?? {};
    if (!state || state.unit === null) return;
    this.set({ pinned: isPinned(state) ? null : { layer: state.layer, unit: state.unit } });
  }

  openPinned() {
    const { pinned } = this.content?.state ?? {};
    if (pinned) this.set({ layer: pinned.layer, unit: pinned.unit, rank: 0 });
  }

  /** One of the nine is pointed at: its photograph is shown as long as it is. */
  point(rank: number | null) {
    this.pointed = rank;
    this.mosaics.highlight(rank);
    this.drawFacts();
  }

  /** Move among the nine. */
  move(key: string) {
    const state = this.content?.state;
    if (!state) return;
    const next = placeAfter(key, state.rank, 3, Math.max(1, this.count()));
    if (next !== null && next !== state.rank) this.set({ rank: next });
    this.focus();
  }

  focus() {
    this.mosaics.focus(this.content?.state.rank ?? 0);
  }

  /** How many of the nine there are. */
  count() {
    const { state, table } = this.content as DetailContent;
    const detail = this.detail();
    if (detail) return detail.entries.length;
    return table && table.columns.fires[state.unit ?? -1] === 0 ? 0 : 9;
  }

  /** The chosen unit's facts, if they are there already. */
  detail() {
    const { state } = this.content as DetailContent;
    return this.wire.units.get(`unit ${state.layer} ${state.unit}`);
  }

  update(content: DetailContent) {
    const before = this.content?.state;
    this.content = content;
    if (before?.layer !== content.state.layer || before?.unit !== content.state.unit) this.pointed = null;
    this.draw();
  }

  /** Whether a pinned unit stands beneath the chosen one: beside itself it would say nothing. */
  pinnedShown() {
    const { state } = this.content as DetailContent;
    return Boolean(state.pinned) && !isPinned(state);
  }

  /**
   * A unit may be chosen next: ask for its nine beforehand.
   * @param lane how soon
   */
  expect(unit: number, lane: "pointed" | "nine") {
    const { content } = this;
    if (!content || !this.element.clientWidth || content.table?.columns.fires[unit] === 0 || unit === content.state.unit) return;
    const { layer, rule, contrast } = content.state;
    this.wire.nines(lane, [{ layer, unit, rule, contrast, tile: this.size().tile }], PARTS, () => this.draw()); // by then it may be the chosen one
  }

  /** The size of the nines that fill the column. */
  size() {
    const style = getComputedStyle(this.element);
    const width = this.element.clientWidth - Number.parseFloat(style.paddingLeft) - Number.parseFloat(style.paddingRight);
    // Beneath it the photograph and the facts want room, where the column has a height of its own.
    const { clientHeight } = this.element;
    const pinned = this.pinnedShown();
    const height = style.overflowY === "visible" ? Infinity : pinned ? (clientHeight - BENEATH_PINNED) / 2 : clientHeight - BENEATH;
    return tileFor(Math.min((width - BETWEEN_NINES) / 2, height), window.devicePixelRatio || 1, pinned ? 36 : 48, 110);
  }

  draw() {
    const { content } = this;
    if (!content || content.state.unit === null || !this.element.clientWidth) return;
    this.drawHead(content);
    const { tile, side } = this.size();
    const { layer, unit, rule, contrast, pinned } = content.state;
    const wanted = { layer, unit, rule, contrast, tile };
    const dead = this.count() === 0;
    this.note({ ...wanted, tile: 0 });
    // The nine goes first: everything else waits for it.
    this.wire.nines("nine", dead ? [] : [wanted], PARTS, () => this.draw());
    this.wire.nines("pinned", this.pinnedShown() ? [{ ...wanted, ...pinned }] : [], PARTS, () => this.draw());
    const entries = this.detail()?.entries ?? [];
    const describe = (rank: number) =>
      entries[rank] ? `#${rank + 1} · ${number(entries[rank].value)} · ${entryWords(entries[rank])}` : `#${rank + 1}`;
    const common = { side, count: this.count(), rank: content.state.rank, describe };
    const sharp = this.mosaics.update({ wanted, stopgap: { ...wanted, tile: content.gridTile }, ...common });
    const failure = this.failure(wanted);
    this.error.hidden = !failure;
    setText(this.error, failure ?? "");
    if (sharp) this.report(wanted);
    this.drawPinned(content, { ...wanted, ...pinned }, side);
    this.drawFacts();
  }

  drawHead({ state, table, overview }: DetailContent) {
    setText(this.title, `unit ${state.unit}`);
    const of = counted(overview.views, overview.views > overview.photographs ? "crop" : "photograph");
    const columns = table ? Object.fromEntries(Object.entries(table.columns).map(([name, column]) => [name, column[state.unit ?? -1]])) : null;
    setText(this.numbers, columns ? unitWords(columns as Record<Column, number>, of) : "");
    this.numbers.title = this.numbers.textContent ?? "";
    const same = isPinned(state);
    setText(this.pin, same ? "unpin" : "pin");
    this.pin.setAttribute("aria-pressed", String(same));
  }

  drawPinned({ state, gridTile }: DetailContent, wanted: NineWanted, side: number) {
    const { pinned } = state;
    this.pinned.hidden = !this.pinnedShown();
    this.element.dataset.pinned = String(!this.pinned.hidden);
    if (this.pinned.hidden || !pinned) return;
    setText(this.pinnedTitle, `pinned: ${pinned.layer} unit ${pinned.unit}`);
    const failure = this.failure(wanted);
    this.pinnedError.hidden = !failure;
    setText(this.pinnedError, failure ?? "");
    this.pinnedMosaics.update({ wanted, side, stopgap: { ...wanted, tile: gridTile }, count: 9, rank: -1, describe: () => "" });
  }

  /** Why a nine did not come. */
  failure(wanted: NineWanted) {
    const { failures } = this.wire;
    return PARTS.map((part) => failures.get(this.wire.nineKey(wanted, part))).find(Boolean);
  }

  /** The photograph of the chosen or pointed-at one, and the unit's facts. */
  drawFacts() {
    const { content } = this;
    if (!content || content.state.unit === null) return;
    const { state, overview } = content;
    const { unit } = content.state;
    const rank = this.pointed ?? state.rank;
    const { detail, failure } = this.wire.unit(state.layer, unit);
    this.facts.update({ detail, failure, overview, rank });
    const dead = this.count() === 0;
    this.photograph.element.hidden = dead;
    if (dead || rank >= this.count()) return;
    const room = this.photograph.room;
    const size = (window.devicePixelRatio || 1) > 1 ? 960 : 480;
    const source = this.wire.source({ layer: state.layer, unit, rank, size }, () => this.drawFacts());
    this.photograph.update({ ...source, words: `#${rank + 1}` }, room.clientWidth, Math.max(100, room.clientHeight));
  }

  /** Remember when the user asked for other nine. */
  note(wanted: NineWanted) {
    const key = this.wire.nineKey(wanted);
    if (this.waiting.key !== key) this.waiting = { key, started: this.content?.started ?? performance.now() };
  }

  /** Tell, once and after the frame that shows them, how long the nine took. */
  report({ layer, unit }: NineWanted) {
    const { started } = this.waiting;
    if (!started) return;
    this.waiting.started = 0;
    const { seq } = this.wire.queue;
    requestAnimationFrame(() => setTimeout(() => this.painted({ kind: "detail", layer, unit, seq, ms: performance.now() - started }), 0));
  }
}
