/** Questions about the units of a layer that only the complete index answers: more columns, and which units satisfy a condition. */

import { toFloat32Array, toInt32Array } from "../kernel/buffers.ts";
import type { KernelClient } from "../kernel/client.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import type { ColumnsReply } from "./wire.ts";

/** Correlation from which two units are called near-copies. */
export const COPY_CORRELATION = 0.95;
const MAX_CONDITIONS = 64;
const PRIORITY = 4;

export interface UnitColumns {
  peaks: Float32Array;
  /** Of the most frequent class among the strongest activations; NaN without labels. */
  purity: Float32Array;
  /** The unit whose activations correlate most; -1: none. */
  nearest: Float32Array;
  correlation: Float32Array;
  /** The columns that a filter may name, with their meanings. */
  names: [name: string, meaning: string][];
  samples: number;
}

export class UnitQueries {
  private readonly columnCache: Resource<UnitColumns>;
  private readonly matchCache: Resource<Set<number>>;

  constructor(
    private readonly client: KernelClient,
    changed: () => void,
  ) {
    this.columnCache = new Resource<UnitColumns>(client, changed);
    this.matchCache = new Resource<Set<number>>(client, changed, MAX_CONDITIONS);
  }

  columns(layer: string): Lookup<UnitColumns> {
    return this.columnCache.read(layer, async () => {
      const options = { key: `unit_columns ${layer}`, priority: PRIORITY, lane: "work" as const };
      const reply = await this.client.request<ColumnsReply>("unit_columns", { layer }, options);
      if (!reply) return null;
      const { units, columns, samples, numbers } = reply.content;
      const values = toFloat32Array(reply.buffers[0]);
      const column = (name: string) => {
        const index = numbers.indexOf(name);
        return index < 0 ? new Float32Array(units).fill(Number.NaN) : values.subarray(index * units, (index + 1) * units);
      };
      const [peaks, purity, nearest, correlation] = ["peaks", "purity", "nearest", "correlation"].map(column) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      return { peaks, purity, nearest, correlation, names: columns, samples };
    });
  }

  /** Return the columns of a layer if they are loaded. */
  loadedColumns(layer: string): UnitColumns | undefined {
    return this.columnCache.get(layer);
  }

  /** Return the units for which a condition holds. */
  matches(layer: string, where: string): Lookup<Set<number>> {
    return this.matchCache.read(`${layer}|${where}`, async () => {
      const options = { key: `matching_units ${layer}`, priority: PRIORITY, lane: "work" as const };
      const reply = await this.client.request("matching_units", { layer, where }, options);
      return reply && new Set(toInt32Array(reply.buffers[0]));
    });
  }

  /** Return whether it is known for which units a condition holds. */
  isEvaluated(layer: string, where: string): boolean {
    return this.matchCache.get(`${layer}|${where}`) !== undefined;
  }

  clear(): void {
    this.columnCache.clear();
    this.matchCache.clear();
  }

  retry(): void {
    this.columnCache.retry(); // a refused condition stays refused
  }
}

/** Return the unit whose activations correlate most with a unit's, and the correlation; null if it is less than `least`. */
export function nearestUnit(
  columns: UnitColumns | undefined,
  unit: number,
  least = COPY_CORRELATION,
): { unit: number; correlation: number } | null {
  const [nearest = -1, correlation = Number.NaN] = columns ? [columns.nearest[unit], columns.correlation[unit]] : [];
  return nearest >= 0 && correlation >= least ? { unit: nearest, correlation } : null;
}

/** Format a correlation with two decimals, such that only equal activations have 1. */
export function formatCorrelation(value: number): string {
  return value < 1 && value > 0.995 ? value.toFixed(4) : value.toFixed(2);
}
