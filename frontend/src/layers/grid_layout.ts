/** Layout of the grid of units: positions of cells, and which are visible. */
import type { TileSize, View } from "./wire.ts";

export const GAP = 2; // device pixels between the tiles of a mosaic
const CELL_GAP = 10; // between cells
const SEAM = 3; // between a cell's two mosaics
const PADDING = 4; // around a cell's mosaics
const CAPTION = 23;
/** Of a cell, with two mosaics and with one. Medium: three columns of both in a window of 1600 pixels. */
const MIN_WIDTH: Record<TileSize, [both: number, one: number]> = { small: [163, 92], medium: [196, 132], large: [290, 210] };
const MAX_TILE = 512; // limit of the kernel

/** Lengths are in CSS pixels, except `tile`. */
export interface GridLayout {
  columns: number;
  /** The side of a tile in device pixels. */
  tile: number;
  /** The side of a mosaic, which is not scaled. */
  side: number;
  seam: number;
  cellWidth: number;
  cellHeight: number;
  stepX: number;
  stepY: number;
}

/**
 * Compute the layout of a grid.
 * @param width the width of the grid in CSS pixels
 * @param ratio device pixels per CSS pixel
 */
export function gridLayout(width: number, view: View, ratio: number, size: TileSize = "medium"): GridLayout {
  const mosaics = view === "both" ? 2 : 1;
  const minWidth = MIN_WIDTH[size][mosaics === 2 ? 0 : 1];
  const columns = Math.max(1, Math.floor((width + CELL_GAP) / (minWidth + CELL_GAP)));
  const available = Math.floor((width - (columns - 1) * CELL_GAP) / columns) - 2 * PADDING - (mosaics - 1) * SEAM;
  const { tile, side } = fitTile(available / mosaics, ratio, 24, 200);
  const cellWidth = Math.ceil(mosaics * side + (mosaics - 1) * SEAM) + 2 * PADDING;
  const cellHeight = Math.ceil(side) + 2 * PADDING + CAPTION;
  const spread = columns > 1 ? (width - columns * cellWidth) / (columns - 1) : 0;
  const stepX = cellWidth + Math.max(0, Math.min(spread, 3 * CELL_GAP));
  return { columns, tile, side, seam: SEAM, cellWidth, cellHeight, stepX, stepY: cellHeight + CELL_GAP - 2 };
}

/** Return the tile size, between `min` and `max` CSS pixels, of a 3 x 3 mosaic that fits into `available` CSS pixels. */
export function fitTile(available: number, ratio: number, min: number, max: number): { tile: number; side: number } {
  const tile = Math.floor((available * ratio - 2 * GAP) / 3);
  const clamped = Math.max(Math.round(min * ratio), Math.min(tile, Math.round(max * ratio), MAX_TILE));
  return { tile: clamped, side: (3 * clamped + 2 * GAP) / ratio };
}

/**
 * Return the indices of the visible cells as [first, last + 1).
 * @param margin the number of additional rows above and below
 */
export function visibleCells(layout: GridLayout, count: number, scrollTop: number, height: number, margin = 0): [number, number] {
  const first = Math.max(0, Math.floor(scrollTop / layout.stepY) - margin);
  const last = Math.ceil((scrollTop + Math.max(height, 1)) / layout.stepY) + margin;
  return [Math.min(count, first * layout.columns), Math.max(0, Math.min(count, last * layout.columns))];
}

/** Sort cells by their distance from the visible area; visible cells are in reading order. */
export function nearestFirst(layout: GridLayout, indices: number[], scrollTop: number, height: number): number[] {
  const distance = (index: number) => {
    const top = Math.floor(index / layout.columns) * layout.stepY;
    return Math.max(0, scrollTop - (top + layout.cellHeight), top - (scrollTop + height));
  };
  return [...indices].sort((a, b) => distance(a) - distance(b) || a - b);
}

/** Return the position of a cell in CSS pixels. */
export function cellPosition(layout: GridLayout, index: number): { x: number; y: number } {
  return { x: (index % layout.columns) * layout.stepX, y: Math.floor(index / layout.columns) * layout.stepY };
}

export function totalHeight(layout: GridLayout, count: number): number {
  return Math.ceil(count / layout.columns) * layout.stepY;
}

/** Return the nearest scroll position at which a cell is entirely visible. */
export function scrollToShow(layout: GridLayout, index: number, scrollTop: number, height: number): number {
  const top = cellPosition(layout, index).y;
  if (top < scrollTop) return top;
  const bottom = top + layout.cellHeight + 2;
  return bottom > scrollTop + height ? Math.min(top, bottom - height) : scrollTop;
}
