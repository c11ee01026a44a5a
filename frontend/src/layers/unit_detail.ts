import type { UnitRelations } from "../contributions/unit_relations.ts";
import { contentWidth, h, setText } from "../ui/dom.ts";
import type { Painted } from "../ui/explorer_view.ts";
import { nextInGrid } from "../ui/grid_navigation.ts";
import { createWhyButton } from "../ui/why_button.ts";
import { EnlargedUnit } from "./enlarged_unit.ts";
import { fitTile } from "./grid_layout.ts";
import { createMosaics } from "./mosaics.ts";
import { createSourcePhotograph, photographSize } from "./source_photograph.ts";
import { type LayerStore, PARTS } from "./store.ts";
import { createUnitFactor } from "./unit_factor.ts";
import { createUnitFacts, describeRank } from "./unit_facts.ts";
import { createUnitHead } from "./unit_head.ts";
import { UnitPlaces } from "./unit_places.ts";
import { isInactive, type Table } from "./unit_table.ts";
import type { UnitDetail as Detail, LayerState, MosaicRequest, Overview } from "./wire.ts";

const MOSAIC_GAP = 10;
const OTHER_HEIGHT_DRAWER = 340; // heading, tabs, captions and list
const OTHER_HEIGHT = 484; // of the column without the mosaics, in CSS pixels: heading, tabs, captions, list, photograph and facts

export interface DetailContent {
  state: LayerState;
  overview: Overview;
  table: Table | undefined;
  /** The tile size of the grid: its mosaics are shown until larger ones are loaded. */
  gridTile: number;
  /** The time stamp of the user action. */
  started: number;
}

interface DetailOptions {
  id: string;
  store: LayerStore;
  set: (patch: Partial<LayerState>) => void;
  painted: (info: Painted) => void;
  togglePin: () => void;
  /** Show why the model predicts what it does for an image of the set. */
  why: (image: string) => void;
  /** Called if the photograph is not loaded yet. */
  notReady: () => void;
  /** The classes that the unit contributes to, and what feeds it. */
  relations: UnitRelations;
  /** The button that bookmarks the unit. */
  bookmark: HTMLElement;
  /** Called by the button that closes the column, which narrow layouts have. */
  close: () => void;
}

/** The selected unit: mosaics, source photograph and statistics. */
export class UnitDetail {
  readonly element: HTMLElement;
  private readonly store: LayerStore;
  private readonly head: ReturnType<typeof createUnitHead>;
  private readonly error = h("p", { class: "dwx-error", hidden: true, "data-testid": "detail-error" });
  private readonly mosaics: ReturnType<typeof createMosaics>;
  private readonly enlarged: EnlargedUnit;
  private readonly places: UnitPlaces;
  private readonly whyButton = createWhyButton({ testid: "why", key: "w", ask: () => this.why() });
  private readonly photograph = createSourcePhotograph({
    enlarge: () => this.places.active || this.enlarged.open(), // only the nine can be enlarged
    action: this.whyButton,
  });
  private readonly factor: ReturnType<typeof createUnitFactor>;
  private readonly facts: ReturnType<typeof createUnitFacts>;
  private readonly observer = new ResizeObserver(() => this.draw());
  private lastSize: { tile: number; side: number } | null = null;
  private content: DetailContent | null = null;
  private hoveredRank: number | null = null;
  /** The mosaics whose display time is measured; `started` is 0 after the measurement. */
  private measurement = { key: "", started: 0 };

