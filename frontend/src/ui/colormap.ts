/** Colour maps, safe for colour-blind readers: viridis for values, a diverging one for changes in both directions, and a colour per class. */
import { context2d } from "./dom.ts";

const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
/** Blue is less, white is no change, red is more. */
const DIVERGING = ["#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b"];
const TRANSPARENT = 0;

/** For the difference of two classes: teal contributes to the second one, orange for the first. Must agree with `COMPARED` of display.py. */
const COMPARED = ["#00695f", "#11857a", "#7cc4bc", "#eeeeee", "#f3b583", "#c2570c", "#8f3d04"];

/** For the difference of two models: blue is higher in B, orange in A, mid-grey is no difference. Must agree with `MODELS` of display.py. */
const MODELS = ["#0b4a9e", "#2f78c4", "#6f9cc4", "#808080", "#d19a66", "#cf6a1f", "#9c4304"];

export type ColourMap = "viridis" | "diverging" | "compared" | "models";

type Rgb = [red: number, green: number, blue: number];

/** @param colour "#rrggbb" */
function parseColour(colour: string): Rgb {
  const channel = (start: number) => Number.parseInt(colour.slice(start, start + 2), 16);
  return [channel(1), channel(3), channel(5)];
}

/** Return a colour as a little-endian RGBA integer, the pixel format of a canvas. */
function toPixel([red, green, blue]: Rgb): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Sample a colour map at 256 values. */
function sample(colours: string[]): Uint32Array {
  const stops = colours.map(parseColour);
  return Uint32Array.from({ length: 256 }, (_, step) => {
    const position = (step / 255) * (stops.length - 1);
    const index = Math.min(Math.floor(position), stops.length - 2);
    const [from, to] = [stops[index] as Rgb, stops[index + 1] as Rgb];
    const interpolate = (channel: 0 | 1 | 2) => Math.round(from[channel] + (to[channel] - from[channel]) * (position - index));
    return toPixel([interpolate(0), interpolate(1), interpolate(2)]);
  });
}

const PIXELS: Record<ColourMap, Uint32Array> = {
  viridis: sample(VIRIDIS),
  diverging: sample(DIVERGING),
  compared: sample(COMPARED),
  models: sample(MODELS),
};

export const GRADIENTS: Record<ColourMap, string> = {
  viridis: `linear-gradient(90deg, ${VIRIDIS.join(", ")})`,
  diverging: `linear-gradient(90deg, ${DIVERGING.join(", ")})`,
  compared: `linear-gradient(90deg, ${COMPARED.join(", ")})`,
  models: `linear-gradient(90deg, ${MODELS.join(", ")})`,
};

export function colourPixel(value: number, [low, high]: [number, number], colours: ColourMap = "viridis"): number {
  const fraction = high > low ? (value - low) / (high - low) : colours === "viridis" ? 0 : 0.5;
  return PIXELS[colours][Math.min(255, Math.max(0, Math.round(fraction * 255)))] ?? TRANSPARENT;
}

/** Draw one pixel per cell; the page scales the canvas. */
function drawCells(canvas: HTMLCanvasElement, rows: number, cols: number, pixel: (cell: number) => number): void {
  if (canvas.width !== cols || canvas.height !== rows) Object.assign(canvas, { width: cols, height: rows });
  const pixels = new Uint32Array(rows * cols);
  for (let cell = 0; cell < pixels.length; cell += 1) pixels[cell] = pixel(cell);
  context2d(canvas).putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), cols, rows), 0, 0);
}

/**
 * Draw values with a colour map. NaN is transparent.
 * @param nearest the index of the nearest computed cell of each cell, -1 for none; null if all cells are computed
 */
export function drawValues(
  canvas: HTMLCanvasElement,
  values: ArrayLike<number>,
  rows: number,
  cols: number,
  range: [number, number],
  nearest: Int32Array | null = null,
  colours: ColourMap = "viridis",
): void {
  drawCells(canvas, rows, cols, (cell) => {
    const value = values[nearest ? (nearest[cell] ?? -1) : cell] ?? Number.NaN;
    return Number.isNaN(value) ? TRANSPARENT : colourPixel(value, range, colours);
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
 * Draw the most probable class of each cell in its colour.
 * @param highlighted a class to highlight; the other classes are drawn translucent
 */
export function drawClasses(
  canvas: HTMLCanvasElement,
  { label: labels, rows, cols, nearest, colours }: ClassCells,
  highlighted: number | null = null,
): void {
  if (!labels) return;
  const pixels = new Map(Object.entries(colours).map(([label, colour]) => [Number(label), toPixel(parseColour(colour))]));
  drawCells(canvas, rows, cols, (cell) => {
    const label = labels[nearest ? Math.max(0, nearest[cell] ?? 0) : cell] ?? -1;
    const pixel = pixels.get(label);
    if (pixel === undefined) return TRANSPARENT;
    return highlighted === null || highlighted === label ? pixel : (pixel & 0x00ffffff) | (0x30 << 24);
  });
}
