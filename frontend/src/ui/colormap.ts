/** Values as colours: viridis, which is ordered in lightness too and told apart by colour-blind readers; classes in their own colours. */
import { context2d } from "./dom.ts";

const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
const TRANSPARENT = 0;

type Rgb = [red: number, green: number, blue: number];

/** @param colour "#rrggbb" */
function parseColour(colour: string): Rgb {
  const channel = (at: number) => Number.parseInt(colour.slice(at, at + 2), 16);
  return [channel(1), channel(3), channel(5)];
}

/** Return a colour as a canvas keeps it: little-endian RGBA. */
function toPixel([red, green, blue]: Rgb): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** 256 steps from the lowest to the highest value. */
const STEPS = Uint32Array.from({ length: 256 }, (_, step) => {
  const stops = VIRIDIS.map(parseColour);
  const place = (step / 255) * (stops.length - 1);
  const at = Math.min(Math.floor(place), stops.length - 2);
  const [from, to] = [stops[at] as Rgb, stops[at + 1] as Rgb];
  const mix = (channel: 0 | 1 | 2) => Math.round(from[channel] + (to[channel] - from[channel]) * (place - at));
  return toPixel([mix(0), mix(1), mix(2)]);
});

export const VIRIDIS_GRADIENT = `linear-gradient(90deg, ${VIRIDIS.join(", ")})`;

export function viridisPixel(value: number, [low, high]: [number, number]): number {
  const share = high > low ? (value - low) / (high - low) : 0;
  return STEPS[Math.min(255, Math.max(0, Math.round(share * 255)))] ?? TRANSPARENT;
}

/** Paint cells, one pixel each; the page scales them. */
function paintCells(canvas: HTMLCanvasElement, rows: number, cols: number, pixel: (cell: number) => number): void {
  if (canvas.width !== cols || canvas.height !== rows) Object.assign(canvas, { width: cols, height: rows });
  const pixels = new Uint32Array(rows * cols);
  for (let cell = 0; cell < pixels.length; cell += 1) pixels[cell] = pixel(cell);
  context2d(canvas).putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), cols, rows), 0, 0);
}

/** @param nearest for each cell one that is computed, -1 where there is none; null where all are */
export function paintValues(
  canvas: HTMLCanvasElement,
  values: ArrayLike<number>,
  rows: number,
  cols: number,
  range: [number, number],
  nearest: Int32Array | null = null,
): void {
  paintCells(canvas, rows, cols, (cell) => {
    const value = values[nearest ? (nearest[cell] ?? -1) : cell] ?? Number.NaN;
    return Number.isNaN(value) ? TRANSPARENT : viridisPixel(value, range);
  });
}

export interface ClassCells {
  label: Int32Array | null;
  rows: number;
  cols: number;
  nearest: Int32Array | null;
  colours: Record<string, string>;
}

/**
 * Paint the most probable class of each cell, in the colours that the kernel gave them.
 * @param only the class that stands out; the others are faint
 */
export function paintClasses(
  canvas: HTMLCanvasElement,
  { label: labels, rows, cols, nearest, colours }: ClassCells,
  only: number | null = null,
): void {
  if (!labels) return;
  const pixels = new Map(Object.entries(colours).map(([label, colour]) => [Number(label), toPixel(parseColour(colour))]));
  paintCells(canvas, rows, cols, (cell) => {
    const label = labels[nearest ? Math.max(0, nearest[cell] ?? 0) : cell] ?? -1;
    const pixel = pixels.get(label);
    if (pixel === undefined) return TRANSPARENT;
    return only === null || only === label ? pixel : (pixel & 0x00ffffff) | (0x30 << 24);
  });
}