  constructor(private readonly options: DetailOptions) {
    const { id, store, set } = options;
    this.store = store;
    const hover = (rank: number | null) => this.hover(rank);
    const pick = (rank: number) => this.pick(rank);
    this.enlarged = new EnlargedUnit({ id, store, set, closed: () => this.focus(), why: () => this.why() });
    const { togglePin, bookmark, close } = options;
    const open = (unit: number) => set({ unit, rank: 0 });
    this.head = createUnitHead({ store, enlarge: () => this.enlarged.open(), togglePin, open, bookmark, close });
    this.mosaics = createMosaics({ store, testid: "mosaic", hover, pick });
    this.facts = createUnitFacts({ hover, pick });
    this.factor = createUnitFactor(store.units);
    const strongest = h("div", { class: "dwl-nine" }, this.mosaics.element, this.facts.element);
    this.places = new UnitPlaces({ id, store, set, strongest, picked: () => this.drawFacts() });
    const lower = h("div", { class: "dwx-lower" }, this.photograph.element, this.facts.distribution);
    const parts = [
      this.head.element,
      this.head.numbers,
      h("div", { class: "dwx-unit-controls" }, this.factor.element, options.relations.element),
      options.relations.classes,
      this.error,
      this.places.head,
      ...this.places.panels,
      lower,
      this.enlarged.element,
      options.relations.tree.element,
    ];
    this.element = h("section", { class: "dwx-detail", "aria-label": "Selected unit", "data-testid": "detail" }, ...parts);
    this.observer.observe(this.element);
    this.observer.observe(this.photograph.container);
  }

  close(): void {
    this.observer.disconnect();
    this.enlarged.close();
    this.places.close();
    this.store.client.release(this);
  }

  update(content: DetailContent): void {
    const previous = this.content?.state;
    this.content = content;
    if (previous?.layer !== content.state.layer || previous.unit !== content.state.unit) this.hoveredRank = null;
    this.draw();
  }

  /** Select another of the strongest activations. */
  move(key: string): void {
    const { content } = this;
    if (!content) return;
    const { rank } = content.state;
    const next = nextInGrid(key, rank, 3, Math.max(1, this.countEntries(content)));
    if (next !== null && next !== rank) this.options.set({ rank: next });
    this.focus();
  }

  focus(): void {
    if (this.places.active) this.places.focus();
    else this.mosaics.focus(this.content?.state.rank ?? 0);
  }

  /** Show why the model predicts what it does for the photograph of the selected activation. */
  why(): void {
    if (!this.content?.overview.quantity) return;
    const entry = this.places.active ? this.places.place?.place : this.detail(this.content)?.entries[this.content.state.rank];
    if (!entry) {
      this.options.notReady();
      return;
    }
    this.enlarged.dismiss();
    this.options.why(`crop:${entry.image}`);
  }

  /** Request the mosaics of a unit that is likely to be selected next. */
  prefetch(unit: number, list: "detail" | "hovered"): void {
    const { content } = this;
    if (!content || !this.element.clientWidth || unit === content.state.unit || (content.table && isInactive(content.table, unit))) return;
    this.store.requestMosaics(this, list, [this.requestFor({ ...content.state, unit }, this.size().tile)], PARTS);
  }

  /** Return whether all data of the selected unit is loaded. */
  isLoaded(state: LayerState): boolean {
    if (state.unit === null || !this.store.loadedDetail(state.layer, state.unit)) return false;
    if (this.content?.table && isInactive(this.content.table, state.unit)) return true;
    const request = this.requestFor({ ...state, unit: state.unit }, this.size().tile);
    return PARTS.every((part) => this.store.mosaic(request, part) || (part === "projections" && this.store.rejectionReason(request)));
  }

  /** Called after mosaics of a unit were decoded. */
  mosaicLoaded({ layer, unit }: MosaicRequest): void {
    const state = this.content?.state;
    if (state?.layer === layer && state.unit === unit) this.draw();
  }

  /** Select an activation, or enlarge the one that is selected. */
  private pick(rank: number): void {
    if (rank === this.content?.state.rank) this.enlarged.open();
    else this.options.set({ rank });
  }

  /** Show the photograph of the hovered activation. */
  private hover(rank: number | null): void {
    this.hoveredRank = rank;
    this.mosaics.highlight(rank);
    this.drawFacts();
  }

  private requestFor({ layer, unit, rule, contrast }: LayerState & { unit: number }, tile: number): MosaicRequest {
    return { layer, unit, rule, contrast, tile };
  }

  private detail({ state }: DetailContent): Detail | undefined {
    return this.store.loadedDetail(state.layer, state.unit ?? -1);
  }

