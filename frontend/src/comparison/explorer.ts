import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { createRuleChoice, createViewChoice } from "../layers/choices.ts";
import { createRuleNotice } from "../layers/notices.ts";
import { DetailDrawer } from "../ui/detail_drawer.ts";
import { h, setText } from "../ui/dom.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { createExportMenu, exportName } from "../ui/export_menu.ts";
import { keyHint } from "../ui/footer.ts";
import { nextInGrid } from "../ui/grid_navigation.ts";
import { createIndexBuilding } from "./index_building.ts";
import { createLayerPairs } from "./layer_pairs.ts";
import { PairColumn } from "./pair_column.ts";
import { PairGrid } from "./pair_grid.ts";
import { focusedPart, KEY_HINTS, type PairAction, pairAction } from "./pair_keys.ts";
import { PairSelection } from "./pair_selection.ts";
import { LETTERS } from "./pair_tile.ts";
import { createPairToolbar } from "./pair_toolbar.ts";
import type { Pairs } from "./pairs.ts";
import { SidePins, samePin } from "./side_pins.ts";
import { PairStore } from "./store.ts";
import { headerContent, shortNames } from "./summary.ts";
import { type Both, type PairState, SIDES, type Side } from "./wire.ts";

const FILES = [["Pairs", [["pairs.png", "PNG"] as const, ["pairs.csv", "CSV"] as const]]] as const;
const REARRANGING = ["layer_a", "layer_b", "sort", "status", "paired_by"] as const;

/** One view of two models' layers side by side. */
class PairExplorerView extends ExplorerView<PairState, PairStore> {
  private readonly selection = new PairSelection({
    store: this.store,
    state: () => this.state,
    set: (patch) => this.set(patch),
    complete: (patch) => this.complete(patch),
    showDetail: () => this.drawer.open(),
    showStatus: (text) => this.showStatus(text),
  });
  private readonly rules = createRuleChoice((rule) => this.set({ rule }));
  private readonly views = createViewChoice((view) => this.set({ view }));
  private readonly layers = createLayerPairs({
    pick: (a, b) => this.selection.pickLayers(a, b),
    changed: () => this.requestDraw(),
  });
  private readonly notice = createRuleNotice((rule) => this.set({ rule }));
  private readonly toolbar = createPairToolbar({ set: (patch) => this.set(patch), find: (text) => this.find(text) });
  private readonly grid: PairGrid;
  private readonly column: PairColumn;
  private readonly pins: SidePins;
  private readonly waiting = h("p", { class: "dwx-empty dwc-waiting", role: "status", hidden: true, "data-testid": "pairs-note" });
  private readonly building = createIndexBuilding(this.store, this.selection);
  private readonly drawer: DetailDrawer;
  private readonly removeListeners: (() => void)[];

  constructor(context: RenderContext<PairState>, store: PairStore) {
    super(context, store, "pairs", "side-by-side");
    const { selection } = this;
    this.grid = new PairGrid({
      id: this.id,
      store,
      pick: (pair) => selection.pickPair(pair),
      open: () => this.openPane(this.state.side),
      prefetch: (pair, list) => this.column.prefetch(pair, list),
    });
    this.column = new PairColumn({
      id: this.id,
      store,
      selection,
      state: () => this.state,
      set: (patch) => this.set(patch),
      open: (side) => this.openPane(side),
      why: (side, image) => {
        const state = { image, target: null, against: null, tab: "why", patches: [] };
        void this.showing?.show("OcclusionExplorer", { side, state });
      },
      save: (fields, file) => void this.download("tree_file", fields, file),
      painted: (info) => this.painted(info),
      changed: () => this.requestDraw(),
      showStatus: (text) => this.showStatus(text),
      close: () => this.drawer.close(),
    });
    this.pins = new SidePins({
      store,
      open: ({ side, layer, unit }) => this.selection.select(side, layer, unit),
      unpin: (pin) => this.set({ pinned: this.state.pinned.filter((other) => !samePin(other, pin)) }),
    });
    const middle = h(
      "div",
      { class: "dwx-middle" },
      ...this.building.elements,
      this.toolbar.element,
      this.waiting,
      this.grid.element,
      this.pins.element,
    );
    const main = h("div", { class: "dwx-main dwc-main" }, this.layers.element, middle, this.column.element);
    this.drawer = new DetailDrawer(main, this.column.element, () => this.focusMain());
    this.removeListeners = SIDES.map((side) =>
      store.sides[side].onMosaic((request) => {
        this.grid.paint(side, request.unit);
        this.requestDraw();
      }),
    );
    const menu = createExportMenu({ groups: FILES, save: (file) => void this.save(file), copy: this.copy });
    this.mount({
      label: "Two models side by side",
      tools: [this.rules.element, this.views.element, menu],
      className: "dwc",
      main: [this.notice.element, main],
      footer: [KEY_HINTS.map(([keys, action]) => keyHint([keys, action]))],
    });
  }

