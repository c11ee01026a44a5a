/** Which units of a layer a condition and the selection on the map leave. */
import type { LayerStore } from "./store.ts";
import type { LayerState } from "./wire.ts";

export class UnitFilter {
  /** Why the condition could not be read; empty without a reason. */
  error = "";
  private key: unknown[] = [];
  private units: ReadonlySet<number> | null = null;

  constructor(private readonly store: LayerStore) {}

  /** Return the units, the same set while nothing changes; null: all. While a condition is evaluated, the units stay those of before. */
  update({ layer, where, selected_units: selected }: LayerState): ReadonlySet<number> | null {
    const { value: matches, error } = where ? this.store.queries.matches(layer, where) : {};
    this.error = error ?? "";
    const [knownLayer, , , knownSelected] = this.key;
    const waits = where && !matches && !error;
    if (waits && layer === knownLayer && selected === knownSelected) return this.units;
    const key = [layer, where, matches, selected];
    if (key.some((part, index) => part !== this.key[index]) || key.length !== this.key.length) {
      this.key = key;
      this.units = intersection(matches ?? null, selected && new Set(selected));
    }
    return this.units;
  }
}

/** Return what is in both sets, of which null has everything. */
export function intersection(one: ReadonlySet<number> | null, other: ReadonlySet<number> | null): ReadonlySet<number> | null {
  if (!one || !other) return one ?? other;
  return new Set([...one].filter((unit) => other.has(unit)));
}
