import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { h, setText } from "../ui/dom.ts";
import { safeFileName } from "../ui/download.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { createExportMenu } from "../ui/export_menu.ts";
import { type KeyHint, keyHint } from "../ui/footer.ts";
import { nextInGrid } from "../ui/grid_navigation.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import { Arrangement } from "./arrangement.ts";
import { focusedPart, type KeyAction, keyAction } from "./keyboard.ts";
import { createLayerList } from "./layer_list.ts";
import { createIndexProgress, createRuleNotice, soFar } from "./notices.ts";
import { LayerStore } from "./store.ts";
import { headerContent } from "./summary.ts";
import { createToolbar } from "./toolbar.ts";
import { UnitDetail } from "./unit_detail.ts";
import { UnitGrid } from "./unit_grid.ts";
import { orderUnits, parseSearch, type Table } from "./unit_table.ts";
import type { FigureFile, Layer, LayerState, Overview, Rule, View } from "./wire.ts";

const RULES: Choice<Rule>[] = [
  ["deconvnet", "Deconvnet", "The rule of the paper: rectify the backward signal at every rectifier"],
  ["gradient", "Gradient", "The gradient: pass the signal where the input of the rectifier was positive"],
  ["guided", "Guided", "Guided backpropagation: apply both conditions"],
  ["extended", "Extended", "The deconvnet, extended beyond the paper: smooth activations rectify, gates and normalisations are constants"],
];
const VIEWS: Choice<View>[] = [
  ["projections", "Projections", "The strongest activations, projected to pixel space"],
  ["patches", "Patches", "The patches of the photographs in the receptive field"],
  ["both", "Both", "Projections and patches side by side, as in the paper"],
];
const FILES: [FigureFile, string][] = [
  ["layer.png", "Layer as PNG"],
  ["layer.svg", "Layer as SVG"],
  ["layer.html", "Layer as HTML page"],
  ["unit.png", "Unit as PNG"],
  ["unit.svg", "Unit as SVG"],
  ["unit.html", "Unit as HTML page"],
];
const KEYS: KeyHint[] = [
  [["←", "↑", "↓", "→"], "move"],
  [["Enter"], "open"],
  [["/"], "search"],
  [["p"], "pin"],
  [["Esc"], "leave"],
];
/** Part of the kernel's message that an index cannot be built. */
const FAILED = "could not be built";
const NEGATIVE_VALUES =
  "Projections contain negative values, because filters have negative weights. " +
  "Lower values of the pixels that are darker than mid-gray would increase the activation of the unit.";

/** One view of a LayerExplorer. */
class LayerExplorerView extends ExplorerView<LayerState, LayerStore> {
  private readonly rules = createRadioGroup({
    label: "Rule",
    prefix: "rule",
    testid: "rules",
    choices: RULES,
    pick: (rule) => this.set({ rule }),
  });
  private readonly views = createRadioGroup({
    label: "Show",
    prefix: "view",
    testid: "views",
    choices: VIEWS,
    pick: (view) => this.set({ view }),
  });
  private readonly layers = createLayerList({
    pick: (layer) => this.selectLayer(layer),
    changed: () => this.requestDraw(),
    allLayers: () => this.store.allLayers(),
  });
  private readonly ruleNotice = createRuleNotice((rule) => this.set({ rule }));
  private readonly progress = createIndexProgress();
  private readonly toolbar = createToolbar({
    id: this.id,
    set: (patch) => this.set(patch),
    submit: (text) => this.search(text),
    filterBy: (text) => this.filter(text),
  });
  private readonly detail = new UnitDetail({
    store: this.store,
    set: (patch) => this.set(patch),
    painted: (info) => this.painted(info),
  });
  private readonly grid = new UnitGrid({
    id: this.id,
    store: this.store,
    pick: (unit) => this.set({ unit, rank: 0 }),
    open: () => this.detail.focus(),
    prefetch: (unit, list) => this.detail.prefetch(unit, list),
    scrolled: (unit) => this.scrolled(unit),
  });
  private readonly layerKeys = h("span", { class: "dwx-hint" });
  private readonly contrastNote = h("span", { class: "dwx-contrast-note", title: NEGATIVE_VALUES, tabindex: 0 });
  private readonly arrangement = new Arrangement();
  /** The last selected unit of each layer. */
  private readonly lastUnits = new Map<string, number>();
  /** The time stamp of the last user action. */
  private actionTime = performance.now();
  private readonly removeMosaicListener: () => void;

