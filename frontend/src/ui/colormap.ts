/* Values as colours: viridis, which is ordered in lightness too and read by the colour-blind; classes in their own colours. */

const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
const UNKNOWN = 0; // transparent

/** @param {string} colour "#rrggbb" @returns {number[]} */
function rgbOf(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

/** As a canvas keeps it: little-endian RGBA. @param {number[]} rgb */
function pixelOf([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** 256 steps from the lowest to the highest value. */
const STEPS = Uint32Array.from({ length: 256 }, (_, step) => {
  const place = (step / 255) * (VIRIDIS.length - 1);
  const at = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const [from, to] = [rgbOf(VIRIDIS[at]), rgbOf(VIRIDIS[at + 1])];
  return pixelOf(from.map((channel, index) => Math.round(channel + (to[index] - channel) * (place - at))));
});

export const SCALE_CSS = `linear-gradient(90deg, ${VIRIDIS.join(", ")})`;

/** @param {number} value @param {[number, number]} range */
export function viridisPixel(value, [low, high]) {
  const share = high > low ? (value - low) / (high - low) : 0;
  return STEPS[Math.min(255, Math.max(0, Math.round(share * 255)))];
}

/**
 * Paint cells, one pixel each; the page scales them.
 * @param {HTMLCanvasElement} canvas @param {number} rows @param {number} cols
 * @param {(cell: number) => number} pixel
 */
function paintCells(canvas, rows, cols, pixel) {
  if (canvas.width !== cols || canvas.height !== rows) Object.assign(canvas, { width: cols, height: rows });
  const pixels = new Uint32Array(rows * cols);
  for (let cell = 0; cell < pixels.length; cell += 1) pixels[cell] = pixel(cell);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), cols, rows), 0, 0);
}

/**
 * @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} values @param {number} rows @param {number} cols
 * @param {[number, number]} range @param {Int32Array | null} [nearest] a computed cell for each; null where all are
 */
export function paintValues(canvas, values, rows, cols, range, nearest = null) {
  paintCells(canvas, rows, cols, (cell) => {
    const known = nearest ? nearest[cell] : cell;
    return known < 0 || Number.isNaN(values[known]) ? UNKNOWN : viridisPixel(values[known], range);
  });
}

/**
 * Paint the most probable class of each cell, in the colours that the kernel gave them.
 * @param {HTMLCanvasElement} canvas @param {import("./occlusion_grid.js").Grid} grid @param {number | null} [only] the others are faint
 */
export function paintClasses(canvas, { label: labels, rows, cols, nearest, colours }, only = null) {
  if (!labels) return;
  const pixels = new Map(Object.entries(colours).map(([label, colour]) => [Number(label), pixelOf(rgbOf(colour))]));
  paintCells(canvas, rows, cols, (cell) => {
    const label = labels[nearest ? Math.max(0, nearest[cell]) : cell];
    if (label < 0) return UNKNOWN;
    const pixel = /** @type {number} */ (pixels.get(label));
    return only === null || only === label ? pixel : (pixel & 0x00ffffff) | (0x30 << 24);
  });
}
