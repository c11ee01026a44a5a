/** Geometry of the confusion matrix. Positions are indices in the sort order of the classes, not labels. */

/** The visible part of the matrix. */
export interface MatrixView {
  /** Number of classes. */
  count: number;
  /** The side of the visible square in CSS pixels. */
  side: number;
  /** The size of a cell in CSS pixels. */
  size: number;
  /** The number of cells to the left of the square. */
  left: number;
  /** The number of cells above the square. */
  top: number;
}

/** The position of a cell. */
export type Position = [row: number, column: number];

const MAX_CELL = 72; // CSS pixels

/** Return the view of the whole matrix. */
export function wholeMatrix(count: number, side: number): MatrixView {
  return { count, side, size: side / Math.max(1, count), left: 0, top: 0 };
}

/** Limit the zoom and the position of a view to the matrix. */
function clampView(view: MatrixView): MatrixView {
  const { count, side } = view;
  const fit = side / Math.max(1, count);
  const size = Math.min(Math.max(view.size, fit), Math.max(fit, MAX_CELL));
  const maxOffset = Math.max(0, count - side / size);
  return { count, side, size, left: Math.min(Math.max(view.left, 0), maxOffset), top: Math.min(Math.max(view.top, 0), maxOffset) };
}

/** Zoom around a point in CSS pixels. */
export function zoomAt(view: MatrixView, factor: number, x: number, y: number): MatrixView {
  const { size } = clampView({ ...view, size: view.size * factor });
  return clampView({ ...view, size, left: view.left + x / view.size - x / size, top: view.top + y / view.size - y / size });
}

/** Move the matrix by CSS pixels. */
export function pan(view: MatrixView, x: number, y: number): MatrixView {
  return clampView({ ...view, left: view.left - x / view.size, top: view.top - y / view.size });
}

/** Return the view in a square of another size, with the same centre and cell size. */
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

/** Move the view by the shortest distance to a cell. */
export function scrollTo(view: MatrixView, [row, column]: Position): MatrixView {
  const cells = view.side / view.size;
  const scrolled = (start: number, index: number) => Math.min(Math.max(start, index + 1 - cells), index);
  return clampView({ ...view, left: scrolled(view.left, column), top: scrolled(view.top, row) });
}

/** Return the visible indices along one axis as [first, last + 1). */
export function visibleRange({ count, side, size }: MatrixView, start: number): [number, number] {
  return [Math.max(0, Math.floor(start)), Math.min(count, Math.ceil(start + side / size))];
}

/** Return the cell at a point in CSS pixels. */
export function positionAt({ count, side, size, left, top }: MatrixView, x: number, y: number): Position | null {
  if (x < 0 || y < 0 || x >= side || y >= side) return null;
  const [row, column] = [Math.floor(top + y / size), Math.floor(left + x / size)];
  return row < count && column < count ? [row, column] : null;
}

/**
 * Return the cell at a point. If it is empty, return the nearest cell that is not empty.
 * @param reach the maximum distance in CSS pixels
 */
export function nearestPosition(
  view: MatrixView,
  x: number,
  y: number,
  isFilled: (row: number, column: number) => boolean,
  reach = 5,
): Position | null {
  const cellAtPoint = positionAt(view, x, y);
  if (!cellAtPoint || isFilled(...cellAtPoint)) return cellAtPoint;
  const cells = Math.ceil(reach / view.size);
  let [best, nearest]: [Position, number] = [cellAtPoint, reach];
  for (let row = cellAtPoint[0] - cells; row <= cellAtPoint[0] + cells; row += 1) {
    for (let column = cellAtPoint[1] - cells; column <= cellAtPoint[1] + cells; column += 1) {
      if (row < 0 || column < 0 || row >= view.count || column >= view.count || !isFilled(row, column)) continue;
      const distance = Math.hypot((row + 0.5 - view.top) * view.size - y, (column + 0.5 - view.left) * view.size - x);
      if (distance < nearest) [best, nearest] = [[row, column], distance];
    }
  }
  return best;
}

/** Return the cell that a key moves to, or null if it is not a navigation key. */
export function nextPosition(key: string, [row, column]: Position, count: number): Position | null {
  const last = count - 1;
  const steps: Record<string, Position> = {
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
  const clamp = (index: number) => Math.min(last, Math.max(0, index));
  return next ? [clamp(next[0]), clamp(next[1])] : null;
}
