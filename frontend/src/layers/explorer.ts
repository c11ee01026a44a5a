import { UnitRelations } from "../contributions/unit_relations.ts";
import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { h } from "../ui/dom.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { Arrangement } from "./arrangement.ts";
import { createRuleChoice, createViewChoice } from "./choices.ts";
import { createContributionSort } from "./contribution_sort.ts";
import { DetailDrawer } from "./detail_drawer.ts";
import { createFigureMenu, type FigureSize, figureName } from "./figures.ts";
import { focusedPart, type KeyAction, keyAction } from "./keyboard.ts";
import { createLayerFooter } from "./layer_footer.ts";
import { createLayerList } from "./layer_list.ts";
import { createIndexProgress, createRuleNotice, soFar } from "./notices.ts";
import { PinnedUnits } from "./pinned_units.ts";
import { withoutPin } from "./pins.ts";
import { LayerStore } from "./store.ts";
import { createSuggestions } from "./suggestions.ts";
import { headerContent } from "./summary.ts";
import { createToolbar } from "./toolbar.ts";
import { UnitDetail } from "./unit_detail.ts";
import { UnitGrid } from "./unit_grid.ts";
import { createUnitLegend } from "./unit_legend.ts";
import { UnitSearch } from "./unit_search.ts";
import { UnitSelection } from "./unit_selection.ts";
import { orderUnits, type Table } from "./unit_table.ts";
import type { FigureFile, Layer, LayerState, Overview } from "./wire.ts";

/** Part of the kernel's message that an index cannot be built. */
const FAILED = "could not be built";

/** One view of a LayerExplorer. */
class LayerExplorerView extends ExplorerView<LayerState, LayerStore> {
  private readonly selection = new UnitSelection({
    state: () => this.state,
    set: (patch) => this.set(patch),
    showDetail: () => this.drawer.open(),
    showStatus: (text) => this.showStatus(text),
  });
  private readonly rules = createRuleChoice((rule) => this.set({ rule }));
  private readonly views = createViewChoice((view) => this.set({ view }));
  private readonly layers = createLayerList({
    pick: (layer) => this.selection.selectLayer(layer),
    changed: () => this.requestDraw(),
    allLayers: () => this.store.allLayers(),
  });
  private readonly ruleNotice = createRuleNotice((rule) => this.set({ rule }));
  private readonly progress = createIndexProgress();
  private readonly contributionSort = createContributionSort({
    id: this.id,
    store: this.store.contributions,
    set: (patch) => this.set(patch),
  });
  private readonly toolbar = createToolbar({
    id: this.id,
    contributionSort: this.contributionSort.element,
    set: (patch) => this.set(patch),
    submit: (text) => this.search.submit(text),
    filterBy: (text) => this.search.filterBy(text),
  });
  private readonly search = new UnitSearch({
    input: this.toolbar.search,
    shown: () => ({ layer: this.state.layer, units: this.layer?.channels ?? 0, filter: this.state.filter }),
    isHidden: (unit) => this.arrangement.labels !== null && !this.arrangement.units.includes(unit),
    setFilter: (filter) => this.set({ filter }),
    select: (unit, removeFilter) => this.selection.select({ unit, ...(removeFilter ? { filter: "" } : {}) }),
    showStatus: (text) => this.showStatus(text),
  });
  private readonly suggestions = createSuggestions({
    select: (layer, unit) => this.set({ layer, unit, rank: 0 }),
    setBookmarks: (bookmarks) => this.set({ bookmarks }),
  });
  private readonly relations = new UnitRelations({
    id: this.id,
    store: this.store.contributions,
    open: (layer, unit) => this.selection.select({ layer, unit }),
    save: (fields, file) => void this.download("tree_file", { ...fields, file }, file),
    changed: () => this.requestDraw(),
  });
  private readonly detail = new UnitDetail({
    id: this.id,
    store: this.store,
    set: (patch) => this.set(patch),
    painted: (info) => this.painted(info),
    togglePin: () => this.togglePin(),
    bookmark: this.suggestions.star,
    why: (image) => void this.showing?.why(image),
    notReady: () => this.showStatus("The photographs of this unit are being loaded; try again in a moment."),
    relations: this.relations,
    close: () => this.drawer.close(),
  });
  private readonly grid = new UnitGrid({
    id: this.id,
    store: this.store,
    pick: (unit) => this.selection.select({ unit }),
    open: () => this.openDetail(),
    prefetch: (unit, list) => this.detail.prefetch(unit, list),
    scrolled: (unit) => this.scrolled(unit),
  });
  private readonly pins = new PinnedUnits({
    store: this.store,
    open: ({ layer, unit }) => this.selection.select({ layer, unit }),
    unpin: (pin) => this.set({ pinned: withoutPin(this.state.pinned, pin) }),
  });
  private readonly legend = createUnitLegend();
  private readonly footerContent = createLayerFooter();
  private readonly drawer: DetailDrawer;
  private readonly arrangement = new Arrangement();
  /** The time stamp of the last user action. */
  private actionTime = performance.now();
  private readonly removeMosaicListener: () => void;

