export interface GridLayout {
  columns: number;
  /** pixels of a tile to ask for (device pixels) */
  tile: number;
  /** CSS pixels of a mosaic's side: a mosaic of such tiles is shown pixel for pixel */
  side: number;
  seam: number;
  cellWidth: number;
  cellHeight: number;
  stepX: number;
  stepY: number;
  left: number;
}

/** Layout arithmetic: where the grid's tiles stand, which are in sight, and where a key leads. */

export const GAP = 2; // between the tiles of a mosaic, in its own pixels
const BETWEEN = 10; // between cells
const SEAM = 3; // between a cell's two mosaics
const PADDING = 4; // around a cell's mosaics
const CAPTION = 23;
const NARROWEST = { both: 248, projections: 150, patches: 150 };

/**
 * @param width CSS pixels to fill
 * @param view "both", "projections" or "patches"
 * @param ratio device pixels per CSS pixel
 */
export function gridLayout(width: number, view: string, ratio: number): GridLayout {
  const mosaics = view === "both" ? 2 : 1;
  const narrowest = NARROWEST[view as "both"] ?? NARROWEST.both;
  const columns = Math.max(1, Math.floor((width + BETWEEN) / (narrowest + BETWEEN)));
  const room = Math.floor((width - (columns - 1) * BETWEEN) / columns) - 2 * PADDING - (mosaics - 1) * SEAM;
  const { tile, side } = tileFor(room / mosaics, ratio, 24, 200);
  const cellWidth = Math.ceil(mosaics * side + (mosaics - 1) * SEAM) + 2 * PADDING;
  const cellHeight = Math.ceil(side) + 2 * PADDING + CAPTION;
  const spread = columns > 1 ? (width - columns * cellWidth) / (columns - 1) : 0;
  const stepX = cellWidth + Math.max(0, Math.min(spread, 3 * BETWEEN));
  return { columns, tile, side, seam: SEAM, cellWidth, cellHeight, stepX, stepY: cellHeight + BETWEEN - 2, left: 0 };
}

/**
 * The tile size whose 3 x 3 mosaic fills at most `room` CSS pixels.
 * @param most CSS pixels
 */
export function tileFor(room: number, ratio: number, least: number, most: number) {
  const tile = Math.floor((room * ratio - 2 * GAP) / 3);
  const clamped = Math.max(Math.round(least * ratio), Math.min(tile, Math.round(most * ratio), 512));
  return { tile: clamped, side: (3 * clamped + 2 * GAP) / ratio };
}

/**
 * The cells in sight and those a little beyond, as [first, last + 1).
 * @param beyond rows
 */
export function inSight(layout: GridLayout, count: number, scrollTop: number, height: number, beyond: number = 0): [number, number] {
  const first = Math.max(0, Math.floor(scrollTop / layout.stepY) - beyond);
  const last = Math.ceil((scrollTop + Math.max(height, 1)) / layout.stepY) + beyond;
  return [Math.min(count, first * layout.columns), Math.max(0, Math.min(count, last * layout.columns))];
}

/** Places in the order of their distance from what is in sight; within it as one reads. */
export function nearestFirst(layout: GridLayout, places: number[], scrollTop: number, height: number) {
  const distance = (place: number) => {
    const top = Math.floor(place / layout.columns) * layout.stepY;
    return Math.max(0, scrollTop - (top + layout.cellHeight), top - (scrollTop + height));
  };
  return [...places].sort((a, b) => distance(a) - distance(b) || a - b);
}

export function cellAt(layout: GridLayout, place: number) {
  return { x: layout.left + (place % layout.columns) * layout.stepX, y: Math.floor(place / layout.columns) * layout.stepY };
}

export function totalHeight(layout: GridLayout, count: number) {
  return Math.ceil(count / layout.columns) * layout.stepY;
}

/** The scroll position that shows a cell whole, moving as little as needed. */
export function scrollFor(layout: GridLayout, place: number, scrollTop: number, height: number) {
  const top = cellAt(layout, place).y;
  if (top < scrollTop) return top;
  const bottom = top + layout.cellHeight + 2;
  return bottom > scrollTop + height ? Math.min(top, bottom - height) : scrollTop;
}

/**
 * Where a key leads in a grid; null where it is no such key.
 * @param page rows in sight
 */
export function placeAfter(key: string, place: number, columns: number, count: number, page: number = 1) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -columns * page, PageDown: columns * page };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const step = (steps as Record<string, number>)[key];
  if (step === undefined) return null;
  const next = place + step;
  if (next >= 0 && next < count) return next;
  if (Math.abs(step) === 1) return place;
  const row = Math.floor(place / columns);
  if (step < 0) return key === "PageUp" ? place % columns : place;
  return row < Math.floor((count - 1) / columns) ? count - 1 : place;
}

/** The largest size of a picture's shape inside a room. */
export function fitInside(width: number, height: number, roomWidth: number, roomHeight: number) {
  const scale = Math.min(roomWidth / width, roomHeight / height);
  return { width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)) };
}

/**
 * A histogram's bars on a root scale: at most `most` of them, neighbours added together; heights from 0 to 1.
 * @param edges one more than counts
 */
export function histogramBars(counts: number[], edges: number[], most: number = 40) {
  const together = Math.max(1, Math.ceil(counts.length / most));
  const bars = [];
  for (let at = 0; at < counts.length; at += together) {
    const end = Math.min(counts.length, at + together);
    const count = counts.slice(at, end).reduce((sum, one) => sum + one, 0);
    bars.push({ from: edges[at], to: edges[end], count, height: 0 });
  }
  const highest = Math.sqrt(Math.max(1, ...bars.map((bar) => bar.count)));
  for (const bar of bars) bar.height = Math.sqrt(bar.count) / highest;
  return bars;
}
