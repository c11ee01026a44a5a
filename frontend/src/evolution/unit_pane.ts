/** The selected unit at the current epoch: the parts of the LayerExplorer's pane, and the unit's history. */
import { EnlargedUnit } from "../layers/enlarged_unit.ts";
import { fitTile } from "../layers/grid_layout.ts";
import { createMosaics } from "../layers/mosaics.ts";
import { createSourcePhotograph, photographSize } from "../layers/source_photograph.ts";
import { PARTS } from "../layers/store.ts";
import { createUnitFacts, describeRank } from "../layers/unit_facts.ts";
import type { LayerState, MosaicRequest } from "../layers/wire.ts";
import { contentWidth, h, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import { nextInGrid } from "../ui/grid_navigation.ts";
import { type EvolutionStore, layerAt } from "./store.ts";
import { describeColumn } from "./texts.ts";
import { createUnitHistory } from "./unit_history.ts";
import type { Cell, Column, EvolutionState, UnitName } from "./wire.ts";

const MOSAIC_GAP = 10;
const PHOTOGRAPH = 158; // height in CSS pixels
const NO_LAYER_STATE = { rule: "deconvnet", contrast: "tile" } as const;

export interface PaneContent {
  state: EvolutionState;
  unit: UnitName;
  column: Column;
  /** Undefined if the unit is not among the rows. */
  cell: Cell | undefined;
  /** The receptive field in words. */
  field: string;
  /** The checkpoints before and after, whose pictures are requested in advance. */
  neighbours: Column[];
}

interface PaneOptions {
  id: string;
  store: EvolutionStore;
  set: (patch: Partial<EvolutionState>) => void;
  pickEpoch: (epoch: number) => void;
  /** Open the unit in a LayerExplorer. */
  open: () => void;
  close: () => void;
  focusRows: () => void;
}

export class UnitPane {
  readonly element: HTMLElement;
  private readonly title = h("h3", { "data-testid": "unit-title" });
  private readonly numbers = h("div", { class: "dwx-numbers", "data-testid": "unit-numbers" });
  private readonly message = h("p", { class: "dwv-pane-message", role: "status", "data-testid": "unit-message" });
  private readonly enlargeButton: HTMLButtonElement;
  private readonly mosaics: ReturnType<typeof createMosaics>;
  private readonly enlarged: EnlargedUnit;
  private readonly photograph = createSourcePhotograph({ enlarge: () => this.openEnlarged(), action: h("span", {}) });
  private readonly facts: ReturnType<typeof createUnitFacts>;
  private readonly kept = h("p", { class: "dwv-kept", "data-testid": "kept" });
  private readonly history: ReturnType<typeof createUnitHistory>;
  private readonly top: HTMLElement;
  private readonly observer = new ResizeObserver(() => this.draw());
  private content: PaneContent | null = null;
  private hoveredRank: number | null = null;
  /** Whether the focus returns to the rows when the enlarged activation is closed: it came from there. */
  private enlargedFromRows = false;

  constructor(private readonly options: PaneOptions) {
    const { id, store, set, pickEpoch, open, close, focusRows } = options;
    const hover = (rank: number | null) => this.hover(rank);
    const pick = (rank: number) => this.pick(rank);
    const setRank = ({ rank }: Partial<LayerState>) => rank !== undefined && set({ rank });
    this.enlarged = new EnlargedUnit({
      id,
      store,
      set: setRank,
      closed: () => (this.enlargedFromRows ? focusRows() : this.focus()),
      why: () => {},
    });
    this.mosaics = createMosaics({ store, testid: "mosaic", hover, pick });
    this.facts = createUnitFacts({ hover, pick });
    this.history = createUnitHistory(pickEpoch);
    const button = (text: string, testid: string, hint: string, onclick: () => void) =>
      h("button", { type: "button", class: "dwx-pin", "data-testid": testid, title: hint, onclick }, text);
    this.enlargeButton = button("Enlarge", "enlarge", "Enlarge the selected activation (e, or click it again)", () => this.openEnlarged());
    const opener = button("Open", "open-layers", "Open this unit at this epoch in a LayerExplorer (Enter)", open);
    const closer = h("button", { type: "button", class: "dwx-detail-close", "data-testid": "pane-close", onclick: close }, "× Close");
    const head = h("div", { class: "dwx-detail-head" }, this.title, this.enlargeButton, opener, closer);
    const facts = h("div", { class: "dwv-facts" }, this.facts.distribution, this.kept);
    const lower = h("div", { class: "dwx-lower dwv-lower" }, this.photograph.element, facts);
    this.top = h("div", { class: "dwv-pane-top" }, this.mosaics.element, lower);
    const parts = [head, this.numbers, this.message, this.top, this.history.element, this.enlarged.element];
    this.element = h("section", { class: "dwx-detail dwv-pane", "aria-label": "Selected unit", "data-testid": "pane" }, ...parts);
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") focusRows();
    });
    this.observer.observe(this.element);
  }

  close(): void {
    this.observer.disconnect();
    this.enlarged.close();
    this.history.close();
    this.options.store.client.release(this);
  }

  update(content: PaneContent | null): void {
    const [previous, next] = [this.content, content];
    if (!previous || !next || previous.column.epoch !== next.column.epoch || previous.unit.join() !== next.unit.join())
      this.hoveredRank = null;
    this.content = content;
    this.element.dataset.empty = String(!content);
    if (content) this.draw();
  }

  /** Whether the pane covers a part of the rows when it is open. */
  get isDrawer(): boolean {
    return getComputedStyle(this.element).getPropertyValue("--dwx-drawer").trim() === "1";
  }

  focus(): void {
    this.mosaics.focus(this.content?.state.rank ?? 0);
  }

  enlarge(): void {
    const root = this.element.getRootNode();
    const focused = root instanceof Document || root instanceof ShadowRoot ? root.activeElement : null;
    this.openEnlarged(!this.element.contains(focused));
  }

  /** Select another of the strongest activations. */
  move(key: string): void {
    if (!this.content) return;
    const { rank } = this.content.state;
    const next = nextInGrid(key, rank, 3, Math.max(1, this.count));
    if (next !== null && next !== rank) this.options.set({ rank: next });
    this.focus();
  }

  /** Return whether everything is loaded that the pane shows of a unit at an epoch. */
  isLoaded([layer, unit]: UnitName, column: Column): boolean {
    const { store } = this.options;
    const request = this.request([layer, unit], column);
    const shown = PARTS.every((part) => store.mosaic(request, part) ?? store.mosaicError(request) ?? store.rejectionReason(request));
    return shown || this.content?.cell?.active === false;
  }

  private get count(): number {
    const { content } = this;
    if (!content) return 0;
    const detail = this.options.store.loadedDetail(layerAt(content.unit[0], content.column), content.unit[1]);
    return detail?.entries.length ?? (content.cell?.active === false ? 0 : 9);
  }

  private openEnlarged(fromRows = false): void {
    this.enlargedFromRows = fromRows;
    this.enlarged.open();
  }

  private pick(rank: number): void {
    if (rank === this.content?.state.rank) this.openEnlarged();
    else this.options.set({ rank });
  }

  private hover(rank: number | null): void {
    this.hoveredRank = rank;
    this.mosaics.highlight(rank);
    this.drawFacts();
  }

  private request([layer, unit]: UnitName, column: Column): MosaicRequest {
    return { layer: layerAt(layer, column), unit, ...NO_LAYER_STATE, tile: this.size.tile };
  }

  private get size(): { tile: number; side: number } {
    return fitTile((contentWidth(this.element) - MOSAIC_GAP) / 2, window.devicePixelRatio || 1, 40, 96);
  }

  private draw(): void {
    const { content } = this;
    if (!content || !this.element.clientWidth) return;
    const { store } = this.options;
    const { unit, column, cell, state, field } = content;
    const { epoch } = column;
    const ready = column.state === "ready";
    setText(this.title, `${unit[0]} / ${unit[1]}`);
    const history = store.history(unit);
    const value = history.value?.values[history.value.epochs.indexOf(epoch)] ?? cell?.value;
    const strongest = ready && value !== undefined && value > 0 ? `strongest ${formatNumber(value)}` : "";
    setText(
      this.numbers,
      [`${column.unit} ${epoch}`, column.trained ? "" : "random weights", strongest, field].filter(Boolean).join(" · "),
    );
    const request = this.request(unit, column);
    const inactive = ready && (cell?.active === false || value === 0);
    const error = history.error ?? store.mosaicError(request);
    const text = ready ? (inactive ? "This unit has no activation in these images at this epoch." : (error ?? "")) : describeColumn(column);
    setText(this.message, text);
    this.message.hidden = !text;
    this.message.classList.toggle("dwx-error", column.state === "failed" || (Boolean(error) && !inactive));
    this.top.hidden = !ready || inactive;
    this.enlargeButton.disabled = !ready || inactive;
    this.history.update(history.value, column);
    if (!ready || inactive) {
      store.requestMosaics(this, "detail", [], PARTS);
      return;
    }
    store.requestMosaics(this, "detail", [request], PARTS);
    this.drawMosaics(request, state.rank);
    this.drawFacts();
    const count = this.count;
    this.enlarged.update({ state: this.layerState(state, request), count, previewTile: request.tile });
    const next = content.neighbours.map((at) => this.request(unit, at));
    store.requestMosaics(this, "hovered", next, PARTS);
  }

  private drawMosaics(request: MosaicRequest, rank: number): void {
    const { store } = this.options;
    const loaded = PARTS.every((part) => store.mosaic(request, part) ?? store.rejectionReason(request));
    this.mosaics.element.dataset.ready = String(loaded);
    if (!loaded && this.mosaics.element.dataset.drawn) return; // those of before stay, dimmed
    this.mosaics.element.dataset.drawn = "true";
    const entries = store.loadedDetail(request.layer, request.unit)?.entries ?? [];
    const describe = (at: number) => describeRank(entries, at);
    this.mosaics.update({ request, side: this.size.side, previewTile: request.tile, count: this.count, rank, describe });
  }

  /** Return the state of a LayerExplorer that shows the unit. */
  private layerState({ rank }: EvolutionState, { layer, unit, rule, contrast }: MosaicRequest): LayerState & { unit: number } {
    return { layer, unit, rank, rule, contrast } as LayerState & { unit: number };
  }

  /** Draw the photograph of the hovered or selected activation, and the classes of the nine. */
  private drawFacts(): void {
    const { content } = this;
    const overview = this.options.store.hello?.overview;
    if (!content || !overview) return;
    const { store } = this.options;
    const [layer, unit] = [layerAt(content.unit[0], content.column), content.unit[1]];
    const rank = Math.min(this.hoveredRank ?? content.state.rank, Math.max(0, this.count - 1));
    this.facts.update(store.unitDetail(this, layer, unit), overview, rank);
    const { container } = this.photograph;
    const photograph = store.source(this, { layer, unit, rank, size: photographSize() });
    this.photograph.update(photograph, `#${rank + 1}`, container.clientWidth, PHOTOGRAPH);
    this.drawKept(content);
  }

  private drawKept({ unit, column }: PaneContent): void {
    const history = this.options.store.history(unit).value;
    const last = history?.epochs.at(-1);
    const kept = history?.final[history.epochs.indexOf(column.epoch)];
    const text =
      history && last !== undefined && kept !== undefined && last !== column.epoch
        ? `Of these ${history.final_of === 9 ? "nine" : history.final_of}, ${kept} ${kept === 1 ? "is" : "are"} among those of ${column.unit} ${last}.`
        : "";
    setText(this.kept, text);
  }
}
