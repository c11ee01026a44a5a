/** Layout of the rows: how many blocks stand side by side, and the size of a cell. Lengths are in CSS pixels. */

export const LABEL = 58;
export const GAP = 2;
const BLOCK_GAP = 18;
const [MIN_CELL, GOOD_CELL, MAX_CELL] = [46, 52, 88];
const MIN_ROWS = 3; // of a block that stands beside another one

export interface RowsLayout {
  blocks: number;
  cell: number;
}

/** Return the layout of rows with `epochs` cells in a given width. The cells are as large as fits; with many epochs the rows scroll sideways. */
export function rowsLayout(width: number, epochs: number, rows: number, layers: number): RowsLayout {
  const columns = Math.max(1, epochs);
  const fits = Math.floor((width + BLOCK_GAP) / (LABEL + columns * (GOOD_CELL + GAP) + BLOCK_GAP));
  const blocks = Math.max(1, Math.min(fits, layers, Math.ceil(rows / MIN_ROWS), 4));
  const available = (width - (blocks - 1) * BLOCK_GAP) / blocks - LABEL;
  const cell = Math.floor(available / columns) - GAP;
  return { blocks, cell: Math.max(MIN_CELL, Math.min(MAX_CELL, cell)) };
}

/** Distribute groups (the layers) among blocks, in order, such that the highest block is as low as possible. Return the groups of each block. */
export function distribute(sizes: readonly number[], blocks: number): number[][] {
  const fits = (limit: number): number[][] | null => {
    const found: number[][] = [[]];
    let filled = 0;
    sizes.forEach((size, index) => {
      if (filled + size > limit && filled > 0) {
        found.push([]);
        filled = 0;
      }
      found.at(-1)?.push(index);
      filled += size;
    });
    return found.length <= blocks ? found : null;
  };
  const total = sizes.reduce((sum, size) => sum + size, 0);
  for (let limit = Math.max(0, ...sizes); limit < total; limit += 1) {
    const found = fits(limit);
    if (found) return found;
  }
  return [sizes.map((_, index) => index)];
}
