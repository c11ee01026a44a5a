import { floats, integers } from "../kernel/buffers.ts";
import { clamp } from "./geometry.ts";
import type { Point } from "./geometry.ts";
import type { Message } from "../kernel/queue.ts";
import type { GridReply, Unoccluded } from "./wire.ts";

export type MapName = "probability" | "activity" | "label";

export interface Grid {
  run: number;
  done: number;
  total: number;
  complete: boolean;
  rows: number;
  cols: number;
  target: number | null;
  layer: string;
  unit: number;
  unoccluded: Unoccluded;
  window: Point;
  stride: Point;
  /** the centre of the first window */
  origin: Point;
  /** of the labels that occur */
  names: Record<string, string>;
  /** of the labels in `label`: the same in every view, chart and file */
  colours: Record<string, string>;
  method?: string;
  /** NaN where it is not computed */
  activity: Float32Array;
  probability: Float32Array | null;
  /** 1 where it is not computed */
  label: Int32Array | null;
  labelProbability: Float32Array | null;
  /** for each cell one that is computed, itself first; null where all are */
  nearest: Int32Array | null;
}

/** An occlusion map as far as it is computed: one cell for each position of the window. */

export function readGrid(content: GridReply & Message, buffers: DataView[]): Grid {
  const { seq, view, ok, has, ...facts } = content;
  const classes = has.probability;
  const activity = floats(buffers[0]);
  return {
    ...facts,
    activity,
    probability: classes ? floats(buffers[1]) : null,
    label: classes ? integers(buffers[2]) : null,
    labelProbability: classes ? floats(buffers[3]) : null,
    nearest: facts.complete ? null : nearestKnown(activity, facts.rows, facts.cols),
  };
}

/** For each cell the nearest that is computed, so that a coarse map stands at once and sharpens; -1 where there is none at all. */
export function nearestKnown(values: Float32Array, rows: number, cols: number) {
  const nearest = new Int32Array(rows * cols).fill(-1);
  const queue = new Int32Array(rows * cols);
  let [head, tail] = [0, 0];
  for (let cell = 0; cell < values.length; cell += 1) {
    if (Number.isNaN(values[cell])) continue;
    nearest[cell] = cell;
    queue[tail++] = cell;
  }
  while (head < tail) {
    const cell = queue[head++];
    const column = cell % cols;
    const around = [column > 0 ? cell - 1 : -1, column < cols - 1 ? cell + 1 : -1, cell - cols, cell + cols];
    for (const next of around) {
      if (next < 0 || next >= nearest.length || nearest[next] >= 0) continue;
      nearest[next] = nearest[cell];
      queue[tail++] = next;
    }
  }
  return nearest;
}

/** The cell of the window nearest to a point. */
export function cellOf({ rows, cols, origin, stride }: Grid, [row, column]: Point): number {
  const r = clamp(Math.round((row - origin[0]) / stride[0]), 0, rows - 1);
  return r * cols + clamp(Math.round((column - origin[1]) / stride[1]), 0, cols - 1);
}

/** The centre of a cell's window. */
export function cellCentre({ cols, origin, stride }: Grid, cell: number): Point {
  return [origin[0] + Math.floor(cell / cols) * stride[0], origin[1] + (cell % cols) * stride[1]];
}

/** Where the map lies on an image, as shares of its height and width. */
export function placeOn({ rows, cols, origin, stride }: Grid, [height, width]: Point) {
  return {
    left: (origin[1] - stride[1] / 2) / width,
    top: (origin[0] - stride[0] / 2) / height,
    width: (cols * stride[1]) / width,
    height: (rows * stride[0]) / height,
  };
}

const LEAST_SPAN = 0.05; // of probabilities, and of the largest where all are small: less would make noise look like a finding

/** What the colours of a map span: all that is computed, and the value without a patch. As OcclusionMaps.span has it for figures. */
export function rangeOf(grid: Grid, name: "probability" | "activity"): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of [...(grid[name] ?? []), grid.unoccluded[name]]) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(low <= high)) return [0, 1];
  const least = name === "activity" ? 0 : high > 0 ? Math.min(LEAST_SPAN, high) : LEAST_SPAN;
  if (high - low >= least) return [low, high];
  low = clamp((low + high - least) / 2, 0, 1 - least);
  return [low, low + least];
}

/** The classes of a map, the most frequent first. */
export function legendOf({ label, names }: Grid): { label: number; name: string; share: number }[] {
  const counts: Map<number, number> = new Map();
  for (const one of label ?? []) if (one >= 0) counts.set(one, (counts.get(one) ?? 0) + 1);
  const known = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const entries = [...counts].map(([one, count]) => ({ label: one, name: names[one] ?? `class ${one}`, share: count / known }));
  return entries.sort((a, b) => b.share - a.share || a.label - b.label);
}