  constructor(context: RenderContext<LayerState>, store: LayerStore) {
    super(context, store, "explorer", "layer-explorer");
    const middle = h(
      "section",
      { class: "dwx-middle", "aria-label": "Units" },
      this.toolbar.element,
      this.legend.element,
      this.suggestions.element,
      this.progress.element,
      this.grid.element,
      this.pins.element,
    );
    const main = h("div", { class: "dwx-main" }, this.layers.element, middle, this.detail.element);
    this.drawer = new DetailDrawer(main, this.detail.element, () => this.grid.element.focus({ preventScroll: true }));
    const menu = createFigureMenu({ save: (file, size) => void this.save(file, size), copy: this.copy });
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
      className: "dwl",
      main: [this.ruleNotice.element, main],
      footer: this.footerContent.parts,
    });
  }

  override focusMain(): void {
    this.grid.element.focus({ preventScroll: true });
  }

  override close(): void {
    this.removeMosaicListener();
    this.grid.close();
    this.detail.close();
    this.pins.close();
    super.close();
  }

  override set(patch: Partial<LayerState>): boolean {
    const rearranged = "layer" in patch || "sort" in patch || "target" in patch || "filter" in patch; // scroll to the start
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
    const { layer, unit, rule, contrast, view, tile_size } = this.state;
    const isShown = next.contrast === contrast && next.view === view && next.tile_size === tile_size;
    const isSame = next.layer === layer && next.rule === rule && isShown;
    return isSame && (next.unit === unit || this.detail.isLoaded(next));
  }

  protected override alertText(): string {
    const { error } = this.overview ? this.store.table(this.state.layer) : {};
    return super.alertText() || (error && (this.isIndexed || error.includes(FAILED)) ? error : "");
  }

  protected override draw(): void {
    const { overview, state } = this;
    this.footerContent.update(overview?.layers.length ?? 0, state.contrast);
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
    if (event.key === "Escape" && this.drawer.isOver && !(event.target instanceof HTMLInputElement)) {
      this.drawer.close();
      return true;
    }
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
    const contributions = this.contributionSort.update(state)?.values ?? null;
    if (table) {
      this.arrangement.update(table, state, contributions);
      if (state.unit === null && table.crops !== null) state = { ...state, unit: this.arrangement.units[0] ?? null };
      else if (state.unit === null) {
        state.unit = this.arrangement.units[0] ?? orderUnits(table, state.sort)[0] ?? 0;
        this.scheduleSave();
      }
      this.selection.remember();
    }
    const { units, labels } = this.arrangement;
    this.toolbar.update(state, table, units.length);
    this.legend.update(state, table, this.layer?.changed ?? false);
    this.suggestions.update(state, table);
    // Update the detail first: its mosaics are the most urgent.
    this.detail.update({ state, overview: soFar(overview, table), table, gridTile: this.grid.layout.tile, started: actionTime });
    if (table) this.grid.update({ state, table, units, labels, contributions });
    this.pins.update({ state, overview, layout: this.grid.layout });
  }

  private togglePin(): void {
    if (this.overview) this.selection.togglePin(this.overview.model);
  }

  private openDetail(): void {
    this.drawer.open();
    this.detail.focus();
  }

  /** @param unit the first unit of the top row of the grid */
  private scrolled(unit: number): void {
    this.state.scroll = unit; // no redraw needed
    this.scheduleSave();
  }

  private perform(action: KeyAction): void {
    if (action.type === "layer") {
      const layer = this.overview?.layers[action.index];
      if (layer) this.selection.selectLayer(layer.id);
    } else if (action.type === "moveUnit") this.moveUnit(action.key);
    else if (action.type === "moveRank") this.detail.move(action.key);
    else if (action.type === "pin") this.togglePin();
    else if (action.type === "bookmark") this.suggestions.toggle();
    else if (action.type === "switch" && this.state.unit !== null) this.store.units.toggle(this.state.layer, this.state.unit);
    else if (action.type === "open") this.openDetail();
    else if (action.type === "why") this.detail.why();
    else if (action.type === "tree") this.relations.openTree();
    else if (action.type === "search") this.search.focus();
    else {
      if (action.type === "find" || action.type === "clearSearch") this.search.end(action.type);
      this.focusMain();
    }
  }

  private moveUnit(key: string): void {
    const unit = this.arrangement.neighbour(key, this.state.unit, this.grid.layout.columns, this.grid.visibleRows);
    if (unit !== null) this.set({ unit, rank: 0 });
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