  constructor(context: RenderContext<LayerState>, store: LayerStore) {
    super(context, store, "explorer", "layer-explorer");
    const middle = h(
      "section",
      { class: "dwx-middle", "aria-label": "Units" },
      this.toolbar.element,
      this.progress.element,
      this.grid.element,
    );
    const menu = createExportMenu({ files: FILES, save: (file) => void this.save(file), copyState: () => this.copyState() });
    for (const name of ["pointerdown", "keydown"]) {
      this.root.addEventListener(name, (event) => (this.actionTime = event.timeStamp), true);
    }
    this.removeMosaicListener = store.onMosaic((request) => {
      this.grid.paint(request.unit);
      this.detail.mosaicLoaded(request);
    });
    this.mount({
      label: "Layer explorer",
      tools: [this.rules.element, this.views.element, menu],
      main: [this.ruleNotice.element, h("div", { class: "dwx-main" }, this.layers.element, middle, this.detail.element)],
      footer: [[...KEYS.map(keyHint), this.layerKeys], [this.contrastNote]],
    });
  }

  override close(): void {
    this.removeMosaicListener();
    this.grid.close();
    this.detail.close();
    super.close();
  }

  override set(patch: Partial<LayerState>): boolean {
    const rearranged = "layer" in patch || "sort" in patch || "filter" in patch; // scroll to the start
    if (!super.set({ ...(rearranged ? { scroll: null } : {}), ...patch })) return false;
    this.drawAll();
    if ("unit" in patch || "layer" in patch) this.grid.show(this.state.unit);
    return true;
  }

  override saveNow(): void {
    if (this.state.unit !== null) super.saveNow(); // else the first unit is set when the table arrives
  }

  protected override stateChanged(previous: LayerState): void {
    this.drawAll();
    const { scroll, unit } = this.state;
    if (scroll !== null && scroll !== previous.scroll) this.grid.restoreScroll(this.state);
    else this.grid.show(unit);
  }

  protected override isLoaded(next: LayerState): boolean {
    const { layer, unit, rule, contrast, view } = this.state;
    const isSame = next.layer === layer && next.rule === rule && next.contrast === contrast && next.view === view;
    return isSame && (next.unit === unit || this.detail.isLoaded(next));
  }

  protected override alertText(): string {
    const { error } = this.overview ? this.store.table(this.state.layer) : {};
    return super.alertText() || (error && (this.isIndexed || error.includes(FAILED)) ? error : "");
  }

  protected override draw(): void {
    const { overview, state } = this;
    this.drawFooter(overview);
    if (!overview) return;
    this.header?.update(headerContent(overview, this.layer));
    this.rules.show(state.rule);
    this.views.show(state.view);
    this.layers.update(overview, state.layer);
    const table = this.store.table(state.layer).value;
    this.ruleNotice.update(this.store.rejectionReason(state));
    this.root.dataset.ready = "true";
    this.root.dataset.waiting = String(!this.isIndexed && !table);
    this.progress.element.hidden = this.isIndexed && (!table || table.crops === null);
    const { progress, progressLayers } = this.store;
    this.progress.update({ progress, progressLayers, layer: state.layer, crops: table?.crops ?? null, overview });
    if (this.isIndexed || table) this.drawUnits(overview, table);
  }

  protected override onKey(event: KeyboardEvent): boolean {
    const action = this.overview && event.target instanceof Element ? keyAction(event.key, focusedPart(event.target)) : null;
    if (action) this.perform(action);
    return action !== null && action.type !== "find" && action.type !== "clearSearch"; // the search box handles Enter and Escape, too
  }

  private get overview(): Overview | null {
    return this.store.hello?.overview ?? null;
  }

  private get layer(): Layer | undefined {
    return [...(this.overview?.layers ?? []), ...(this.overview?.opened ?? [])].find(({ id }) => id === this.state.layer);
  }

  /** Whether the index of the layer is complete. */
  private get isIndexed(): boolean {
    return (this.layer?.dead ?? null) !== null;
  }

