import { UnitRelations } from "../contributions/unit_relations.ts";
import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { DetailDrawer } from "../ui/detail_drawer.ts";
import { h } from "../ui/dom.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { createRuleChoice, createViewChoice } from "./choices.ts";
import { createFigureMenu, type FigureSize, figureName } from "./figures.ts";
import { soFar } from "./index_progress.ts";
import { focusedPart, type KeyAction, keyAction } from "./keyboard.ts";
import { createLayerFooter } from "./layer_footer.ts";
import { createLayerList } from "./layer_list.ts";
import { createRuleNotice } from "./notices.ts";
import { LayerStore } from "./store.ts";
import { headerContent } from "./summary.ts";
import { UnitDetail } from "./unit_detail.ts";
import { UnitSelection } from "./unit_selection.ts";
import { isColumnSort, orderUnits, type Table } from "./unit_table.ts";
import { UnitsSection } from "./units_section.ts";
import type { FigureFile, Layer, LayerState, Overview } from "./wire.ts";

/** Part of the kernel's message that an index cannot be built. */
const FAILED = "could not be built";
const REARRANGING = ["layer", "sort", "target", "filter", "where", "selected_units"] as const;

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
  private readonly section = new UnitsSection({
    id: this.id,
    store: this.store,
    selection: this.selection,
    state: () => this.state,
    layer: () => this.layer,
    set: (patch) => this.set(patch),
    openDetail: () => this.openDetail(),
    prefetch: (unit, list) => this.detail.prefetch(unit, list),
    scrolled: (unit) => this.scrolled(unit),
    showStatus: (text) => this.showStatus(text),
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
    bookmark: this.section.suggestions.star,
    why: (image) => void this.showing?.why(image),
    notReady: () => this.showStatus("The photographs of this unit are being loaded; try again in a moment."),
    relations: this.relations,
    close: () => this.drawer.close(),
  });
  private readonly footerContent = createLayerFooter();
  private readonly drawer: DetailDrawer;
  /** The time stamp of the last user action. */
  private actionTime = performance.now();
  private readonly removeMosaicListener: () => void;

  constructor(context: RenderContext<LayerState>, store: LayerStore) {
    super(context, store, "explorer", "layer-explorer");
    const main = h("div", { class: "dwx-main" }, this.layers.element, this.section.element, this.detail.element);
    this.drawer = new DetailDrawer(main, this.detail.element, () => this.focusMain());
    const menu = createFigureMenu({ save: (file, size) => void this.save(file, size), copy: this.copy });
    for (const name of ["pointerdown", "keydown"]) {
      this.root.addEventListener(name, (event) => (this.actionTime = event.timeStamp), true);
    }
    this.removeMosaicListener = store.onMosaic((request) => {
      this.section.paint(request.unit);
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
    this.section.focus();
  }

  override close(): void {
    this.removeMosaicListener();
    this.section.close();
    this.detail.close();
    super.close();
  }

  override set(patch: Partial<LayerState>): boolean {
    const rearranged = REARRANGING.some((key) => key in patch); // scroll to the start
    const moved = patch.layer !== undefined && patch.layer !== this.state.layer; // a selection is one of a layer's units
    if (!super.set({ ...(rearranged ? { scroll: null } : {}), ...(moved ? { selected_units: null } : {}), ...patch })) return false;
    this.drawAll();
    if ("unit" in patch || "layer" in patch) this.section.grid.show(this.state.unit);
    return true;
  }

  override saveNow(): void {
    if (this.state.unit !== null) super.saveNow(); // else the first unit is set when the table arrives
  }

  protected override stateChanged(previous: LayerState): void {
    this.drawAll();
    const { scroll, unit } = this.state;
    if (scroll !== null && scroll !== previous.scroll) this.section.grid.restoreScroll(this.state);
    else this.section.grid.show(unit);
  }

  protected override isLoaded(next: LayerState): boolean {
    const { layer, unit, rule, contrast, view, tile_size } = this.state;
    const isShown = next.contrast === contrast && next.view === view && next.tile_size === tile_size;
    const isSame = next.layer === layer && next.rule === rule && isShown;
    return isSame && (next.unit === unit || this.detail.isLoaded(next)) && this.isAnswered(next);
  }

  /** Return whether everything is loaded that the index answers for a tab, a condition, an order or the map. */
  private isAnswered(next: LayerState): boolean {
    const { places, queries } = this.store;
    const { tab, more, display, unit, layer } = this.state;
    const isTab = (next.tab === tab && next.more === more) || (next.tab === "strongest" && !next.more);
    const isListed = isTab || (unit !== null && places.isLoaded({ layer, unit, tab: next.tab }));
    const isSorted = !isColumnSort(next.sort) || queries.loadedColumns(layer) !== undefined;
    const isFiltered = !next.where || queries.isEvaluated(layer, next.where);
    return isListed && isSorted && isFiltered && (next.display === "grid" || next.display === display);
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
    this.section.drawProgress({ state, overview, layer: this.layer, table }, this.isIndexed);
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
    const { actionTime, layer, section } = this;
    let { state } = this;
    section.arrange(state, table);
    if (table) {
      const [first] = section.arrangement.units;
      if (state.unit === null && table.crops !== null) state = { ...state, unit: first ?? null };
      else if (state.unit === null) {
        state.unit = first ?? orderUnits(table, state.sort)[0] ?? 0;
        this.scheduleSave();
      }
      this.selection.remember();
    }
    const content = { state, overview, layer, table };
    section.draw(content);
    // Update the detail before the tiles: its mosaics are the most urgent.
    this.detail.update({ state, overview: soFar(overview, table), table, gridTile: section.grid.layout.tile, started: actionTime });
    section.drawTiles(content);
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
    else if (action.type === "bookmark") this.section.suggestions.toggle();
    else if (action.type === "switch" && this.state.unit !== null) this.store.units.toggle(this.state.layer, this.state.unit);
    else if (action.type === "open") this.openDetail();
    else if (action.type === "why") this.detail.why();
    else if (action.type === "tree") this.relations.openTree();
    else if (action.type === "search") this.section.search.focus();
    else {
      if (action.type === "find" || action.type === "clearSearch") this.section.search.end(action.type);
      this.focusMain();
    }
  }

  private moveUnit(key: string): void {
    const { arrangement, grid } = this.section;
    const unit = arrangement.neighbour(key, this.state.unit, grid.layout.columns, grid.visibleRows);
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
