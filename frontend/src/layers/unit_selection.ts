import { MAX_PINS, togglePin } from "./pins.ts";
import type { LayerState } from "./wire.ts";

interface UnitSelectionOptions {
  state: () => LayerState;
  set: (patch: Partial<LayerState>) => boolean;
  /** Show the column of the selected unit where it is hidden. */
  showDetail: () => void;
  showStatus: (text: string) => void;
}

/** Selects layers and units. */
export class UnitSelection {
  /** The last selected unit of each layer. */
  private readonly lastUnits = new Map<string, number>();

  constructor(private readonly options: UnitSelectionOptions) {}

  /** Remember the selected unit of the layer, to select it again with the layer. */
  remember(): void {
    const { layer, unit } = this.options.state();
    if (unit !== null) this.lastUnits.set(layer, unit);
  }

  /** Select a layer, and the last selected unit of it. */
  selectLayer(layer: string): void {
    const { state, set } = this.options;
    if (layer !== state().layer) set({ layer, unit: this.lastUnits.get(layer) ?? null, rank: 0 });
  }

  /** Select a unit, and show its column. */
  select(unit: Partial<LayerState> & { unit: number }): void {
    if (this.options.set({ ...unit, rank: 0 })) this.options.showDetail();
  }

  /** Pin the selected unit, or unpin it. */
  togglePin(model: string): void {
    const { state, set, showStatus } = this.options;
    const { layer, unit } = state();
    if (unit === null) return;
    const pinned = togglePin(state(), { model, layer, unit });
    if (pinned) set({ pinned });
    else showStatus(`At most ${MAX_PINS} units can be pinned: unpin one first.`);
  }
}
