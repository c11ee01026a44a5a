import type { RunView } from "./run_results.ts";

/** what of the matrix is in sight */
export interface MatrixView {
  /** classes */
  count: number;
  /** CSS pixels of the square it is drawn in */
  side: number;
  /** CSS pixels of a cell */
  size: number;
  /** cells that lie left of the square */
  left: number;
  /** cells that lie above it */
  top: number;
}

/** red, green, blue from 0 to 255 */
export type Colour = [number, number, number];

export type Palette = { empty: Colour; right: [Colour, Colour]; wrong: [Colour, Colour, Colour] };

/** Geometry and colours of the confusion matrix, without a canvas. Places are numbered along the shown order, not by class. */

const LARGEST_CELL = 72; // CSS pixels of a cell
const LEAST_TOP = 0.05; // the share at which the scale of mistakes ends, where there are hardly any
const FAINTEST_MISTAKE = 0.22; // how far up its scale a single mistake begins: it is to be seen

/** @returns all of it */
export function wholeMatrix(count: number, side: number): MatrixView {
  return { count, side, size: side / Math.max(1, count), left: 0, top: 0 };
}

/** @returns with no room left beside the matrix */
function clamped(view: MatrixView): MatrixView {
  const { count, side } = view;
  const fit = side / Math.max(1, count);
  const size = Math.min(Math.max(view.size, fit), Math.max(fit, LARGEST_CELL));
  const most = Math.max(0, count - side / size);
  return { count, side, size, left: Math.min(Math.max(view.left, 0), most), top: Math.min(Math.max(view.top, 0), most) };
}

/**
 * Nearer or farther; what lies under the point stays there.
 * @param y CSS pixels
 */
export function zoomed(view: MatrixView, factor: number, x: number, y: number) {
  const { size } = clamped({ ...view, size: view.size * factor });
  return clamped({ ...view, size, left: view.left + x / view.size - x / size, top: view.top + y / view.size - y / size });
}

/** @param y CSS pixels by which it follows the pointer */
export function panned(view: MatrixView, x: number, y: number) {
  return clamped({ ...view, left: view.left - x / view.size, top: view.top - y / view.size });
}

/** The same middle and zoom in a square of another size. */
export function resized(view: MatrixView, side: number) {
  if (!isZoomed(view)) return wholeMatrix(view.count, side);
  const shift = (view.side - side) / view.size / 2;
  return clamped({ ...view, side, left: view.left + shift, top: view.top + shift });
}

export function isZoomed({ count, side, size }: MatrixView) {
  return size > (side / Math.max(1, count)) * 1.001;
}

export function isNearest({ count, side, size }: MatrixView) {
  return size >= Math.max(side / Math.max(1, count), LARGEST_CELL) * 0.999;
}

/** Move as little as needed to show a cell whole. */
export function showing(view: MatrixView, row: number, column: number) {
  const cells = view.side / view.size;
  const into = (from: number, place: number) => Math.min(Math.max(from, place + 1 - cells), place);
  return clamped({ ...view, left: into(view.left, column), top: into(view.top, row) });
}

/**
 * @param y CSS pixels
 * @returns row and column
 */
export function placeUnder({ count, side, size, left, top }: MatrixView, x: number, y: number): [number, number] | null {
  if (x < 0 || y < 0 || x >= side || y >= side) return null;
  const [row, column] = [Math.floor(top + y / size), Math.floor(left + x / size)];
  return row < count && column < count ? [row, column] : null;
}

/**
 * The cell that is meant: where cells are too small to be hit, the nearest one that holds something.
 * @param y CSS pixels
 * @param reach CSS pixels
 */
export function placeMeant(
  view: MatrixView,
  x: number,
  y: number,
  holds: (row: number, column: number) => boolean,
  reach: number = 5,
): [number, number] | null {
  const under = placeUnder(view, x, y);
  if (!under || holds(...under)) return under;
  const cells = Math.ceil(reach / view.size);
  let [best, nearest] = [under, reach];
  for (let row = under[0] - cells; row <= under[0] + cells; row += 1) {
    for (let column = under[1] - cells; column <= under[1] + cells; column += 1) {
      if (row < 0 || column < 0 || row >= view.count || column >= view.count || !holds(row, column)) continue;
      const far = Math.hypot((row + 0.5 - view.top) * view.size - y, (column + 0.5 - view.left) * view.size - x);
      if (far < nearest) [best, nearest] = [[row, column], far];
    }
  }
  return best as [number, number];
}

/** Where an arrow key leads. */
export function placeBeside(key: string, [row, column]: [number, number], count: number): [number, number] | null {
  const far = count - 1;
  const steps: Record<string, [number, number]> = {
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1],
    Home: [row, 0],
    End: [row, far],
    PageUp: [row - 10, column],
    PageDown: [row + 10, column],
  };
  const next = steps[key];
  if (!next) return null;
  return next.map((one) => Math.min(far, Math.max(0, one))) as [number, number];
}

/** Where the scale of mistakes ends: the largest share that a class loses to one other. */
export function topOfMistakes({ categories, tests, confusion }: RunView) {
  const count = categories.length;
  let top = LEAST_TOP;
  for (let row = 0; row < count; row += 1) {
    for (let column = 0; column < count; column += 1) {
      if (row !== column && tests[row]) top = Math.max(top, confusion[row * count + column] / tests[row]);
    }
  }
  return Math.min(1, top);
}

/** @param at from 0 to 1 */
export function blend(stops: Colour[], at: number): Colour {
  const place = Math.min(1, Math.max(0, at)) * (stops.length - 1);
  const from = Math.min(stops.length - 2, Math.floor(place));
  return stops[from].map((one, channel) => Math.round(one + (stops[from + 1][channel] - one) * (place - from))) as Colour;
}

/**
 * The colour of a cell. Mistakes have a scale of their own, on a root: one in a hundred is to be seen beside one in three.
 * @param share of the row
 */
export function cellColour(palette: Palette, right: boolean, share: number, top: number) {
  if (share <= 0) return palette.empty;
  if (right) return blend(palette.right, share);
  return blend(palette.wrong, FAINTEST_MISTAKE + (1 - FAINTEST_MISTAKE) * Math.sqrt(Math.min(1, share / top)));
}

/** Whether white is better read on it than black. */
export function isDark([red, green, blue]: Colour) {
  return 0.299 * red + 0.587 * green + 0.114 * blue < 140;
}

/** A pixel for each cell, in the shown order. */
export function matrixPixels({ confusion, tests }: RunView, order: number[], palette: Palette, top: number) {
  const count = order.length;
  const pixels = new Uint8ClampedArray(4 * count * count);
  for (let at = 3; at < pixels.length; at += 4) pixels[at] = 255;
  for (let row = 0; row < count; row += 1) {
    for (let column = 0; column < count; column += 1) {
      const number = confusion[order[row] * count + order[column]];
      const share = tests[order[row]] ? number / tests[order[row]] : 0;
      pixels.set(cellColour(palette, row === column, share, top), 4 * (row * count + column));
    }
  }
  return pixels;
}
