import { floats, integers } from "../kernel/buffers.ts";
import type { Column, Sort, TableReply } from "./wire.ts";

export interface Table {
  layer: string;
  units: number;
  k: number;
  /** maximum, mean, std, fires, selectivity */
  columns: Record<Column, Float32Array>;
  /** units x k, -1 where unknown */
  labels: Int32Array;
  /** label number to class name */
  categories: Record<string, string>;
}

export interface ClassCount {
  label: number;
  name: string;
  count: number;
}

/** All units of a layer as the grid needs them: sorted, filtered, counted. */

export const SORTS: [Sort, string][] = [
  ["strongest", "strongest"],
  ["mean", "mean"],
  ["selectivity", "selectivity"],
  ["dead", "dead first"],
  ["index", "index"],
];

export function readTable(answer: TableReply, buffers: DataView[]): Table {
  const { layer, units, k, categories } = answer;
  const numbers = floats(buffers[0]);
  const columns = Object.fromEntries(answer.columns.map((name, at) => [name, numbers.subarray(at * units, (at + 1) * units)]));
  return { layer, units, k, columns: columns as Record<Column, Float32Array>, labels: integers(buffers[1]), categories };
}

export function isDead(table: Table, unit: number) {
  return table.columns.fires[unit] === 0;
}

/** All units in order; ties by number. NaN comes last. */
export function orderUnits(table: Table, sort: Sort): number[] {
  const units = Array.from({ length: table.units }, (_, unit) => unit);
  if (sort === "index") return units;
  const { maximum, mean, selectivity, fires } = table.columns;
  const column = { strongest: maximum, mean, selectivity, dead: fires }[sort] ?? maximum;
  const sign = sort === "dead" ? 1 : -1;
  const key = (unit: number) => {
    const value = column[unit] ?? Number.NaN;
    return Number.isNaN(value) ? Infinity : sign * value;
  };
  return units.sort((a, b) => (key(a) === key(b) ? a - b : key(a) < key(b) ? -1 : 1));
}

/** The classes among a unit's nine, commonest first; ties by their place among the nine. */
export function classCounts(table: Table, unit: number): ClassCount[] {
  const counts: Map<number, number> = new Map();
  for (const label of table.labels.subarray(unit * table.k, (unit + 1) * table.k)) {
    if (label >= 0) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const named = [...counts].map(([label, count]) => ({ label, count, name: table.categories[label] ?? String(label) }));
  return named.sort((a, b) => b.count - a.count); // stable
}

/** The labels whose class names hold the words; null where nothing is filtered. */
export function labelsNamed(table: Table, words: string): Set<number> | null {
  const wanted = words.trim().toLowerCase();
  if (!wanted) return null;
  const entries = Object.entries(table.categories);
  const exact = entries.filter(([, name]) => name.toLowerCase() === wanted);
  const found = exact.length ? exact : entries.filter(([, name]) => name.toLowerCase().includes(wanted));
  return new Set(found.map(([label]) => Number(label)));
}

/** Those of `order` that have one of the labels among their nine. */
export function filterUnits(table: Table, order: number[], labels: Set<number> | null) {
  if (!labels) return order;
  return order.filter((unit) => {
    for (let at = unit * table.k; at < (unit + 1) * table.k; at += 1) if (labels.has(table.labels[at] ?? -1)) return true;
    return false;
  });
}

/** What the search box says: a unit's number, or words of a class. */
export function readSearch(text: string): { unit: number } | { words: string } {
  const match = /^\s*(?:unit\s*|#)?(\d+)\s*$/i.exec(text);
  return match ? { unit: Number(match[1]) } : { words: text.trim() };
}

/** Class names to suggest: those among the layer's nines, commonest first. */
export function suggestions(table: Table) {
  const counts: Map<number, number> = new Map();
  for (const label of table.labels) if (label >= 0) counts.set(label, (counts.get(label) ?? 0) + 1);
  const labels = [...counts].sort((a, b) => b[1] - a[1]).map(([label]) => label);
  return labels.map((label) => table.categories[label]).filter(Boolean);
}
