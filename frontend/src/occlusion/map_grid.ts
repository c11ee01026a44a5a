/** Partially computed occlusion maps: one cell per position of the window. */
import { toFloat32Array, toInt32Array } from "../kernel/buffers.ts";
import type { Quantity } from "../kernel/wire.ts";
import { isValue } from "../ui/quantity.ts";
import { clamp, type Point } from "./geometry.ts";
import type { MapName, MapsReply, ValueMap } from "./wire.ts";

export interface MapGrid extends MapsReply {
  /** NaN if not computed. */
  activity: Float32Array;
  probability: Float32Array | null;
  value: Float32Array | null;
  /** The scores of the class that the target is compared with, and the scores of the target minus these. */
  againstScores: Float32Array | null;
  difference: Float32Array | null;
  /** -1 if not computed. */
  label: Int32Array | null;
  labelProbability: Float32Array | null;
  /** The index of the nearest computed cell of each cell. Null: all cells are computed. */
  nearest: Int32Array | null;
}

export function readGrid(reply: MapsReply, buffers: DataView[]): MapGrid {
  const activity = toFloat32Array(buffers[0]);
  const against = reply.against === null ? null : toFloat32Array(buffers[4]);
  const scores = reply.quantity ? toFloat32Array(buffers[1]) : null;
  return {
    ...reply,
    activity,
    againstScores: against,
    difference: against && scores ? scores.map((score, cell) => score - (against[cell] ?? Number.NaN)) : null,
    probability: reply.has_classes ? toFloat32Array(buffers[1]) : null,
    value: isValue(reply.quantity) ? toFloat32Array(buffers[1]) : null,
    label: reply.has_classes ? toInt32Array(buffers[2]) : null,
    labelProbability: reply.has_classes ? toFloat32Array(buffers[3]) : null,
    nearest: reply.complete ? null : nearestComputed(activity, reply.rows, reply.cols),
  };
}

/** Return the index of the nearest computed cell of each cell, so that a coarse map fills the image; -1 if no cell is computed. */
export function nearestComputed(values: Float32Array, rows: number, cols: number): Int32Array {
  const nearest = new Int32Array(rows * cols).fill(-1);
  const queue: number[] = [];
  for (let cell = 0; cell < values.length; cell += 1) {
    if (Number.isNaN(values[cell])) continue;
    nearest[cell] = cell;
    queue.push(cell);
  }
  for (const cell of queue) {
    const column = cell % cols;
    const neighbours = [column > 0 ? cell - 1 : -1, column < cols - 1 ? cell + 1 : -1, cell - cols, cell + cols];
    for (const next of neighbours) {
      if (nearest[next] !== -1) continue; // already visited, or outside the map
      nearest[next] = nearest[cell] ?? -1;
      queue.push(next);
    }
  }
  return nearest;
}

type Positions = Pick<MapGrid, "rows" | "cols" | "origin" | "stride">;

/** Return the cell whose window is nearest to a point. */
export function cellAt({ rows, cols, origin, stride }: Positions, [row, column]: Point): number {
  const gridRow = clamp(Math.round((row - origin[0]) / stride[0]), 0, rows - 1);
  return gridRow * cols + clamp(Math.round((column - origin[1]) / stride[1]), 0, cols - 1);
}

/** Return the centre of the window of a cell. */
export function cellCentre({ cols, origin, stride }: Positions, cell: number): Point {
  return [origin[0] + Math.floor(cell / cols) * stride[0], origin[1] + (cell % cols) * stride[1]];
}

export interface RelativeBox {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Return the box of the map as fractions of the image's width and height. */
export function mapBox({ rows, cols, origin, stride }: Positions, [height, width]: Point): RelativeBox {
  return {
    left: (origin[1] - stride[1] / 2) / width,
    top: (origin[0] - stride[0] / 2) / height,
    width: (cols * stride[1]) / width,
    height: (rows * stride[0]) / height,
  };
}

const MIN_RANGE = 0.05; // of probabilities, to prevent noise from filling the colour scale; smaller if all probabilities are smaller

/** Return the maps of a model that predicts a quantity. */
export function availableMaps(quantity: Quantity | null): MapName[] {
  if (!quantity) return ["activity"];
  return isValue(quantity) ? ["value", "activity"] : ["probability", "activity", "label"];
}

/** Return the map of that name, or the one in its place if the model does not predict it. */
export function shownMap(name: MapName, quantity: Quantity | null): MapName {
  const maps = availableMaps(quantity);
  return maps.includes(name) ? name : (maps[0] ?? "activity");
}

/** Return the values of a map. */
export function valuesOf(grid: Partial<MapGrid>, name: ValueMap): Float32Array | null {
  return (name === "against" ? grid.againstScores : grid[name]) ?? null;
}

/** Return the value of a map without a patch. */
export function withoutPatch({ unoccluded, value }: Pick<MapGrid, "unoccluded"> & Partial<MapGrid>, name: ValueMap): number | null {
  if (name !== "difference") return unoccluded[name];
  const score = value ? unoccluded.value : unoccluded.probability;
  return score === null || unoccluded.against === null ? null : score - unoccluded.against;
}

/**
 * Return the range of the colour scale: all computed values, and the value without a patch. That of a regression's values is symmetric about
 * the latter, that of a difference about 0; two classes that are compared have the same. Must agree with `OcclusionMaps.colour_range`.
 */
export function colourRange(grid: Pick<MapGrid, "unoccluded"> & Partial<MapGrid>, name: ValueMap): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const include = (value: number) => {
    if (value < low) low = value;
    if (value > high) high = value;
  };
  const isProbability = !grid.value && (name === "probability" || name === "against");
  const names: ValueMap[] = isProbability && grid.againstScores ? ["probability", "against"] : [name];
  for (const one of names) {
    for (const value of valuesOf(grid, one) ?? []) include(value);
    include(withoutPatch(grid, one) ?? Number.NaN);
  }
  if (!(low <= high)) return [0, 1];
  const middle = name === "difference" ? 0 : isProbability || name === "activity" ? null : withoutPatch(grid, name);
  if (middle !== null) {
    const change = Math.max(high - middle, middle - low, name === "difference" && !grid.value ? MIN_RANGE : 0);
    return [middle - change, middle + change];
  }
  const minRange = !isProbability ? 0 : high > 0 ? Math.min(MIN_RANGE, high) : MIN_RANGE;
  if (high - low >= minRange) return [low, high];
  low = clamp((low + high - minRange) / 2, 0, 1 - minRange);
  return [low, low + minRange];
}

/** Return the range of the colour scale of the same map with units off and with all on. */
export function sharedRange(grid: MapGrid, other: MapGrid | null, name: ValueMap): [number, number] {
  const range = colourRange(grid, name);
  if (!other) return range;
  const [low, high] = colourRange(other, name);
  return [Math.min(range[0], low), Math.max(range[1], high)];
}

export interface LegendEntry {
  label: number;
  name: string;
  /** The fraction of the computed positions. */
  share: number;
}

/** Return the classes of a map by descending frequency. */
export function legendOf({ label: labels, names }: Pick<MapGrid, "label" | "names">): LegendEntry[] {
  const counts = new Map<number, number>();
  for (const label of labels ?? []) if (label >= 0) counts.set(label, (counts.get(label) ?? 0) + 1);
  const computed = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const entries = [...counts].map(([label, count]) => ({ label, name: className(names, label), share: count / computed }));
  return entries.sort((a, b) => b.share - a.share || a.label - b.label);
}

export function className(names: Record<string, string>, label: number): string {
  return names[label] ?? `class ${label}`;
}
