import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { createRuleChoice, createViewChoice } from "../layers/choices.ts";
import { DetailDrawer } from "../layers/detail_drawer.ts";
import { createIndexProgress } from "../layers/index_progress.ts";
import { createRuleNotice } from "../layers/notices.ts";
import type { Table } from "../layers/unit_table.ts";
import type { Layer, Overview } from "../layers/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { createExportMenu, exportName } from "../ui/export_menu.ts";
import { keyHint } from "../ui/footer.ts";
import { nextInGrid } from "../ui/grid_navigation.ts";
import { createTabs } from "../ui/tabs.ts";
import { createLayerPairs } from "./layer_pairs.ts";
import { PairGrid } from "./pair_grid.ts";
import { PairPanel } from "./pair_panel.ts";
import { LETTERS } from "./pair_tile.ts";
import { createPairToolbar } from "./pair_toolbar.ts";
import { findPair, orderPairs, type Pairs, pairOf, unitOf } from "./pairs.ts";
import { SidePins, samePin, togglePin } from "./side_pins.ts";
import { PairStore } from "./store.ts";
import { headerContent, shortNames } from "./summary.ts";
import { UnitPane } from "./unit_pane.ts";
import { type Both, type PairState, type Pane, SIDES, type Side } from "./wire.ts";

const FILES = [["Pairs", [["pairs.png", "PNG"] as const, ["pairs.csv", "CSV"] as const]]] as const;
const REARRANGING = ["layer_a", "layer_b", "sort", "status", "paired_by"] as const;
const HINTS = [
  [["←", "↑", "↓", "→"], "move"],
  [["Enter"], "details of A, with Shift of B"],
  [["p"], "pin A, with Shift B"],
  [["n"], "pair by number"],
  [["/"], "search"],
  [["m"], "maps"],
  [["w"], "why"],
  [["1"], "… layer"],
  [["Esc"], "leave"],
] as const;

/** One view of two models' layers side by side. */
class PairExplorerView extends ExplorerView<PairState, PairStore> {
  private readonly rules = createRuleChoice((rule) => this.set({ rule }));
  private readonly views = createViewChoice((view) => this.set({ view }));
  private readonly layers = createLayerPairs({ pick: (a, b) => this.pickLayers(a, b) });
  private readonly notice = createRuleNotice((rule) => this.set({ rule }));
  private readonly toolbar = createPairToolbar({ set: (patch) => this.set(patch), find: (text) => this.find(text) });
  private readonly grid: PairGrid;
  private readonly panel: PairPanel;
  private readonly panes: Both<UnitPane>;
  private readonly pins: SidePins;
  private readonly tabs: ReturnType<typeof createTabs<Pane>>;
  private readonly tabLabels: Both<HTMLElement | null>;
  private readonly waiting = h("p", { class: "dwx-empty dwc-waiting", role: "status", hidden: true, "data-testid": "pairs-note" });
  private readonly progress: Both<ReturnType<typeof createIndexProgress>>;
  private readonly drawer: DetailDrawer;
  /** The last selected pair of each pair of layers. */
  private readonly lastPairs = new Map<string, Pick<PairState, "unit_a" | "unit_b">>();
  private readonly removeListeners: (() => void)[];
  private order: number[] = [];
  private orderedFor: unknown[] = [];

