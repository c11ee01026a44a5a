export type Point = [number, number];

export type Box = [number, number, number, number];

/**
 * Patches on an image. Positions are [row, column] and sizes [rows, columns], in pixels of the model's input; boxes are half-open
 * [left, top, right, bottom] and may pass the border.
 */

export function clamp(value: number, low: number, high: number) {
  return Math.min(Math.max(value, low), Math.max(low, high));
}

/** The box of a window around a centre. */
export function boxAt([row, column]: Point, [rows, columns]: Point): Box {
  const top = Math.ceil(row - rows / 2 - 0.5) + 0; // there is a minus zero, too
  const left = Math.ceil(column - columns / 2 - 0.5) + 0;
  return [left, top, left + columns, top + rows];
}

export function centreOf([left, top, right, bottom]: Box): Point {
  return [(top + bottom) / 2, (left + right) / 2];
}

/**
 * The nearest centre whose box has whole pixels, and of which at least half lies on the image.
 * @param size of the image
 */
export function snapped(centre: Point, window: Point, size: Point): Point {
  const [left, top] = boxAt(centre, window);
  const along = (start: number, axis: number) =>
    clamp(start, -Math.floor(window[axis] / 2), size[axis] - Math.ceil(window[axis] / 2)) + window[axis] / 2;
  return [along(top, 0), along(left, 1)];
}

export function contains([left, top, right, bottom]: Box, [row, column]: Point) {
  return row >= top && row < bottom && column >= left && column < right;
}

/**
 * Which patch a press at a point means: the uppermost that lies there, else the nearest.
 * @param patches their centres
 * @returns 1 where there is none
 */
export function patchAt(patches: Point[], window: Point, point: Point): number {
  let [found, shortest] = [-1, Infinity];
  patches.forEach((centre, at) => {
    const distance = contains(boxAt(centre, window), point) ? -1 : Math.hypot(centre[0] - point[0], centre[1] - point[1]);
    if (distance < shortest || (distance === -1 && shortest === -1)) [found, shortest] = [at, distance];
  });
  return found;
}

const FINE_UNDER = 128; // pixels of an input's longer side

/** Whether an image is so small that single pixels count. */
export function isFine(size: Point) {
  return Math.max(...size) < FINE_UNDER;
}

/**
 * What a key does to the patches.
 * @param image its size
 */
export function patchKey(
  { key, shiftKey }: { key: string; shiftKey: boolean },
  image: Point,
): { act: "move" | "size" | "remove" | "add" | "leave"; step: Point } | null {
  const far = shiftKey ? 8 : 1;
  const moves: Record<string, Point> = { ArrowUp: [-far, 0], ArrowDown: [far, 0], ArrowLeft: [0, -far], ArrowRight: [0, far] };
  if (moves[key]) return { act: "move", step: moves[key] };
  const by = (isFine(image) ? 1 : 4) * (key === "[" ? -1 : 1);
  if (key === "[" || key === "]") return { act: "size", step: [by, by] };
  if (key === "Delete" || key === "Backspace") return { act: "remove", step: [0, 0] };
  if (key === "a" || key === "A" || key === "+") return { act: "add", step: [0, 0] };
  return key === "Escape" ? { act: "leave", step: [0, 0] } : null;
}

/** Where a further patch goes that nobody pointed a place for: beside the active one, on the image. */
export function besideOf(active: Point | undefined, window: Point, size: Point): Point {
  if (!active) return snapped([size[0] / 2, size[1] / 2], window, size);
  const right = active[1] + 1.25 * window[1];
  const column = right <= size[1] ? right : active[1] - 1.25 * window[1];
  return snapped([active[0], column < 0 ? size[1] / 2 : column], window, size);
}

/** A window in words. */
export function windowWords([rows, columns]: Point) {
  return rows === columns ? `${rows} px` : `${rows} × ${columns} px`;
}
