/**
 * Geometry of patches on an image. Positions are [row, column] and sizes [rows, columns], in pixels of the model's input; boxes are
 * half-open [left, top, right, bottom] and may extend beyond the image.
 */

export type Point = [number, number];
export type Box = [left: number, top: number, right: number, bottom: number];

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), Math.max(low, high));
}

/** Return the box of a window around a centre. */
export function boxAt([row, column]: Point, [rows, columns]: Point): Box {
  const top = Math.ceil(row - rows / 2 - 0.5) + 0; // + 0 turns -0 into 0
  const left = Math.ceil(column - columns / 2 - 0.5) + 0;
  return [left, top, left + columns, top + rows];
}

export function centreOf([left, top, right, bottom]: Box): Point {
  return [(top + bottom) / 2, (left + right) / 2];
}

/** Return the nearest centre whose box is aligned to pixels, with at least half of its height and width inside the image. */
export function snapToPixels(centre: Point, window: Point, size: Point): Point {
  const [left, top] = boxAt(centre, window);
  const snap = (start: number, axis: 0 | 1) =>
    clamp(start, -Math.floor(window[axis] / 2), size[axis] - Math.ceil(window[axis] / 2)) + window[axis] / 2;
  return [snap(top, 0), snap(left, 1)];
}

export function contains([left, top, right, bottom]: Box, [row, column]: Point): boolean {
  return row >= top && row < bottom && column >= left && column < right;
}

/** Return the index of the topmost patch that contains a point, else of the nearest patch; -1 without patches. */
export function patchAt(patches: Point[], window: Point, point: Point): number {
  let [found, shortest] = [-1, Number.POSITIVE_INFINITY];
  patches.forEach((centre, index) => {
    const distance = contains(boxAt(centre, window), point) ? -1 : Math.hypot(centre[0] - point[0], centre[1] - point[1]);
    if (distance < shortest || (distance === -1 && shortest === -1)) [found, shortest] = [index, distance];
  });
  return found;
}

const SMALL_IMAGE = 128; // pixels of the longer side

/** Return whether an image is small; strides and steps are finer then. */
export function isSmall(size: Point): boolean {
  return Math.max(...size) < SMALL_IMAGE;
}

export type PatchAction = { type: "move"; step: Point } | { type: "resize"; step: Point } | { type: "remove" } | { type: "add" };

/** Return the action of a key, or null if the editor does not handle it. */
export function patchAction({ key, shiftKey }: { key: string; shiftKey: boolean }, size: Point): PatchAction | null {
  const step = shiftKey ? 8 : 1;
  const moves: Record<string, Point> = { ArrowUp: [-step, 0], ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] };
  const move = moves[key];
  if (move) return { type: "move", step: move };
  const change = (isSmall(size) ? 1 : 4) * (key === "[" ? -1 : 1);
  if (key === "[" || key === "]") return { type: "resize", step: [change, change] };
  if (key === "Delete" || key === "Backspace") return { type: "remove" };
  return key === "a" || key === "A" || key === "+" ? { type: "add" } : null;
}

/** Return the centre of a new patch that is added without a position: beside the active patch. */
export function positionBeside(active: Point | undefined, window: Point, size: Point): Point {
  if (!active) return snapToPixels([size[0] / 2, size[1] / 2], window, size);
  const right = active[1] + 1.25 * window[1];
  const column = right <= size[1] ? right : active[1] - 1.25 * window[1];
  return snapToPixels([active[0], column < 0 ? size[1] / 2 : column], window, size);
}

export function formatSize([rows, columns]: Point): string {
  return rows === columns ? `${rows} px` : `${rows} × ${columns} px`;
}
