import { nextInGrid } from "../ui/grid_navigation.ts";
import { filterUnits, findLabels, orderUnits, type SortValues, type Table } from "./unit_table.ts";
import type { LayerState } from "./wire.ts";

/** The units of a layer, filtered and in sort order. */
export class Arrangement {
  /** A new array if the units or their order have changed. */
  units: number[] = [];
  /** The labels that they are filtered by. Null: no filter. */
  labels: Set<number> | null = null;
  private table: Table | null = null;
  private settings: unknown[] = [];

  /**
   * Sort and filter the units if the table, the order or the filter has changed. While the index is built they stay where they are, so
   * that units do not move under the pointer.
   * @param values the values of the order by contributions or by columns
   * @param only the units that satisfy a condition and are selected on the map; null: all
   */
  update(table: Table, { sort, filter }: LayerState, values: SortValues = {}, only: ReadonlySet<number> | null = null): void {
    const settings = [sort, filter, values.contributions, values.columns, only];
    const previous = this.table;
    const isSameGrid = previous?.layer === table.layer && settings.every((setting, index) => setting === this.settings[index]);
    this.table = table;
    this.settings = settings;
    if (isSameGrid && (previous === table || (previous.crops !== null && table.crops !== null))) return;
    this.labels = findLabels(table, filter);
    const filtered = filterUnits(table, orderUnits(table, sort, values), this.labels);
    const units = only ? filtered.filter((unit) => only.has(unit)) : filtered;
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