  override focusMain(): void {
    this.grid.element.focus({ preventScroll: true });
  }

  override close(): void {
    for (const remove of this.removeListeners) remove();
    for (const part of [this.grid, this.column, this.pins]) part.close();
    super.close();
  }

  override set(patch: Partial<PairState>): boolean {
    if (!super.set(patch)) return false;
    this.drawAll();
    if ("unit_a" in patch || "unit_b" in patch || REARRANGING.some((key) => key in patch)) this.grid.show(this.selection.selectedPair);
    return true;
  }

  override saveNow(): void {
    if (this.state.unit_a !== null || this.state.unit_b !== null) super.saveNow(); // else the first pair is set when the pairs arrive
  }

  protected override stateChanged(): void {
    this.drawAll();
    this.grid.show(this.selection.selectedPair);
  }

  protected override isLoaded(next: PairState): boolean {
    const { state } = this;
    const shown = [
      "layer_a",
      "layer_b",
      "paired_by",
      "rule",
      "contrast",
      "view",
      "tile_size",
      "unit_a",
      "unit_b",
      "pane",
      "tab",
      "more",
    ] as const;
    return shown.every((key) => next[key] === state[key]);
  }

  protected override alertText(): string {
    return super.alertText() || this.store.sideProblem;
  }

  protected override draw(): void {
    const { store, state } = this;
    const { overviews } = this.selection;
    if (!store.hello || !overviews) return;
    const names = this.names;
    for (const side of SIDES) if (!this.selection.isIndexed(side)) store.sides[side].table(state[`layer_${side}`]); // opens the layer
    const isComplete = SIDES.every((side) => this.selection.isIndexed(side));
    const similarity = isComplete ? store.similarity() : { value: undefined, error: undefined };
    this.rules.show(state.rule);
    this.views.show(state.view);
    this.building.update(state, names);
    this.layers.update({
      layers: this.selection.layers,
      all: this.layers.isAll ? { a: store.sides.a.allLayers(), b: store.sides.b.allLayers() } : null,
      similarity: similarity.value,
      error: isComplete ? similarity.error : BUILDING,
      state,
    });
    const lookup = isComplete ? store.pairs({ layer_a: state.layer_a, layer_b: state.layer_b, paired_by: state.paired_by }) : null;
    const pairs = lookup?.value;
    this.header?.update(headerContent(overviews, names, pairs?.crops, similarity.value?.notes));
    this.notice.update(
      SIDES.map((side) => store.sides[side].rejectionReason({ layer: state[`layer_${side}`], rule: state.rule })).find(Boolean),
    );
    this.waiting.hidden = !isComplete || pairs !== undefined;
    setText(this.waiting, lookup?.error ?? "Matching the units…");
    this.root.dataset.ready = String(pairs !== undefined || !isComplete);
    this.root.dataset.waiting = pairs ? "false" : isComplete ? "matching" : "true";
    if (pairs) this.drawPairs(pairs, names);
    else this.toolbar.update(state, undefined, 0, store.hello);
    this.pins.update(state, names);
  }

