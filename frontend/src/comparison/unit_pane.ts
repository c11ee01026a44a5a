/** The LayerExplorer's own pane, of a unit of one of the two models. */
import { UnitRelations } from "../contributions/unit_relations.ts";
import { UnitDetail } from "../layers/unit_detail.ts";
import type { Table } from "../layers/unit_table.ts";
import type { LayerState, Overview } from "../layers/wire.ts";
import { h } from "../ui/dom.ts";
import type { Painted } from "../ui/explorer_view.ts";
import type { PairStore } from "./store.ts";
import type { PairState, Side } from "./wire.ts";

interface PaneOptions {
  id: string;
  side: Side;
  store: PairStore;
  set: (patch: Partial<PairState>) => void;
  /** Select the pair of a unit of this side, in a layer; null: in the shown one. */
  select: (layer: string | null, unit: number) => void;
  pin: () => void;
  /** Show why the model predicts what it does for an image of the set. */
  why: (image: string) => void;
  save: (fields: Record<string, unknown>, file: string) => void;
  painted: (info: Painted) => void;
  changed: () => void;
  showStatus: (text: string) => void;
  close: () => void;
}

export class UnitPane {
  private readonly detail: UnitDetail;
  private readonly relations: UnitRelations;

  constructor(private readonly options: PaneOptions) {
    const { id, side, store, set, select, showStatus } = options;
    const layers = store.sides[side];
    const open = (layer: string, unit: number) => select(layer, unit);
    this.relations = new UnitRelations({
      id: `${id}-${side}`,
      store: layers.contributions,
      open,
      save: options.save,
      changed: options.changed,
    });
    this.detail = new UnitDetail({
      id: `${id}-${side}`,
      store: layers,
      set: (patch) => this.change(patch, set),
      painted: options.painted,
      togglePin: options.pin,
      bookmark: h("span", { hidden: true }),
      why: options.why,
      notReady: () => showStatus("The photographs of this unit are being loaded; try again in a moment."),
      relations: this.relations,
      close: options.close,
    });
  }

  get element(): HTMLElement {
    return this.detail.element;
  }

  close(): void {
    this.detail.close();
  }

  focus(): void {
    this.detail.focus();
  }

  move(key: string): void {
    this.detail.move(key);
  }

  why(): void {
    this.detail.why();
  }

  update(state: PairState, overview: Overview, table: Table | undefined, gridTile: number): void {
    this.detail.update({ state: layerState(state, this.options.side), overview, table, gridTile, started: 0 });
  }

  private change(patch: Partial<LayerState>, set: PaneOptions["set"]): void {
    const { side, select } = this.options;
    const { unit, layer } = patch;
    if (unit !== undefined && unit !== null) {
      select(layer ?? null, unit);
      return;
    }
    const { rank, tab, more } = patch;
    set({
      ...(rank === undefined ? {} : { side, rank }),
      ...(tab === undefined ? {} : { tab }),
      ...(more === undefined ? {} : { more }),
    });
  }
}

/** Return the state of a LayerExplorer that shows the unit of one side. */
function layerState(state: PairState, side: Side): LayerState {
  const { rule, contrast, view, tile_size, tab, more, pinned } = state;
  return {
    layer: state[`layer_${side}`],
    unit: state[`unit_${side}`],
    rank: state.side === side ? state.rank : 0,
    ...{ rule, contrast, view, tile_size, tab, more },
    pinned: pinned.flatMap((pin) => (pin.side === side ? [{ model: pin.model, layer: pin.layer, unit: pin.unit }] : [])),
    ...{ sort: "strongest", target: null, filter: "", where: "", display: "grid", map_method: "auto", map_colour: "selectivity" },
    ...{ selected_units: null, bookmarks: [], scroll: null },
  } as LayerState;
}
