/** The pairs of units of two layers: their order, and which are shown. */
import { toFloat32Array, toInt32Array } from "../kernel/buffers.ts";
import type { Table } from "../layers/unit_table.ts";
import { formatFixed } from "../ui/format.ts";
import type { Both, Elsewhere, PairedBy, PairSort, PairState, PairStatus, PairsReply, Side } from "./wire.ts";

export interface Pairs {
  layers: Both<string>;
  /** Units by pair; -1 for none. */
  units: Both<Int32Array>;
  /** NaN without a partner, and for units that are constant in the sampled crops. */
  correlation: Float32Array;
  status: PairStatus[];
  /** The units that the units of a pair are matched to, where these are not their partners. */
  elsewhere: Elsewhere[];
  crops: number;
}

export const SORTS: readonly [PairSort, string][] = [
  ["difference", "most different"],
  ["correlation", "most alike"],
  ["strongest", "strongest in A"],
  ["number", "number"],
];

export const PAIRINGS: readonly [PairedBy, string][] = [
  ["match", "best match"],
  ["number", "same number"],
];

export function readPairs({ layer_a, layer_b, status, elsewhere, crops }: PairsReply, buffers: DataView[]): Pairs {
  const count = status.length;
  const numbers = toInt32Array(buffers[0]);
  const units = { a: numbers.slice(0, count), b: numbers.slice(count, 2 * count) };
  return { layers: { a: layer_a, b: layer_b }, units, correlation: toFloat32Array(buffers[1]), status, elsewhere, crops };
}

/** Return a unit of a pair; null for none. */
export function unitOf(pairs: Pairs, side: Side, pair: number): number | null {
  const unit = pairs.units[side][pair] ?? -1;
  return unit < 0 ? null : unit;
}

/** Return the pair with these units; null if they are not a pair. */
export function findPair(pairs: Pairs, unitA: number | null, unitB: number | null): number | null {
  if (unitA === null && unitB === null) return null;
  const index = pairs.status.findIndex((_, pair) => unitOf(pairs, "a", pair) === unitA && unitOf(pairs, "b", pair) === unitB);
  return index < 0 ? null : index;
}

/** Return the pair with a unit of one side; null if there is none. */
export function pairOf(pairs: Pairs, side: Side, unit: number): number | null {
  const index = pairs.units[side].indexOf(unit);
  return index < 0 ? null : index;
}

/**
 * Return the pairs of the shown statuses, in sort order. "difference": the lowest correlation first, units without a partner last.
 * @param table of the layer of A, for "strongest"
 */
export function orderPairs(pairs: Pairs, { sort, status }: Pick<PairState, "sort" | "status">, table: Table | undefined): number[] {
  const isShown = (names: PairStatus) => !status.length || names.some((name) => name !== null && status.includes(name));
  const shown = pairs.status.flatMap((names, pair) => (isShown(names) ? [pair] : []));
  const correlation = (pair: number) => pairs.correlation[pair] ?? Number.NaN;
  const single = (pair: number) => unitOf(pairs, "a", pair) === null || unitOf(pairs, "b", pair) === null;
  const number = (pair: number) => unitOf(pairs, "a", pair) ?? pairs.units.a.length + (unitOf(pairs, "b", pair) ?? 0);
  const keys: Record<PairSort, (pair: number) => number> = {
    number,
    // Layers of different sizes leave many units without a partner, with which there is nothing to compare.
    difference: (pair) => (single(pair) ? 3 : Number.isNaN(correlation(pair)) ? 2 : correlation(pair)),
    correlation: (pair) => (Number.isNaN(correlation(pair)) ? 2 : -correlation(pair)),
    strongest: (pair) => {
      const unit = unitOf(pairs, "a", pair);
      return unit === null ? Number.POSITIVE_INFINITY : -(table?.columns.maximum[unit] ?? 0);
    },
  };
  const key = keys[sort];
  return shown.sort((first, second) => key(first) - key(second) || number(first) - number(second));
}

/** Return how many pairs have each status. */
export function countStatuses(pairs: Pairs): Map<string, number> {
  const counts = new Map<string, number>();
  for (const names of pairs.status) for (const name of new Set(names)) if (name) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** Return what became of the units of a pair: "kept", or "lost | new" if it differs, or "A moved (B 7) | B new" if it is not of this pair. */
export function describeStatus([a, b]: PairStatus, [matchA, matchB]: Elsewhere = [null, null]): string {
  if (matchA !== null || matchB !== null) {
    const parts = [a && `A ${a}${matchA === null ? "" : ` (B ${matchA})`}`, b && `B ${b}${matchB === null ? "" : ` (A ${matchB})`}`];
    return parts.filter(Boolean).join(" | ");
  }
  return [...new Set([a, b])].filter(Boolean).join(" | ");
}

/** Return a correlation in words. */
export function formatCorrelation(correlation: number | null | undefined): string {
  if (correlation === null || correlation === undefined || Number.isNaN(correlation)) return "–";
  const text = formatFixed(correlation, 2);
  // Only a correlation of 1 is written so: the difference is what is looked for.
  return correlation < 1 && text === "1.00" ? (correlation < 0.9995 ? correlation.toFixed(3) : ">0.999") : text;
}
