import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { h, setText } from "../ui/dom.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { type KeyHint, keyHint } from "../ui/footer.ts";
import { nextInGrid } from "../ui/grid_navigation.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import { createFigureMenu, type FigureSize, figureName } from "./figures.ts";
import { focusedPart, type KeyAction, keyAction } from "./keyboard.ts";
import { createLayerList } from "./layer_list.ts";
import { createIndexProgress, createRuleNotice } from "./notices.ts";
import { LayerStore } from "./store.ts";
import { createSuggestions } from "./suggestions.ts";
import { headerContent } from "./summary.ts";
import { createToolbar } from "./toolbar.ts";
import { UnitDetail } from "./unit_detail.ts";
import { UnitGrid } from "./unit_grid.ts";
import { filterUnits, findLabels, orderUnits, parseSearch, type Table } from "./unit_table.ts";
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
const KEYS: KeyHint[] = [
  [["←", "↑", "↓", "→"], "move"],
  [["Enter"], "open"],
  [["/"], "search"],
  [["p"], "pin"],
  [["b"], "bookmark"],
  [["Esc"], "leave"],
];
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
  private readonly layers = createLayerList({ pick: (layer) => this.selectLayer(layer) });
  private readonly ruleNotice = createRuleNotice((rule) => this.set({ rule }));
  private readonly progress = createIndexProgress();
  private readonly toolbar = createToolbar({
    id: this.id,
    set: (patch) => this.set(patch),
    submit: (text) => this.search(text),
    filterBy: (text) => this.filter(text),
  });
  private readonly suggestions = createSuggestions({
    select: (layer, unit) => this.set({ layer, unit, rank: 0 }),
    setBookmarks: (bookmarks) => this.set({ bookmarks }),
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
  /** The filtered units in sort order. */
  private units: number[] = [];
  private labels: Set<number> | null = null;
  private arrangedFor: unknown[] = [];
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
      this.suggestions.element,
      this.progress.element,
      this.grid.element,
    );
    const menu = createFigureMenu({ save: (file, size) => void this.save(file, size), copyState: () => this.copyState() });
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
    return super.alertText() || (this.overview?.index_ready && this.store.table(this.state.layer).error) || "";
  }

  protected override draw(): void {
    const { overview, state } = this;
    this.drawFooter(overview);
    if (!overview) return;
    this.header?.update(headerContent(overview, this.layer));
    this.rules.show(state.rule);
    this.views.show(state.view);
    this.layers.update(overview, state.layer);
    this.ruleNotice.update(this.store.rejectionReason(state));
    this.root.dataset.ready = "true";
    this.root.dataset.waiting = String(!overview.index_ready);
    this.progress.element.hidden = overview.index_ready;
    if (overview.index_ready) this.drawUnits(overview);
    else this.progress.update(this.store.progress);
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
    return this.overview?.layers.find(({ id }) => id === this.state.layer);
  }

  private drawUnits(overview: Overview): void {
    const { state, actionTime } = this;
    const table = this.store.table(state.layer).value;
    if (table) {
      this.arrange(table);
      if (state.unit === null) {
        state.unit = this.units[0] ?? orderUnits(table, state.sort)[0] ?? 0;
        this.scheduleSave();
      }
      this.lastUnits.set(state.layer, state.unit);
    }
    this.toolbar.update(state, table, this.units.length);
    this.suggestions.update(state, table);
    // Update the detail first: its mosaics are the most urgent.
    this.detail.update({ state, overview, table, gridTile: this.grid.layout.tile, started: actionTime });
    if (table) this.grid.update({ state, table, units: this.units, labels: this.labels });
  }

  /** Sort and filter the units if the table, the order or the filter has changed. */
  private arrange(table: Table): void {
    const { sort, filter } = this.state;
    const key = [table, sort, filter];
    if (key.every((part, index) => part === this.arrangedFor[index])) return;
    this.arrangedFor = key;
    this.labels = findLabels(table, filter);
    this.units = filterUnits(table, orderUnits(table, sort), this.labels);
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
      const hidden = this.labels && !this.units.includes(query.unit);
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
    else if (action.type === "bookmark") this.suggestions.toggle();
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
    const { units, grid } = this;
    if (!units.length) return;
    const index = units.indexOf(this.state.unit ?? -1);
    const next = index < 0 ? 0 : nextInGrid(key, index, grid.layout.columns, units.length, grid.visibleRows);
    const unit = next === null ? undefined : units[next];
    if (unit !== undefined && next !== index) this.set({ unit, rank: 0 });
  }

  private async save(figure: FigureFile, size: FigureSize): Promise<void> {
    const { overview, state } = this;
    if (overview) await this.download("figure", { figure, state: { ...state, size } }, figureName(overview.model, state, figure));
  }
}

export default defineWidget<LayerState, LayerStore>(
  (model) => new LayerStore(model),
  (context, store) => new LayerExplorerView(context, store),
);
