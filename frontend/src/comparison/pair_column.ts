/** The right column: the selected pair, or the LayerExplorer's pane of one of its units. */
import type { Table } from "../layers/unit_table.ts";
import type { Overview } from "../layers/wire.ts";
import { h, setText } from "../ui/dom.ts";
import type { Painted } from "../ui/explorer_view.ts";
import { createTabs } from "../ui/tabs.ts";
import { PairPanel } from "./pair_panel.ts";
import type { PairSelection } from "./pair_selection.ts";
import { LETTERS } from "./pair_tile.ts";
import { findPair, type Pairs } from "./pairs.ts";
import type { PairStore } from "./store.ts";
import { UnitPane } from "./unit_pane.ts";
import { type Both, type PairState, type Pane, SIDES, type Side } from "./wire.ts";

interface ColumnOptions {
  id: string;
  store: PairStore;
  selection: PairSelection;
  state: () => PairState;
  set: (patch: Partial<PairState>) => void;
  /** Show the pane of a unit. */
  open: (side: Side) => void;
  /** Show why a model predicts what it does for an image of the set. */
  why: (side: Side, image: string) => void;
  save: (fields: Record<string, unknown>, file: string) => void;
  painted: (info: Painted) => void;
  changed: () => void;
  showStatus: (text: string) => void;
  /** Close the column, which narrow layouts have as a drawer. */
  close: () => void;
}

export interface ColumnContent {
  pairs: Pairs;
  tables: Both<Table | undefined>;
  names: Both<string>;
  overviews: Both<Overview>;
  /** The tile size of the list. */
  gridTile: number;
}

export class PairColumn {
  readonly element: HTMLElement;
  private readonly panel: PairPanel;
  private readonly panes: Both<UnitPane>;
  private readonly tabs: ReturnType<typeof createTabs<Pane>>;
  private readonly labels: Both<HTMLElement | null>;

  constructor(private readonly options: ColumnOptions) {
    const { id, store, selection, set, open, close } = options;
    this.panel = new PairPanel({
      store,
      set,
      pin: (side) => selection.togglePin(side),
      isPinned: (side) => selection.isPinned(side),
      open,
    });
    this.panes = { a: this.createPane("a"), b: this.createPane("b") };
    this.tabs = createTabs<Pane>({
      id,
      label: "What is shown of the pair",
      testid: "panes",
      prefix: "pane",
      tabs: [
        ["pair", "Pair", "Both units, and both maps on one photograph"],
        ["a", "A", "The unit of A, as a LayerExplorer shows it"],
        ["b", "B", "The unit of B, as a LayerExplorer shows it"],
      ],
      panels: { pair: this.panel.element, a: this.panes.a.element, b: this.panes.b.element },
      pick: (pane) => set({ pane }),
    });
    const label = (side: Side) => this.tabs.element.querySelector<HTMLElement>(`[data-testid=pane-${side}]`);
    this.labels = { a: label("a"), b: label("b") };
    const button = h("button", { type: "button", class: "dwx-detail-close", onclick: close }, "× Close");
    const bar = h("div", { class: "dwc-pane-bar" }, this.tabs.element, button);
    this.element = h("div", { class: "dwc-right" }, bar, this.panel.element, this.panes.a.element, this.panes.b.element);
  }

  close(): void {
    for (const part of [this.panel, this.panes.a, this.panes.b]) part.close();
  }

  focus(side: Side): void {
    this.panes[side].focus();
  }

  /** Select another of the strongest activations. */
  move(key: string): void {
    const { pane } = this.options.state();
    if (pane === "pair") this.panel.move(key);
    else this.panes[pane].move(key);
  }

  /** Request the mosaics of a pair that is likely to be selected next, as far as the column will show them. */
  prefetch(pair: number, list: "detail" | "hovered"): void {
    if (this.options.state().pane === "pair") this.panel.prefetch(pair, list);
  }

  toggleMaps(): void {
    this.panel.toggleMaps();
  }

  why(): void {
    const { pane } = this.options.state();
    const shown = this.panel.selected;
    if (pane !== "pair") this.panes[pane].why();
    else if (shown) this.options.why(shown.side, `crop:${shown.crop}`);
    else this.options.showStatus("The photographs of this unit are being loaded; try again in a moment.");
  }

  update({ pairs, tables, names, overviews, gridTile }: ColumnContent): void {
    const state = this.options.state();
    for (const side of SIDES) {
      const unit = state[`unit_${side}`];
      const label = this.labels[side];
      if (label) setText(label, `${LETTERS[side]}${unit === null ? "" : ` ${unit}`} · ${names[side]}`);
    }
    const pair = findPair(pairs, state.unit_a, state.unit_b);
    const pane = state.pane !== "pair" && state[`unit_${state.pane}`] === null ? "pair" : state.pane;
    this.tabs.show(pane);
    if (pane !== "pair") this.panes[pane].update(state, overviews[pane], tables[pane], gridTile);
    else if (pair !== null) this.panel.update({ state, pairs, pair, tables, names, gridTile });
  }

  private createPane(side: Side): UnitPane {
    const { id, store, selection, state, set, why, save, painted, changed, showStatus, close } = this.options;
    return new UnitPane({
      id,
      side,
      store,
      set,
      select: (layer, unit) => selection.select(side, layer ?? state()[`layer_${side}`], unit),
      pin: () => selection.togglePin(side),
      why: (image) => why(side, image),
      save: (fields, file) => save({ ...fields, file, side }, file),
      painted: (info) => painted({ ...info, side }),
      changed,
      showStatus,
      close,
    });
  }
}
