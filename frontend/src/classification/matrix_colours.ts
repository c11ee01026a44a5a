/** Colours of the confusion matrix. */

import type { Colour } from "../ui/theme.ts";
import { type ClassResults, countTests, pairAt } from "./class_results.ts";

export interface Palette {
  empty: Colour;
  /** Colours from no tests to all tests of a class. */
  right: Colour[];
  wrong: Colour[];
}

const MIN_SCALE_MAX = 0.05; // minimum of the maximum of the colour scale of errors
const MIN_ERROR_COLOUR = 0.22; // minimum position on the colour scale of errors, so that single errors are visible

type Confusion = Pick<ClassResults, "categories" | "tests" | "confusion">;

/** Return the maximum of the colour scale of errors: the largest share of a class that was predicted as one other class. */
export function errorScaleMax(run: Confusion): number {
  const count = run.categories.length;
  let scaleMax = MIN_SCALE_MAX;
  for (let row = 0; row < count; row += 1) {
    if (!countTests(run, row)) continue;
    for (let column = 0; column < count; column += 1) if (row !== column) scaleMax = Math.max(scaleMax, pairAt(run, row, column).share);
  }
  return Math.min(1, scaleMax);
}

/** Interpolate between colours. @param position from 0 to 1 */
export function interpolateColours(stops: Colour[], position: number): Colour {
  const scaled = Math.min(1, Math.max(0, position)) * (stops.length - 1);
  const index = Math.min(stops.length - 2, Math.floor(scaled));
  const [from, to] = [stops[index], stops[index + 1]];
  if (!from || !to) return [0, 0, 0];
  const interpolate = (channel: 0 | 1 | 2) => Math.round(from[channel] + (to[channel] - from[channel]) * (scaled - index));
  return [interpolate(0), interpolate(1), interpolate(2)];
}

/**
 * Return the colour of a cell. Errors have a separate square-root scale, on which small shares are visible.
 * @param share the share of the row
 * @param scaleMax the maximum of the colour scale of errors
 */
export function cellColour(palette: Palette, isRight: boolean, share: number, scaleMax: number): Colour {
  if (share <= 0) return palette.empty;
  if (isRight) return interpolateColours(palette.right, share);
  return interpolateColours(palette.wrong, MIN_ERROR_COLOUR + (1 - MIN_ERROR_COLOUR) * Math.sqrt(Math.min(1, share / scaleMax)));
}

/** Return whether white text is easier to read on a colour than black text. */
export function isDark([red, green, blue]: Colour): boolean {
  return 0.299 * red + 0.587 * green + 0.114 * blue < 140;
}

/** Return one RGBA pixel per cell, in sort order. */
export function matrixPixels(run: Confusion, order: number[], palette: Palette, scaleMax: number): Uint8ClampedArray<ArrayBuffer> {
  const count = order.length;
  const pixels = new Uint8ClampedArray(4 * count * count);
  for (let alpha = 3; alpha < pixels.length; alpha += 4) pixels[alpha] = 255;
  order.forEach((truth, row) => {
    order.forEach((prediction, column) => {
      const { share } = pairAt(run, truth, prediction);
      pixels.set(cellColour(palette, row === column, share, scaleMax), 4 * (row * count + column));
    });
  });
  return pixels;
}
