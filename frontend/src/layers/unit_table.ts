/** The statistics of all units of a layer: sorting, filtering, class counts. */
import { toFloat32Array, toInt32Array } from "../kernel/buffers.ts";
import type { UnitColumns } from "./unit_queries.ts";
import type { Column, ColumnSort, Sort, StartUnit, TableReply } from "./wire.ts";

export interface Table {
  layer: string;
  units: number;
  /** The number of strongest activations per unit. */
  k: number;
  columns: Record<Column, Float32Array>;
  /** (units, k): the labels of the photographs of the strongest activations; -1 if unknown. */
  labels: Int32Array;
  /** Label to class name. */
  categories: Record<string, string>;
  /** The number of crops so far; null if the index is complete. */
  crops: number | null;
  /** By unit: they differ if the strongest activations do. */
  fingerprints: Uint32Array;
  /** Units to start with. */
  start: StartUnit[];
  /** The number of strongest activations in the index, of which k are listed. */
  stored: number;
}

export interface ClassCount {
  label: number;
  name: string;
  count: number;
}

export const SORTS: [Sort, string][] = [
  ["strongest", "strongest"],
  ["mean", "mean"],
  ["selectivity", "selectivity"],
  ["dead", "dead first"],
  ["index", "index"],
  ["peaks", "peaks"],
  ["purity", "class purity"],
  ["copies", "nearest copy"],
  ["contribution", "contribution to…"],
];

export function readTable(reply: TableReply, buffers: DataView[]): Table {
  const { layer, units, k, categories, crops, start, stored } = reply;
  const numbers = toFloat32Array(buffers[0]);
  const columns = Object.fromEntries(reply.columns.map((name, index) => [name, numbers.subarray(index * units, (index + 1) * units)]));
  const labels = toInt32Array(buffers[1]);
  const fingerprints = new Uint32Array(toInt32Array(buffers[2]));
  const statistics = columns as Record<Column, Float32Array>;
  return { layer, units, k, columns: statistics, labels, categories, crops, fingerprints, start, stored };
}

/** Return whether a unit is above zero in no image. It is dead, or always negative, as only one without a rectifier can be. */
export function isInactive(table: Table, unit: number): boolean {
  return table.columns.activation_rate[unit] === 0;
}

/** Return whether a unit is 0 in every image. */
export function isDead(table: Table, unit: number): boolean {
  return isInactive(table, unit) && table.columns.maximum[unit] === 0;
}

/** Return the statistics of one unit. */
export function unitStatistics(table: Table, unit: number): Record<Column, number> {
  const entries = Object.entries(table.columns).map(([name, values]) => [name, values[unit] ?? Number.NaN]);
  return Object.fromEntries(entries) as Record<Column, number>;
}

export function countDead(table: Table): number {
  return table.columns.activation_rate.filter((_, unit) => isDead(table, unit)).length;
}

/** Return whether an order needs the columns of the complete index. */
export function isColumnSort(sort: Sort): sort is ColumnSort {
  return sort === "peaks" || sort === "purity" || sort === "copies";
}

/** The values that the units are sorted by, without which the strongest are first. */
export interface SortValues {
  /** The contributions of the units to a class. */
  contributions?: Float32Array | null;
  columns?: UnitColumns | null;
}

/** Return all units in sort order; "dead": the dead ones, then the weakest. Ties by number, NaN last. */
export function orderUnits(table: Table, sort: Sort, { contributions, columns }: SortValues = {}): number[] {
  const units = Array.from({ length: table.units }, (_, unit) => unit);
  if (sort === "index") return units;
  const { maximum, mean, selectivity } = table.columns;
  const [peaks, purity, copies] = columns ? [columns.peaks, columns.purity, columns.correlation] : [maximum, maximum, maximum];
  const contribution = contributions ?? maximum;
  const column = { strongest: maximum, mean, selectivity, dead: maximum, contribution, peaks, purity, copies }[sort];
  const sign = sort === "dead" ? 1 : -1;
  const key = (unit: number) => {
    if (sort === "dead" && isDead(table, unit)) return Number.NEGATIVE_INFINITY;
    const value = column[unit] ?? Number.NaN;
    return Number.isNaN(value) ? Number.POSITIVE_INFINITY : sign * value;
  };
  return units.sort((a, b) => (key(a) === key(b) ? a - b : key(a) < key(b) ? -1 : 1));
}

/** Return the classes of a unit's strongest activations by descending frequency; ties by rank. */
export function classCounts(table: Table, unit: number): ClassCount[] {
  const counts = countLabels(table.labels.subarray(unit * table.k, (unit + 1) * table.k));
  const named = [...counts].map(([label, count]) => ({ label, count, name: table.categories[label] ?? String(label) }));
  return named.sort((a, b) => b.count - a.count); // stable
}

/** Return the label of the class with that name, else those of all classes whose names contain the text. Null: no filter. */
export function findLabels(table: Table, text: string): Set<number> | null {
  const query = text.trim().toLowerCase();
  if (!query) return null;
  const entries = Object.entries(table.categories);
  const exact = entries.filter(([, name]) => name.toLowerCase() === query);
  const found = exact.length ? exact : entries.filter(([, name]) => name.toLowerCase().includes(query));
  return new Set(found.map(([label]) => Number(label)));
}

/** Return the units that have one of the labels among their strongest activations. */
export function filterUnits(table: Table, units: number[], labels: Set<number> | null): number[] {
  if (!labels) return units;
  return units.filter((unit) => table.labels.subarray(unit * table.k, (unit + 1) * table.k).some((label) => labels.has(label)));
}

/** Parse the search text: a unit number, or part of a class name. */
export function parseSearch(text: string): { unit: number } | { className: string } {
  const match = /^\s*(?:unit\s*|#)?(\d+)\s*$/i.exec(text);
  return match ? { unit: Number(match[1]) } : { className: text.trim() };
}

/** Return the class names of a layer's strongest activations by descending frequency. */
export function suggestClasses(table: Table): string[] {
  const counts = [...countLabels(table.labels)].sort((a, b) => b[1] - a[1]);
  return counts.flatMap(([label]) => table.categories[label] ?? []);
}

function countLabels(labels: Int32Array): Map<number, number> {
  const counts = new Map<number, number>();
  for (const label of labels) if (label >= 0) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}
