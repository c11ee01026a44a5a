/** Layout arithmetic: where the grid's tiles stand, which are in sight, and where a key leads. */

export const GAP = 2; // between the tiles of a mosaic, in its own pixels
const BETWEEN = 10; // between cells
const SEAM = 3; // between a cell's two mosaics
const PADDING = 4; // around a cell's mosaics
const CAPTION = 23;
const NARROWEST = { both: 248, projections: 150, patches: 150 };

/**
 * @typedef {object} GridLayout
 * @property {number} columns
 * @property {number} tile pixels of a tile to ask for (device pixels)
 * @property {number} side CSS pixels of a mosaic's side: a mosaic of such tiles is shown pixel for pixel
 * @property {number} seam
 * @property {number} cellWidth
 * @property {number} cellHeight
 * @property {number} stepX
 * @property {number} stepY
 * @property {number} left
 */

/**
 * @param {number} width CSS pixels to fill
 * @param {string} view "both", "projections" or "patches"
 * @param {number} ratio device pixels per CSS pixel
 * @returns {GridLayout}
 */
export function gridLayout(width, view, ratio) {
  const mosaics = view === "both" ? 2 : 1;
  const narrowest = NARROWEST[/** @type {"both"} */ (view)] ?? NARROWEST.both;
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
 * @param {number} room
 * @param {number} ratio
 * @param {number} least
 * @param {number} most CSS pixels
 */
export function tileFor(room, ratio, least, most) {
  const tile = Math.floor((room * ratio - 2 * GAP) / 3);
  const clamped = Math.max(Math.round(least * ratio), Math.min(tile, Math.round(most * ratio), 512));
  return { tile: clamped, side: (3 * clamped + 2 * GAP) / ratio };
}

/**
 * The cells in sight and those a little beyond, as [first, last + 1).
 * @param {GridLayout} layout
 * @param {number} count
 * @param {number} scrollTop
 * @param {number} height
 * @param {number} [beyond] rows
 * @returns {[number, number]}
 */
export function inSight(layout, count, scrollTop, height, beyond = 0) {
  const first = Math.max(0, Math.floor(scrollTop / layout.stepY) - beyond);
  const last = Math.ceil((scrollTop + Math.max(height, 1)) / layout.stepY) + beyond;
  return [Math.min(count, first * layout.columns), Math.max(0, Math.min(count, last * layout.columns))];
}

/**
 * Places in the order of their distance from what is in sight; within it as one reads.
 * @param {GridLayout} layout
 * @param {number[]} places
 * @param {number} scrollTop
 * @param {number} height
 */
export function nearestFirst(layout, places, scrollTop, height) {
  /** @param {number} place */
  const distance = (place) => {
    const top = Math.floor(place / layout.columns) * layout.stepY;
    return Math.max(0, scrollTop - (top + layout.cellHeight), top - (scrollTop + height));
  };
  return [...places].sort((a, b) => distance(a) - distance(b) || a - b);
}

/**
 * @param {GridLayout} layout
 * @param {number} place
 */
export function cellAt(layout, place) {
  return { x: layout.left + (place % layout.columns) * layout.stepX, y: Math.floor(place / layout.columns) * layout.stepY };
}

/** @param {GridLayout} layout @param {number} count */
export function totalHeight(layout, count) {
  return Math.ceil(count / layout.columns) * layout.stepY;
}

/**
 * The scroll position that shows a cell whole, moving as little as needed.
 * @param {GridLayout} layout
 * @param {number} place
 * @param {number} scrollTop
 * @param {number} height
 */
export function scrollFor(layout, place, scrollTop, height) {
  const top = cellAt(layout, place).y;
  if (top < scrollTop) return top;
  const bottom = top + layout.cellHeight + 2;
  return bottom > scrollTop + height ? Math.min(top, bottom - height) : scrollTop;
}

/**
 * Where a key leads in a grid; null where it is no such key.
 * @param {string} key
 * @param {number} place
 * @param {number} columns
 * @param {number} count
 * @param {number} [page] rows in sight
 */
export function placeAfter(key, place, columns, count, page = 1) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -columns * page, PageDown: columns * page };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const step = /** @type {Record<string, number>} */ (steps)[key];
  if (step === undefined) return null;
  const next = place + step;
  if (next >= 0 && next < count) return next;
  if (Math.abs(step) === 1) return place;
  const row = Math.floor(place / columns);
  if (step < 0) return key === "PageUp" ? place % columns : place;
  return row < Math.floor((count - 1) / columns) ? count - 1 : place;
}

/**
 * The largest size of a picture's shape inside a room.
 * @param {number} width @param {number} height @param {number} roomWidth @param {number} roomHeight
 */
export function fitInside(width, height, roomWidth, roomHeight) {
  const scale = Math.min(roomWidth / width, roomHeight / height);
  return { width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)) };
}

/**
 * A histogram's bars on a root scale: at most `most` of them, neighbours added together; heights from 0 to 1.
 * @param {number[]} counts
 * @param {number[]} edges one more than counts
 * @param {number} [most]
 */
export function histogramBars(counts, edges, most = 40) {
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
