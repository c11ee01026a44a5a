import { nextInGrid } from "../ui/grid_navigation.ts";
import { filterUnits, findLabels, orderUnits, type Table } from "./unit_table.ts";
import type { LayerState } from "./wire.ts";

/** The units of a layer, filtered and in sort order. */
export class Arrangement {
  /** A new array if the units or their order have changed. */
  units: number[] = [];
  /** The labels that they are filtered by. Null: no filter. */
  labels: Set<number> | null = null;
  private table: Table | null = null;
  private settings = "";
  private contributions: Float32Array | null = null;

  /**
   * Sort and filter the units if the table, the order or the filter has changed. While the index is built they stay where they are, so
   * that units do not move under the pointer.
   * @param contributions of the units to a class, for the order by these
   */
  update(table: Table, { sort, filter }: LayerState, contributions: Float32Array | null = null): void {
    const settings = `${sort} ${filter}`;
    const previous = this.table;
    const isSameGrid = previous?.layer === table.layer && settings === this.settings && contributions === this.contributions;
    this.contributions = contributions;
    this.table = table;
    this.settings = settings;
    if (isSameGrid && (previous === table || (previous.crops !== null && table.crops !== null))) return;
    this.labels = findLabels(table, filter);
    const units = filterUnits(table, orderUnits(table, sort, contributions), this.labels);
    if (!isSameGrid || units.join() !== this.units.join()) this.units = units;
  }

  /**
   * Return the unit that a navigation key moves to, the first one from a unit that is not shown, or null if it stays.
   * @param page the number of visible rows
   */
  neighbour(key: string, unit: number | null, columns: number, page: number): number | null {
    const { units } = this;
    const index = units.indexOf(unit ?? -1);
    const next = index < 0 ? 0 : nextInGrid(key, index, columns, units.length, page);
    return next === null || next === index ? null : (units[next] ?? null);
  }
}
