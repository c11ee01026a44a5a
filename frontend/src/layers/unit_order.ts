import { filterUnits, findLabels, orderUnits, type Table } from "./unit_table.ts";
import type { LayerState } from "./wire.ts";

/** The filtered units in sort order. */
export class UnitOrder {
  units: number[] = [];
  /** The labels that the units are filtered by. Null: no filter. */
  labels: Set<number> | null = null;
  private arrangedFor: unknown[] = [];

  /** Sort and filter the units if the table, the order or the filter has changed. */
  update(table: Table, { sort, filter }: LayerState): void {
    const key = [table, sort, filter];
    if (key.every((part, index) => part === this.arrangedFor[index])) return;
    this.arrangedFor = key;
    this.labels = findLabels(table, filter);
    this.units = filterUnits(table, orderUnits(table, sort), this.labels);
  }
}