  /** Return the number of strongest activations. */
  private countEntries(content: DetailContent): number {
    const { table, state, overview } = content;
    const detail = this.detail(content);
    if (detail) return detail.entries.length;
    return table && isInactive(table, state.unit ?? -1) ? 0 : overview.k;
  }

  /** Return the size of mosaics that fill the column. Without a kernel it does not change, since only loaded mosaics can be shown. */
  private size(): { tile: number; side: number } {
    if (this.store.client.available || !this.lastSize) this.lastSize = this.fit();
    return this.lastSize;
  }

  private fit(): { tile: number; side: number } {
    const style = getComputedStyle(this.element);
    const isDrawer = style.getPropertyValue("--dwx-drawer").trim() === "1"; // it scrolls: the mosaics may be larger
    const height = this.element.clientHeight - (isDrawer ? OTHER_HEIGHT_DRAWER : OTHER_HEIGHT);
    return fitTile(Math.min((contentWidth(this.element) - MOSAIC_GAP) / 2, height), window.devicePixelRatio || 1, 44, 110);
  }

  private draw(): void {
    const { content } = this;
    if (!content || content.state.unit === null || !this.element.clientWidth) return;
    const { state, gridTile } = content;
    const { tile, side } = this.size();
    const request = this.requestFor({ ...state, unit: content.state.unit }, tile);
    const count = this.countEntries(content);
    this.head.update(content);
    this.element.dataset.off = String(this.factor.update(state.layer, request.unit) === 0);
    this.places.update({ ...state, unit: request.unit }, content.table, count);
    this.options.relations.update(state.layer, request.unit, content.overview.quantity?.kind === "probability");
    this.startMeasurement({ ...request, tile: 0 }, content.started);
    // Request the mosaics first: they are the most urgent.
    this.store.requestMosaics(this, "detail", count ? [request] : [], PARTS);
    const entries = this.detail(content)?.entries ?? [];
    const describe = (rank: number) => describeRank(entries, rank);
    const complete = this.mosaics.update({ request, side, previewTile: gridTile, count, rank: state.rank, describe });
    const error = this.store.mosaicError(request);
    this.error.hidden = !error;
    setText(this.error, error ?? "");
    if (complete) this.reportPainted(request);
    this.head.enlargeButton.disabled = count === 0 || this.places.active;
    this.element.dataset.places = String(this.places.active);
    this.drawFacts();
    this.enlarged.update({ state: { ...state, unit: request.unit }, count, previewTile: complete ? tile : gridTile });
  }

  /** Draw the photograph of the hovered or selected activation, and the facts. */
  private drawFacts(): void {
    const { content } = this;
    if (!content || content.state.unit === null) return;
    const { layer, unit } = content.state;
    const rank = this.hoveredRank ?? content.state.rank;
    this.facts.update(this.store.unitDetail(this, layer, unit), content.overview, rank);
    const { place, active } = this.places;
    const count = this.countEntries(content);
    this.photograph.element.hidden = active ? !place : count === 0;
    this.whyButton.hidden = content.overview.quantity === null;
    if (active ? !place : rank >= count) return;
    const { container } = this.photograph;
    const size = photographSize();
    const source = place
      ? this.store.places.source(this, { layer, unit, tab: place.tab }, place.number, size)
      : this.store.source(this, { layer, unit, rank, size });
    this.photograph.update(source, place ? "" : `#${rank + 1}`, container.clientWidth, Math.max(100, container.clientHeight));
  }

  /** Start to measure the display time of other mosaics. */
  private startMeasurement(request: MosaicRequest, started: number): void {
    const key = JSON.stringify(request);
    if (this.measurement.key !== key) this.measurement = { key, started };
  }

  /** Report the display time of the mosaics after the next frame. */
  private reportPainted({ layer, unit }: MosaicRequest): void {
    const { started } = this.measurement;
    if (!started) return;
    this.measurement.started = 0;
    const report = () => this.options.painted({ kind: "detail", layer, unit, ms: performance.now() - started });
    requestAnimationFrame(() => setTimeout(report, 0));
  }
}
