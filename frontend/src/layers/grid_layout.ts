/** Where the grid's tiles are, and which are visible. */
import type { View } from "./wire.ts";

export const GAP = 2; // between the tiles of a mosaic, in its own pixels
const CELL_GAP = 10; // between cells
const SEAM = 3; // between a cell's two mosaics
const PADDING = 4; // around a cell's mosaics
const CAPTION = 23;
const MIN_WIDTH: Record<View, number> = { both: 248, projections: 150, patches: 150 }; // of a cell
const MAX_TILE = 512; // as the kernel draws them

/** Lengths are in CSS pixels, but for `tile`. */
export interface GridLayout {
  columns: number;
  /** Device pixels of a tile's side, to ask for. */
  tile: number;
  /** A mosaic's side: mosaics are shown pixel for pixel. */
  side: number;
  seam: number;
  cellWidth: number;
  cellHeight: number;
  stepX: number;
  stepY: number;
}

/**
 * @param width to fill, in CSS pixels
 * @param ratio device pixels per CSS pixel
 */
export function gridLayout(width: number, view: View, ratio: number): GridLayout {
  const mosaics = view === "both" ? 2 : 1;
  const columns = Math.max(1, Math.floor((width + CELL_GAP) / (MIN_WIDTH[view] + CELL_GAP)));
  const room = Math.floor((width - (columns - 1) * CELL_GAP) / columns) - 2 * PADDING - (mosaics - 1) * SEAM;
  const { tile, side } = fitTile(room / mosaics, ratio, 24, 200);
  const cellWidth = Math.ceil(mosaics * side + (mosaics - 1) * SEAM) + 2 * PADDING;
  const cellHeight = Math.ceil(side) + 2 * PADDING + CAPTION;
  const spread = columns > 1 ? (width - columns * cellWidth) / (columns - 1) : 0;
  const stepX = cellWidth + Math.max(0, Math.min(spread, 3 * CELL_GAP));
  return { columns, tile, side, seam: SEAM, cellWidth, cellHeight, stepX, stepY: cellHeight + CELL_GAP - 2 };
}

/** Return the tile size whose 3 x 3 mosaic fills at most `room` CSS pixels, between `min` and `max` CSS pixels. */
export function fitTile(room: number, ratio: number, min: number, max: number): { tile: number; side: number } {
  const tile = Math.floor((room * ratio - 2 * GAP) / 3);
  const clamped = Math.max(Math.round(min * ratio), Math.min(tile, Math.round(max * ratio), MAX_TILE));
  return { tile: clamped, side: (3 * clamped + 2 * GAP) / ratio };
}

/**
 * Return the places of the visible cells as [first, last + 1).
 * @param margin rows above and below to take with them
 */
export function visiblePlaces(layout: GridLayout, count: number, scrollTop: number, height: number, margin = 0): [number, number] {
  const first = Math.max(0, Math.floor(scrollTop / layout.stepY) - margin);
  const last = Math.ceil((scrollTop + Math.max(height, 1)) / layout.stepY) + margin;
  return [Math.min(count, first * layout.columns), Math.max(0, Math.min(count, last * layout.columns))];
}

/** Return places by their distance from what is visible; in reading order within it. */
export function nearestFirst(layout: GridLayout, places: number[], scrollTop: number, height: number): number[] {
  const distance = (place: number) => {
    const top = Math.floor(place / layout.columns) * layout.stepY;
    return Math.max(0, scrollTop - (top + layout.cellHeight), top - (scrollTop + height));
  };
  return [...places].sort((a, b) => distance(a) - distance(b) || a - b);
}

/** Return where a cell is. */
export function cellPosition(layout: GridLayout, place: number): { x: number; y: number } {
  return { x: (place % layout.columns) * layout.stepX, y: Math.floor(place / layout.columns) * layout.stepY };
}

export function totalHeight(layout: GridLayout, count: number): number {
  return Math.ceil(count / layout.columns) * layout.stepY;
}

/** Return the scroll position that shows a whole cell, moving as little as needed. */
export function scrollToShow(layout: GridLayout, place: number, scrollTop: number, height: number): number {
  const top = cellPosition(layout, place).y;
  if (top < scrollTop) return top;
  const bottom = top + layout.cellHeight + 2;
  return bottom > scrollTop + height ? Math.min(top, bottom - height) : scrollTop;
}
