/** The layers of a chart of curves: which are named, how strongly each is drawn, and which one is pointed at. */
import type { Curves } from "./wire.ts";

export const MANY = 8; // layers: with more, those that are not named are thin
const NEAR = 12; // CSS pixels between the pointer and a curve

/** Return the opacity of a layer's curve: the deeper, the stronger. */
export function layerOpacity(index: number, count: number): number {
  return count < 2 ? 1 : 0.35 + (0.65 * index) / (count - 1);
}

/** Return the indices of the layers whose curves are named: the first, the deepest feature map, the last, and the emphasised one. */
export function namedLayers({ layers, deepest }: Pick<Curves, "layers" | "deepest">, emphasised: string | null): number[] {
  const named = [0, layers.indexOf(deepest), layers.length - 1, layers.indexOf(emphasised ?? "")];
  return [...new Set(named)].filter((index) => index >= 0).sort((a, b) => a - b);
}

/** Return the class names of a layer's curve. */
export function curveClass(index: number, curves: Pick<Curves, "layers" | "deepest">, emphasised: string | null): string {
  const { layers } = curves;
  const known = emphasised !== null && layers.includes(emphasised);
  if (known) return layers[index] === emphasised ? "dwn-curve dwn-curve-emphasised" : "dwn-curve dwn-curve-other";
  return layers.length > MANY && !namedLayers(curves, null).includes(index) ? "dwn-curve dwn-curve-thin" : "dwn-curve";
}

/** Return the layer of the network as it is that an arm's curves are compared with: the emphasised one, else the deepest feature map. */
export function comparedLayer({ layers, deepest }: Pick<Curves, "layers" | "deepest">, emphasised: string | null): number {
  return layers.indexOf(emphasised !== null && layers.includes(emphasised) ? emphasised : deepest);
}

/**
 * Return the layer whose curve is nearest to a place, if one is near.
 * @param shift where the pointer is, between the measured shifts
 * @param y in the units of `toY`
 * @param toY returns where a share is drawn
 */
export function nearestLayer(
  { layers, shifts, changes }: Pick<Curves, "layers" | "shifts" | "changes">,
  shift: number,
  y: number,
  toY: (share: number) => number,
): string | null {
  const found = shifts.findIndex((one) => one >= shift);
  const next = found < 0 ? shifts.length - 1 : found;
  const before = found < 0 ? next : Math.max(0, next - 1);
  const [from, to] = [shifts[before] ?? 0, shifts[next] ?? 0];
  const part = to > from ? (shift - from) / (to - from) : 1;
  let [nearest, distance]: [string | null, number] = [null, NEAR];
  for (const [index, values] of changes.entries()) {
    const [start, end] = [values[before], values[next]];
    if (start === null || start === undefined || end === null || end === undefined) continue;
    const away = Math.abs(toY(start + part * (end - start)) - y);
    if (away < distance) [nearest, distance] = [layers[index] ?? null, away];
  }
  return nearest;
}

/** Return where the names of curves stand: at their curves, and apart from each other. */
export function labelPlaces(ends: readonly (number | null)[], gap: number): (number | null)[] {
  const order = ends.map((end, index) => ({ end, index })).filter((one): one is { end: number; index: number } => one.end !== null);
  order.sort((a, b) => a.end - b.end);
  const places: (number | null)[] = ends.map(() => null);
  let last = Number.NEGATIVE_INFINITY;
  for (const { end, index } of order) {
    last = Math.max(end, last + gap);
    places[index] = last;
  }
  return places;
}
