import { aligned } from "./buffers.js";
import { clamp } from "./occlusion_geometry.js";

/**
 * An occlusion map as far as it is computed: one cell for each position of the window.
 *
 * @typedef {import("./occlusion_geometry.js").Point} Point
 * @typedef {"probability" | "activity" | "label"} MapName
 * @typedef {object} Grid
 * @property {number} run
 * @property {number} done @property {number} total @property {boolean} complete
 * @property {number} rows @property {number} cols
 * @property {number | null} target @property {string} layer @property {number} unit
 * @property {any} unoccluded
 * @property {Point} window @property {Point} stride @property {Point} origin the centre of the first window
 * @property {Record<string, string>} names of the labels that occur
 * @property {Record<string, string>} colours of the labels in `label`: the same in every view, chart and file
 * @property {string} [method]
 * @property {Float32Array} activity NaN where it is not computed
 * @property {Float32Array | null} probability
 * @property {Int32Array | null} label -1 where it is not computed
 * @property {Float32Array | null} labelProbability
 * @property {Int32Array | null} nearest for each cell one that is computed, itself first; null where all are
 */

/** @param {any} content @param {DataView[]} buffers @returns {Grid} */
export function readGrid(content, buffers) {
  const { seq, view, ok, has, ...facts } = content;
  const floats = (/** @type {number} */ at) => new Float32Array(aligned(buffers[at]));
  const classes = has.probability;
  const activity = floats(0);
  return {
    ...facts,
    activity,
    probability: classes ? floats(1) : null,
    label: classes ? new Int32Array(aligned(buffers[2])) : null,
    labelProbability: classes ? floats(3) : null,
    nearest: facts.complete ? null : nearestKnown(activity, facts.rows, facts.cols),
  };
}

/**
 * For each cell the nearest that is computed, so that a coarse map stands at once and sharpens; -1 where there is none at all.
 * @param {Float32Array} values @param {number} rows @param {number} cols
 */
export function nearestKnown(values, rows, cols) {
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

/** The cell of the window nearest to a point. @param {Grid} grid @param {Point} point @returns {number} */
export function cellOf({ rows, cols, origin, stride }, [row, column]) {
  const r = clamp(Math.round((row - origin[0]) / stride[0]), 0, rows - 1);
  return r * cols + clamp(Math.round((column - origin[1]) / stride[1]), 0, cols - 1);
}

/** The centre of a cell's window. @param {Grid} grid @param {number} cell @returns {Point} */
export function cellCentre({ cols, origin, stride }, cell) {
  return [origin[0] + Math.floor(cell / cols) * stride[0], origin[1] + (cell % cols) * stride[1]];
}

/** Where the map lies on an image, as shares of its height and width. @param {Grid} grid @param {Point} size */
export function placeOn({ rows, cols, origin, stride }, [height, width]) {
  return {
    left: (origin[1] - stride[1] / 2) / width,
    top: (origin[0] - stride[0] / 2) / height,
    width: (cols * stride[1]) / width,
    height: (rows * stride[0]) / height,
  };
}

const LEAST_SPAN = 0.05; // of probabilities, and of the largest where all are small: less would make noise look like a finding

/**
 * What the colours of a map span: all that is computed, and the value without a patch. As OcclusionMaps.span has it for figures.
 * @param {Grid} grid @param {"probability" | "activity"} name @returns {[number, number]}
 */
export function rangeOf(grid, name) {
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

/** The classes of a map, the most frequent first. @param {Grid} grid @returns {{label: number, name: string, share: number}[]} */
export function legendOf({ label, names }) {
  const counts = /** @type {Map<number, number>} */ (new Map());
  for (const one of label ?? []) if (one >= 0) counts.set(one, (counts.get(one) ?? 0) + 1);
  const known = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const entries = [...counts].map(([one, count]) => ({ label: one, name: names[one] ?? `class ${one}`, share: count / known }));
  return entries.sort((a, b) => b.share - a.share || a.label - b.label);
}
