/** Layout of the list of pairs: each cell has the mosaics of a unit of A beside those of a unit of B. */
import { fitTile, type GridLayout } from "../layers/grid_layout.ts";
import type { TileSize, View } from "../layers/wire.ts";

const CELL_GAP = 14; // between cells
const SEAM = 3; // between a unit's two mosaics
const SIDE_GAP = 12; // between A and B
const PADDING = 5;
const HEAD = 24; // numbers, correlation and status above the mosaics
const CAPTION = 19;
const MAX_TILE = 72; // of a tile, in CSS pixels
/** Of a cell, with both mosaics of each unit and with one. */
const MIN_WIDTH: Record<TileSize, [both: number, one: number]> = { small: [280, 164], medium: [385, 240], large: [600, 400] };

/** `side` is that of a mosaic, and `unitWidth` the width of a unit's mosaics, in CSS pixels. */
export interface PairLayout extends GridLayout {
  unitWidth: number;
  sideGap: number;
}

/**
 * Compute the layout.
 * @param width the width of the list in CSS pixels
 * @param ratio device pixels per CSS pixel
 */
export function pairLayout(width: number, view: View, ratio: number, size: TileSize): PairLayout {
  const mosaics = view === "both" ? 2 : 1;
  const minWidth = MIN_WIDTH[size][mosaics === 2 ? 0 : 1];
  const columns = Math.max(1, Math.floor((width + CELL_GAP) / (minWidth + CELL_GAP)));
  const seams = 2 * (mosaics - 1) * SEAM + SIDE_GAP;
  const available = Math.floor((width - (columns - 1) * CELL_GAP) / columns) - 2 * PADDING - seams;
  const { tile, side } = fitTile(available / (2 * mosaics), ratio, 18, MAX_TILE);
  const unitWidth = mosaics * side + (mosaics - 1) * SEAM;
  const cellWidth = Math.ceil(2 * unitWidth + SIDE_GAP) + 2 * PADDING;
  const cellHeight = Math.ceil(side) + 2 * PADDING + HEAD + CAPTION;
  const spread = columns > 1 ? (width - columns * cellWidth) / (columns - 1) : 0;
  const stepX = cellWidth + Math.max(0, Math.min(spread, 3 * CELL_GAP));
  return { columns, tile, side, seam: SEAM, cellWidth, cellHeight, stepX, stepY: cellHeight + CELL_GAP - 6, unitWidth, sideGap: SIDE_GAP };
}