  protected override onKey(event: KeyboardEvent): boolean {
    const { target } = event;
    const action = target instanceof HTMLElement ? pairAction(event.key, focusedPart(target)) : null;
    if (!action || !this.selection.overviews) return false;
    return this.perform(action, target as HTMLElement);
  }

  /** Return whether the key was handled. */
  private perform(action: PairAction, target: HTMLElement): boolean {
    const { selection } = this;
    if (action.type === "leave") return this.leave(target);
    if (this.root.dataset.waiting === "matching" && action.type !== "layer" && action.type !== "number") return true; // the pairs are others
    if (action.type === "open") this.openPane(action.side ?? this.state.side);
    else if (action.type === "pin") selection.togglePin(action.side);
    else if (action.type === "layer") {
      const layers = this.layers.pair(action.index, { layers: selection.layers, similarity: this.store.similarity().value });
      if (layers) selection.pickLayers(...layers);
    } else if (action.type === "movePair") this.movePair(action.key);
    else if (action.type === "moveRank") this.column.move(action.key);
    else if (action.type === "number") this.toolbar.toggleNumber(this.state);
    else if (action.type === "maps") this.column.toggleMaps();
    else if (action.type === "search") this.toolbar.search.focus();
    else this.column.why();
    return true;
  }

  private get names(): Both<string> {
    return shortNames(this.store.hello?.names ?? ["A", "B"]);
  }

  /** Set a part of the state that is not an action of the user. */
  private complete(patch: Partial<PairState>): void {
    this.state = { ...this.state, ...patch, rank: 0 };
    this.scheduleSave();
  }

  private movePair(key: string): void {
    const { order, selectedPair } = this.selection;
    const index = selectedPair === null ? -1 : order.indexOf(selectedPair);
    const next = nextInGrid(key, Math.max(0, index), this.grid.layout.columns, order.length, this.grid.visibleRows);
    if (next !== null) this.selection.pickPair(order[next]);
  }

  private find(text: string): void {
    if (!this.selection.find(text)) return;
    this.toolbar.search.value = "";
    this.focusMain();
  }

  private drawPairs(pairs: Pairs, names: Both<string>): void {
    const { store, state, selection } = this;
    const { overviews } = selection;
    if (!store.hello || !overviews) return;
    const tables = { a: store.sides.a.table(state.layer_a).value, b: store.sides.b.table(state.layer_b).value };
    selection.arrange(pairs, tables);
    selection.completeSelection(pairs);
    this.toolbar.update(this.state, pairs, this.selection.order.length, store.hello);
    const isNew = this.grid.update({ state: this.state, pairs, tables, order: this.selection.order });
    if (isNew) this.grid.show(selection.selectedPair);
    this.column.update({ pairs, tables, names, overviews, gridTile: this.grid.layout.tile });
  }

  private openPane(side: Side): void {
    if (this.state[`unit_${side}`] === null) this.showStatus(`${LETTERS[side]} has no unit in this pair.`);
    else {
      this.drawer.open();
      this.set({ pane: side, side });
      this.column.focus(side);
    }
  }

  /** Leave the drawer, the pane, or a part of the widget; else the key is not handled. */
  private leave(target: HTMLElement): boolean {
    if (this.drawer.isOver) {
      this.drawer.close();
      return true;
    }
    if (this.state.pane === "pair" && target === this.grid.element) return false;
    if (this.state.pane !== "pair") this.set({ pane: "pair" });
    this.focusMain();
    return true;
  }

  private async save(figure: "pairs.png" | "pairs.csv"): Promise<void> {
    const { state, names } = this;
    const name = exportName([names.a, state.layer_a, names.b, state.layer_b], figure.split(".")[1] ?? "");
    await this.download("figure", { figure, state }, name);
  }
}

const BUILDING = "The layers are compared when the indexes of both are complete.";

export default defineWidget<PairState, PairStore>(
  (model) => new PairStore(model),
  (context, store) => new PairExplorerView(context, store),
);
