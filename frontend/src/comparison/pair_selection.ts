/** Which layers and which pair are selected, in which order the pairs are, and which units are pinned. */
import type { Table } from "../layers/unit_table.ts";
import type { Layer, Overview } from "../layers/wire.ts";
import { LETTERS } from "./pair_tile.ts";
import { findPair, orderPairs, type Pairs, pairOf, unitOf } from "./pairs.ts";
import { samePin, togglePin } from "./side_pins.ts";
import type { PairStore } from "./store.ts";
import { type Both, otherSide, type PairState, SIDES, type Side, type SidePin } from "./wire.ts";

interface SelectionOptions {
  store: PairStore;
  state: () => PairState;
  set: (patch: Partial<PairState>) => boolean;
  /** Set a part of the state that follows from the pairs, without an action of the user. */
  complete: (patch: Partial<PairState>) => void;
  /** Show the column of the selected pair where it is hidden. */
  showDetail: () => void;
  showStatus: (text: string) => void;
}

export class PairSelection {
  /** The shown pairs in sort order. */
  order: number[] = [];
  /** What they were ordered for. */
  private orderedFor: unknown[] = [];
  /** The last selected pair of each pair of layers, by the way that units are paired. */
  private readonly lastPairs = new Map<string, Pick<PairState, "unit_a" | "unit_b">>();

  constructor(private readonly options: SelectionOptions) {}

  get overviews(): Both<Overview> | null {
    const { a, b } = this.options.store.sides;
    return a.hello && b.hello ? { a: a.hello.overview, b: b.hello.overview } : null;
  }

  /** The listed and opened layers of both. */
  get layers(): Both<Layer[]> {
    const layersOf = (side: Side) => {
      const overview = this.overviews?.[side];
      return overview ? [...overview.layers, ...overview.opened] : [];
    };
    return { a: layersOf("a"), b: layersOf("b") };
  }

  /** Return whether the index of the shown layer of a side is complete. */
  isIndexed(side: Side): boolean {
    const shown = this.options.state()[`layer_${side}`];
    return (this.layers[side].find(({ id }) => id === shown)?.dead ?? null) !== null;
  }

  /** The pairs of the shown layers, once they are loaded. */
  get pairs(): Pairs | undefined {
    const { layer_a, layer_b, paired_by } = this.options.state();
    return SIDES.every((side) => this.isIndexed(side)) ? this.options.store.pairs({ layer_a, layer_b, paired_by }).value : undefined;
  }

  get selectedPair(): number | null {
    const { unit_a, unit_b } = this.options.state();
    return this.pairs ? findPair(this.pairs, unit_a, unit_b) : null;
  }

  arrange(pairs: Pairs, tables: Both<Table | undefined>): void {
    const { sort, status } = this.options.state();
    const key = [pairs, sort, String(status), sort === "strongest" ? tables.a : null];
    if (key.every((part, index) => part === this.orderedFor[index])) return;
    this.orderedFor = key;
    this.order = orderPairs(pairs, { sort, status }, tables.a);
  }

  /** Select the first pair if none is, or the partner of the only unit that is selected. */
  completeSelection(pairs: Pairs): void {
    const { layer_a, layer_b, paired_by, unit_a, unit_b } = this.options.state();
    if (findPair(pairs, unit_a, unit_b) === null) {
      const found = unit_a !== null ? pairOf(pairs, "a", unit_a) : unit_b !== null ? pairOf(pairs, "b", unit_b) : null;
      const pair = found ?? this.order[0] ?? 0;
      if (pair < pairs.status.length) this.options.complete({ unit_a: unitOf(pairs, "a", pair), unit_b: unitOf(pairs, "b", pair) });
    }
    const { unit_a: a, unit_b: b } = this.options.state();
    this.lastPairs.set(`${layer_a}|${layer_b}|${paired_by}`, { unit_a: a, unit_b: b });
  }

  /** Show two layers, with the pair that was selected in them last. */
  pickLayers(layer_a: string, layer_b: string): void {
    const state = this.options.state();
    if (layer_a === state.layer_a && layer_b === state.layer_b) return;
    const last = this.lastPairs.get(`${layer_a}|${layer_b}|${state.paired_by}`) ?? { unit_a: null, unit_b: null };
    this.options.set({ layer_a, layer_b, rank: 0, ...last });
  }

  pickPair(pair: number | undefined): void {
    const { pairs } = this;
    if (!pairs || pair === undefined) return;
    const { side } = this.options.state();
    const units = { unit_a: unitOf(pairs, "a", pair), unit_b: unitOf(pairs, "b", pair) };
    if (this.options.set({ ...units, rank: 0, side: units[`unit_${side}`] === null ? otherSide(side) : side })) this.options.showDetail();
  }

  /** Select the pair of a unit of one side, in a layer of that side; the other layer follows. */
  select(side: Side, layer: string, unit: number): void {
    const state = this.options.state();
    const units = { unit_a: side === "a" ? unit : null, unit_b: side === "b" ? unit : null };
    const match = this.options.store.similarity().value?.matches.find((found) => found[`layer_${side}`] === layer);
    const other = match?.[`layer_${otherSide(side)}`] ?? state[`layer_${otherSide(side)}`];
    const moved = side === "a" ? { layer_a: layer, layer_b: other } : { layer_a: other, layer_b: layer };
    const layers = state[`layer_${side}`] === layer ? {} : moved;
    this.options.set({ ...layers, ...units, side, rank: 0, pane: state.pane === "pair" ? "pair" : side });
  }

  /** Select the unit that a text names: "59" of A, "b 61" of B. Return whether there is one. */
  find(text: string): boolean {
    const { set, showStatus, state } = this.options;
    const match = /^\s*([ab]?)\s*(\d+)\s*$/i.exec(text);
    if (!match || !this.pairs) {
      if (text.trim()) showStatus("Type the number of a unit of A, or b and the number of a unit of B.");
      return false;
    }
    const side: Side = match[1]?.toLowerCase() === "b" ? "b" : "a";
    const pair = pairOf(this.pairs, side, Number(match[2]));
    if (pair === null) {
      showStatus(`${state()[`layer_${side}`]} of ${LETTERS[side]} has no unit ${match[2]}.`);
      return false;
    }
    if (!this.order.includes(pair)) set({ status: [] });
    this.pickPair(pair);
    return true;
  }

  isPinned(side: Side): boolean {
    const own = this.pinOf(side);
    return own !== null && this.options.state().pinned.some((pin) => samePin(pin, own));
  }

  togglePin(side: Side): void {
    const pin = this.pinOf(side);
    if (!pin) return;
    const pinned = togglePin(this.options.state().pinned, pin);
    if (pinned) this.options.set({ pinned });
    else this.options.showStatus("Too many units are pinned: unpin one first.");
  }

  private pinOf(side: Side): SidePin | null {
    const state = this.options.state();
    const [unit, model] = [state[`unit_${side}`], this.overviews?.[side].model];
    return unit === null || model === undefined ? null : { side, model, layer: state[`layer_${side}`], unit };
  }
}