  private drawUnits(overview: Overview, table: Table | undefined): void {
    const { actionTime } = this;
    let { state } = this;
    if (table) {
      this.arrangement.update(table, state);
      if (state.unit === null && table.crops !== null) state = { ...state, unit: this.arrangement.units[0] ?? null };
      else if (state.unit === null) {
        state.unit = this.arrangement.units[0] ?? orderUnits(table, state.sort)[0] ?? 0;
        this.scheduleSave();
      }
      if (this.state.unit !== null) this.lastUnits.set(state.layer, this.state.unit);
    }
    this.toolbar.update(state, table, this.arrangement.units.length);
    // Update the detail first: its mosaics are the most urgent.
    this.detail.update({ state, overview: soFar(overview, table), table, gridTile: this.grid.layout.tile, started: actionTime });
    const { units, labels } = this.arrangement;
    if (table) this.grid.update({ state, table, units, labels });
  }

  private drawFooter(overview: Overview | null): void {
    const count = Math.min(9, overview?.layers.length ?? 0);
    this.layerKeys.hidden = count < 2;
    if (this.layerKeys.childElementCount === 0 || this.layerKeys.dataset.count !== String(count)) {
      this.layerKeys.dataset.count = String(count);
      this.layerKeys.replaceChildren(h("kbd", {}, "1"), "–", h("kbd", {}, String(count)), " layer");
    }
    const scaled = this.state.contrast === "tile" ? "Each tile is scaled" : "The tiles of a unit are scaled together";
    setText(this.contrastNote, `Mid-gray is zero. ${scaled} by 2.5 standard deviations.`);
  }

  /** Select a layer, and the last selected unit of it. */
  private selectLayer(layer: string): void {
    if (layer !== this.state.layer) this.set({ layer, unit: this.lastUnits.get(layer) ?? null, rank: 0 });
  }

  /** @param unit the first unit of the top row of the grid */
  private scrolled(unit: number): void {
    this.state.scroll = unit; // no redraw needed
    this.scheduleSave();
  }

  /** Filter by a class name while it is typed; a unit number needs Enter. */
  private filter(text: string): void {
    const query = parseSearch(text);
    if ("className" in query && query.className !== this.state.filter) this.set({ filter: query.className });
  }

  private search(text: string): void {
    const query = parseSearch(text);
    const units = this.layer?.channels ?? 0;
    if ("className" in query) this.filter(text);
    else if (query.unit >= units) this.showStatus(`${this.state.layer} has ${units} units, 0 to ${units - 1}.`);
    else {
      const hidden = this.arrangement.labels && !this.arrangement.units.includes(query.unit);
      this.set({ unit: query.unit, rank: 0, ...(hidden ? { filter: "" } : {}) });
    }
  }

  private perform(action: KeyAction): void {
    const input = this.toolbar.search;
    if (action.type === "layer") {
      const layer = this.overview?.layers[action.index];
      if (layer) this.selectLayer(layer.id);
    } else if (action.type === "moveUnit") this.moveUnit(action.key);
    else if (action.type === "moveRank") this.detail.move(action.key);
    else if (action.type === "pin") this.detail.togglePin();
    else if (action.type === "open") this.detail.focus();
    else if (action.type === "search") {
      input.focus();
      input.select();
    } else {
      if (action.type === "find") this.search(input.value);
      if (action.type === "clearSearch") this.set({ filter: "" });
      this.grid.element.focus({ preventScroll: true });
      input.value = this.state.filter;
    }
  }

  private moveUnit(key: string): void {
    const { grid } = this;
    const { units } = this.arrangement;
    if (!units.length) return;
    const index = units.indexOf(this.state.unit ?? -1);
    const next = index < 0 ? 0 : nextInGrid(key, index, grid.layout.columns, units.length, grid.visibleRows);
    const unit = next === null ? undefined : units[next];
    if (unit !== undefined && next !== index) this.set({ unit, rank: 0 });
  }

  private async save(figure: FigureFile): Promise<void> {
    if (this.overview) await this.download("figure", { figure, state: this.state }, figureName(this.overview.model, this.state, figure));
  }
}

/** Return the file name of a figure. */
export function figureName(model: string, { layer, unit }: Pick<LayerState, "layer" | "unit">, figure: FigureFile): string {
  const [kind, suffix] = figure.split(".");
  return safeFileName(`${model}-${layer}${kind === "unit" ? `-unit${unit}` : ""}.${suffix}`);
}

export default defineWidget<LayerState, LayerStore>(
  (model) => new LayerStore(model),
  (context, store) => new LayerExplorerView(context, store),
);