  constructor(context: RenderContext<PairState>, store: PairStore) {
    super(context, store, "pairs", "side-by-side");
    const open = (side: Side) => this.openPane(side);
    this.grid = new PairGrid({ id: this.id, store, pick: (pair) => this.pickPair(pair), open: () => open("a") });
    this.panel = new PairPanel({
      store,
      set: (patch) => this.set(patch),
      pin: (side) => this.togglePin(side),
      isPinned: (side) => this.isPinned(side),
      open,
    });
    this.panes = { a: this.createPane("a"), b: this.createPane("b") };
    this.pins = new SidePins({
      store,
      open: ({ side, layer, unit }) => this.select(side, layer, unit),
      unpin: (pin) => this.set({ pinned: this.state.pinned.filter((other) => !samePin(other, pin)) }),
    });
    const progress = (side: Side) => createIndexProgress({ steer: (kind) => void store.sides[side].steerIndex(kind) });
    this.progress = { a: progress("a"), b: progress("b") };
    this.tabs = createTabs<Pane>({
      id: this.id,
      label: "What is shown of the pair",
      testid: "panes",
      prefix: "pane",
      tabs: [
        ["pair", "Pair", "Both units, and both maps on one photograph"],
        ["a", "A", "The unit of A, as a LayerExplorer shows it"],
        ["b", "B", "The unit of B, as a LayerExplorer shows it"],
      ],
      panels: { pair: this.panel.element, a: this.panes.a.element, b: this.panes.b.element },
      pick: (pane) => this.set({ pane }),
    });
    this.tabLabels = {
      a: this.tabs.element.querySelector("[data-testid=pane-a]"),
      b: this.tabs.element.querySelector("[data-testid=pane-b]"),
    };
    const close = h("button", { type: "button", class: "dwx-detail-close", onclick: () => this.drawer.close() }, "× Close");
    const bar = h("div", { class: "dwc-pane-bar" }, this.tabs.element, close);
    const right = h("div", { class: "dwc-right" }, bar, this.panel.element, this.panes.a.element, this.panes.b.element);
    const builds = SIDES.map((side) => this.progress[side].element);
    const middle = h("div", { class: "dwx-middle" }, ...builds, this.toolbar.element, this.waiting, this.grid.element, this.pins.element);
    const main = h("div", { class: "dwx-main dwc-main" }, this.layers.element, middle, right);
    this.drawer = new DetailDrawer(main, right, () => this.focusMain());
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
      footer: [HINTS.map(([keys, action]) => keyHint([keys, action]))],
    });
  }

  override focusMain(): void {
    this.grid.element.focus({ preventScroll: true });
  }

  override close(): void {
    for (const remove of this.removeListeners) remove();
    for (const part of [this.grid, this.panel, this.panes.a, this.panes.b, this.pins]) part.close();
    super.close();
  }

  override set(patch: Partial<PairState>): boolean {
    if (!super.set(patch)) return false;
    this.drawAll();
    if ("unit_a" in patch || "unit_b" in patch || REARRANGING.some((key) => key in patch)) this.grid.show(this.selectedPair);
    return true;
  }

  override saveNow(): void {
    if (this.state.unit_a !== null || this.state.unit_b !== null) super.saveNow(); // else the first pair is set when the pairs arrive
  }

  protected override stateChanged(): void {
    this.drawAll();
    this.grid.show(this.selectedPair);
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
    const own = super.alertText();
    if (own) return own;
    for (const side of SIDES) if (this.store.sides[side].problem) return `${LETTERS[side]}: ${this.store.sides[side].problem}`;
    return "";
  }

  protected override draw(): void {
    const { store, state } = this;
    const overviews = this.overviews;
    if (!store.hello || !overviews) return;
    const names = this.names;
    const isComplete = SIDES.every((side) => this.isIndexed(side));
    const similarity = isComplete ? store.similarity() : { value: undefined, error: undefined };
    this.rules.show(state.rule);
    this.views.show(state.view);
    for (const side of SIDES) {
      const { tabLabels } = this;
      const unit = state[`unit_${side}`];
      if (tabLabels[side]) setText(tabLabels[side], `${LETTERS[side]}${unit === null ? "" : ` ${unit}`} · ${names[side]}`);
      this.drawProgress(side, overviews[side]);
    }
    this.layers.update({ layers: this.shownLayers, similarity: similarity.value, error: isComplete ? similarity.error : BUILDING, state });
    const lookup = isComplete ? store.pairs({ layer_a: state.layer_a, layer_b: state.layer_b, paired_by: state.paired_by }) : null;
    const pairs = lookup?.value;
    this.header?.update(headerContent(overviews, names, pairs?.crops));
    this.notice.update(
      SIDES.map((side) => store.sides[side].rejectionReason({ layer: state[`layer_${side}`], rule: state.rule })).find(Boolean),
    );
    this.waiting.hidden = !isComplete || pairs !== undefined;
    setText(this.waiting, lookup?.error ?? "Matching the units…");
    this.root.dataset.ready = String(pairs !== undefined || !isComplete);
    this.root.dataset.waiting = String(!pairs);
    if (pairs) this.drawPairs(pairs, names);
    else this.toolbar.update(state, undefined, 0, store.hello);
    this.pins.update(state, names);
  }

  protected override onKey(event: KeyboardEvent): boolean {
    const { target, key } = event;
    if (!(target instanceof HTMLElement)) return false;
    if (target.matches("input, select, textarea")) {
      if (key !== "Escape" || target !== this.toolbar.search) return false;
      this.focusMain();
      return true;
    }
    if (key === "Escape") return this.leavePane(target);
    if (target === this.grid.element) {
      if (key === "Enter") return this.openPane(event.shiftKey ? "b" : "a");
      const index = this.selectedPair === null ? -1 : this.order.indexOf(this.selectedPair);
      const next = nextInGrid(key, Math.max(0, index), this.grid.layout.columns, this.order.length, this.grid.visibleRows);
      if (next !== null) return this.pickIndex(next);
    }
    if (target.closest("[data-part=mosaics]") && /^(Arrow|Home|End)/.test(key)) return this.moveRank(key);
    return this.shortcut(key);
  }

  private shortcut(key: string): boolean {
    if (/^[1-9]$/.test(key)) {
      const layers = this.layers.pair(Number(key) - 1, { layers: this.shownLayers, similarity: this.store.similarity().value });
      if (layers) this.pickLayers(...layers);
    } else if (key === "p" || key === "P") this.togglePin(key === "p" ? "a" : "b");
    else if (key === "n") this.set({ paired_by: this.state.paired_by === "match" ? "number" : "match", unit_a: null, unit_b: null });
    else if (key === "m") this.panel.toggleMaps();
    else if (key === "/") this.toolbar.search.focus();
    else if (key === "w") this.panes[this.state.pane === "b" ? "b" : "a"].why();
    else return false;
    return true;
  }

  private get overviews(): Both<Overview> | null {
    const { a, b } = this.store.sides;
    return a.hello && b.hello ? { a: a.hello.overview, b: b.hello.overview } : null;
  }

  private get names(): Both<string> {
    return shortNames(this.store.hello?.names ?? ["A", "B"]);
  }

  /** The listed and opened layers of both. */
  private get shownLayers(): Both<Layer[]> {
    const layersOf = (side: Side) => {
      const overview = this.overviews?.[side];
      return overview ? [...overview.layers, ...overview.opened] : [];
    };
    return { a: layersOf("a"), b: layersOf("b") };
  }

  private isIndexed(side: Side): boolean {
    return (this.shownLayers[side].find(({ id }) => id === this.state[`layer_${side}`])?.dead ?? null) !== null;
  }

  private get pairs(): Pairs | undefined {
    const { layer_a, layer_b, paired_by } = this.state;
    return this.store.hello ? this.store.pairs({ layer_a, layer_b, paired_by }).value : undefined;
  }

  private get selectedPair(): number | null {
    const { pairs, state } = this;
    return pairs ? findPair(pairs, state.unit_a, state.unit_b) : null;
  }

  private drawProgress(side: Side, overview: Overview): void {
    const store = this.store.sides[side];
    const { element, update } = this.progress[side];
    element.hidden = this.isIndexed(side);
    if (element.hidden) return;
    const { progress, progressLayers, cancelledLayers } = store;
    update({ progress, progressLayers, cancelledLayers, layer: this.state[`layer_${side}`], crops: null, overview });
    const title = element.querySelector("p");
    if (title) setText(title, `${LETTERS[side]} ${this.names[side]}: ${title.textContent}`);
  }

  private drawPairs(pairs: Pairs, names: Both<string>): void {
    const { store, state, overviews } = this;
    if (!store.hello || !overviews) return;
    const tables = { a: store.sides.a.table(state.layer_a).value, b: store.sides.b.table(state.layer_b).value };
    this.arrange(pairs, tables);
    this.completeSelection(pairs);
    this.toolbar.update(this.state, pairs, this.order.length, store.hello);
    this.grid.update({ state: this.state, pairs, tables, order: this.order });
    const pair = findPair(pairs, this.state.unit_a, this.state.unit_b);
    const pane = this.state.pane !== "pair" && this.state[`unit_${this.state.pane}`] === null ? "pair" : this.state.pane;
    this.tabs.show(pane);
    if (pane === "pair" && pair !== null) {
      this.panel.update({ state: this.state, pairs, pair, tables, names, gridTile: this.grid.layout.tile });
    } else if (pane !== "pair") this.panes[pane].update(this.state, overviews[pane], tables[pane], this.grid.layout.tile);
  }

  private arrange(pairs: Pairs, tables: Both<Table | undefined>): void {
    const { sort, status } = this.state;
    const key = [pairs, sort, String(status), sort === "strongest" ? tables.a : null];
    if (key.every((part, index) => part === this.orderedFor[index])) return;
    this.orderedFor = key;
    this.order = orderPairs(pairs, this.state, tables.a);
  }

  /** Select the first pair if none is, or the partner of the only unit that is selected. */
  private completeSelection(pairs: Pairs): void {
    const { unit_a, unit_b } = this.state;
    if (findPair(pairs, unit_a, unit_b) === null) {
      const found = unit_a !== null ? pairOf(pairs, "a", unit_a) : unit_b !== null ? pairOf(pairs, "b", unit_b) : null;
      const pair = found ?? this.order[0] ?? 0;
      if (pair < pairs.status.length) {
        this.state = { ...this.state, unit_a: unitOf(pairs, "a", pair), unit_b: unitOf(pairs, "b", pair), rank: 0 };
        this.scheduleSave();
      }
    }
    const { layer_a, layer_b } = this.state;
    this.lastPairs.set(`${layer_a}|${layer_b}`, { unit_a: this.state.unit_a, unit_b: this.state.unit_b });
  }

  private pickLayers(layer_a: string, layer_b: string): void {
    if (layer_a === this.state.layer_a && layer_b === this.state.layer_b) return;
    const last = this.lastPairs.get(`${layer_a}|${layer_b}`) ?? { unit_a: null, unit_b: null };
    this.set({ layer_a, layer_b, rank: 0, ...last });
  }

  private pickPair(pair: number): void {
    const { pairs } = this;
    if (!pairs) return;
    const side = unitOf(pairs, this.state.side, pair) === null ? (this.state.side === "a" ? "b" : "a") : this.state.side;
    if (this.set({ unit_a: unitOf(pairs, "a", pair), unit_b: unitOf(pairs, "b", pair), rank: 0, side })) this.drawer.open();
  }

  private pickIndex(index: number): boolean {
    const pair = this.order[index];
    if (pair !== undefined) this.pickPair(pair);
    return true;
  }

  /** Select the pair of a unit of one side, in a layer of that side; the other layer follows. */
  private select(side: Side, layer: string, unit: number): void {
    const { state } = this;
    const units = { unit_a: side === "a" ? unit : null, unit_b: side === "b" ? unit : null };
    const matches = this.store.similarity().value?.matches ?? [];
    const other =
      side === "a" ? matches.find((match) => match.layer_a === layer)?.layer_b : matches.find((match) => match.layer_b === layer)?.layer_a;
    const isShown = state[`layer_${side}`] === layer;
    const layers = isShown
      ? {}
      : side === "a"
        ? { layer_a: layer, layer_b: other ?? state.layer_b }
        : { layer_b: layer, layer_a: other ?? state.layer_a };
    this.set({ ...layers, ...units, side, rank: 0, pane: state.pane === "pair" ? "pair" : side });
  }

  private find(text: string): void {
    const match = /^\s*([ab]?)\s*(\d+)\s*$/i.exec(text);
    if (!match || !this.pairs) {
      if (text.trim()) this.showStatus("Type the number of a unit of A, or b and the number of a unit of B.");
      return;
    }
    const side: Side = match[1]?.toLowerCase() === "b" ? "b" : "a";
    const pair = pairOf(this.pairs, side, Number(match[2]));
    if (pair === null) this.showStatus(`${this.state[`layer_${side}`]} of ${LETTERS[side]} has no unit ${match[2]}.`);
    else {
      if (!this.order.includes(pair)) this.set({ status: [] });
      this.pickPair(pair);
      this.toolbar.search.value = "";
      this.focusMain();
    }
  }

  private moveRank(key: string): boolean {
    if (this.state.pane === "pair") this.panel.move(key);
    else this.panes[this.state.pane].move(key);
    return true;
  }

  private openPane(side: Side): boolean {
    if (this.state[`unit_${side}`] === null) this.showStatus(`${LETTERS[side]} has no unit in this pair.`);
    else {
      this.drawer.open();
      this.set({ pane: side, side });
      this.panes[side].focus();
    }
    return true;
  }

  private leavePane(target: HTMLElement): boolean {
    if (this.drawer.isOver) {
      this.drawer.close();
      return true;
    }
    if (this.state.pane === "pair" && target === this.grid.element) return false;
    if (this.state.pane !== "pair") this.set({ pane: "pair" });
    this.focusMain();
    return true;
  }

  private pinOf(side: Side): { pin: { side: Side; model: string; layer: string; unit: number } } | null {
    const unit = this.state[`unit_${side}`];
    const model = this.overviews?.[side].model;
    return unit === null || model === undefined ? null : { pin: { side, model, layer: this.state[`layer_${side}`], unit } };
  }

  private isPinned(side: Side): boolean {
    const own = this.pinOf(side);
    return own !== null && this.state.pinned.some((pin) => samePin(pin, own.pin));
  }

  private togglePin(side: Side): void {
    const own = this.pinOf(side);
    if (!own) return;
    const pinned = togglePin(this.state.pinned, own.pin);
    if (pinned) this.set({ pinned });
    else this.showStatus("Too many units are pinned: unpin one first.");
  }

  private createPane(side: Side): UnitPane {
    return new UnitPane({
      id: this.id,
      side,
      store: this.store,
      set: (patch) => this.set(patch),
      select: (layer, unit) => this.select(side, layer ?? this.state[`layer_${side}`], unit),
      pin: () => this.togglePin(side),
      why: (image) => {
        const state = { image, target: null, against: null, tab: "why", patches: [] };
        void this.showing?.show("OcclusionExplorer", { side, state });
      },
      save: (fields, file) => void this.download("tree_file", { ...fields, file, side }, file),
      painted: (info) => this.painted({ ...info, side }),
      changed: () => this.requestDraw(),
      showStatus: (text) => this.showStatus(text),
      close: () => this.drawer.close(),
    });
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
