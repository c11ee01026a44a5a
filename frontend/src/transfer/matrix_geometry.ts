/** Geometry of the confusion matrix. Places are numbered along the shown order, not by class. */

/** Which part of the matrix is visible. */
export interface MatrixView {
  /** Number of classes. */
  count: number;
  /** CSS pixels of the square it is drawn in. */
  side: number;
  /** CSS pixels of a cell. */
  size: number;
  /** Cells to the left of the square. */
  left: number;
  /** Cells above it. */
  top: number;
}

/** A cell by its place. */
export type Place = [row: number, column: number];

const MAX_CELL = 72; // CSS pixels

/** Return the view of the whole matrix. */
export function wholeMatrix(count: number, side: number): MatrixView {
  return { count, side, size: side / Math.max(1, count), left: 0, top: 0 };
}

/** Return a view with no empty room beside the matrix. */
function clampView(view: MatrixView): MatrixView {
  const { count, side } = view;
  const fit = side / Math.max(1, count);
  const size = Math.min(Math.max(view.size, fit), Math.max(fit, MAX_CELL));
  const most = Math.max(0, count - side / size);
  return { count, side, size, left: Math.min(Math.max(view.left, 0), most), top: Math.min(Math.max(view.top, 0), most) };
}

/** Zoom about a point in CSS pixels: what is below it stays there. */
export function zoomAt(view: MatrixView, factor: number, x: number, y: number): MatrixView {
  const { size } = clampView({ ...view, size: view.size * factor });
  return clampView({ ...view, size, left: view.left + x / view.size - x / size, top: view.top + y / view.size - y / size });
}

/** Move the matrix by CSS pixels. */
export function pan(view: MatrixView, x: number, y: number): MatrixView {
  return clampView({ ...view, left: view.left - x / view.size, top: view.top - y / view.size });
}

/** Return the view in a square of another size, with the same middle and zoom. */
export function resize(view: MatrixView, side: number): MatrixView {
  if (!isZoomed(view)) return wholeMatrix(view.count, side);
  const shift = (view.side - side) / view.size / 2;
  return clampView({ ...view, side, left: view.left + shift, top: view.top + shift });
}

export function isZoomed({ count, side, size }: MatrixView): boolean {
  return size > (side / Math.max(1, count)) * 1.001;
}

export function isFullyZoomed({ count, side, size }: MatrixView): boolean {
  return size >= Math.max(side / Math.max(1, count), MAX_CELL) * 0.999;
}

/** Move as little as needed to show a whole cell. */
export function scrollTo(view: MatrixView, [row, column]: Place): MatrixView {
  const cells = view.side / view.size;
  const into = (from: number, place: number) => Math.min(Math.max(from, place + 1 - cells), place);
  return clampView({ ...view, left: into(view.left, column), top: into(view.top, row) });
}

/** Return the visible places along one side, as [first, last + 1). */
export function visibleRange({ count, side, size }: MatrixView, from: number): [number, number] {
  return [Math.max(0, Math.floor(from)), Math.min(count, Math.ceil(from + side / size))];
}

/** Return the cell at a point in CSS pixels. */
export function placeAt({ count, side, size, left, top }: MatrixView, x: number, y: number): Place | null {
  if (x < 0 || y < 0 || x >= side || y >= side) return null;
  const [row, column] = [Math.floor(top + y / size), Math.floor(left + x / size)];
  return row < count && column < count ? [row, column] : null;
}

/**
 * Return the cell that is pointed at: where cells are too small to be hit, the nearest one that is not empty.
 * @param reach CSS pixels
 */
export function placeNear(
  view: MatrixView,
  x: number,
  y: number,
  isFilled: (row: number, column: number) => boolean,
  reach = 5,
): Place | null {
  const under = placeAt(view, x, y);
  if (!under || isFilled(...under)) return under;
  const cells = Math.ceil(reach / view.size);
  let [best, nearest]: [Place, number] = [under, reach];
  for (let row = under[0] - cells; row <= under[0] + cells; row += 1) {
    for (let column = under[1] - cells; column <= under[1] + cells; column += 1) {
      if (row < 0 || column < 0 || row >= view.count || column >= view.count || !isFilled(row, column)) continue;
      const distance = Math.hypot((row + 0.5 - view.top) * view.size - y, (column + 0.5 - view.left) * view.size - x);
      if (distance < nearest) [best, nearest] = [[row, column], distance];
    }
  }
  return best;
}

/** Return the cell that a key leads to, null where the key is not for moving. */
export function placeBeside(key: string, [row, column]: Place, count: number): Place | null {
  const last = count - 1;
  const steps: Record<string, Place> = {
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1],
    Home: [row, 0],
    End: [row, last],
    PageUp: [row - 10, column],
    PageDown: [row + 10, column],
  };
  const next = steps[key];
  const clamp = (place: number) => Math.min(last, Math.max(0, place));
  return next ? [clamp(next[0]), clamp(next[1])] : null;
}
