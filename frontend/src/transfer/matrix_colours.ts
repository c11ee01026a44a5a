/** Colours of the confusion matrix. */
import type { Colour } from "../ui/theme.ts";
import { countTests, pairAt, type RunResults } from "./run_results.ts";

export interface Palette {
  empty: Colour;
  /** From none to all of a class's tests. */
  right: Colour[];
  wrong: Colour[];
}

const MIN_TOP = 0.05; // the end of the scale of mistakes, where there are hardly any
const FAINTEST_MISTAKE = 0.22; // where on its scale a single mistake is: it must be visible

type Confusion = Pick<RunResults, "categories" | "tests" | "confusion">;

/** Return the end of the scale of mistakes: the largest share that a class loses to one other. */
export function mistakeScale(run: Confusion): number {
  const count = run.categories.length;
  let top = MIN_TOP;
  for (let row = 0; row < count; row += 1) {
    if (!countTests(run, row)) continue;
    for (let column = 0; column < count; column += 1) if (row !== column) top = Math.max(top, pairAt(run, row, column).share);
  }
  return Math.min(1, top);
}

/** Return the colour between stops. @param at from 0 to 1 */
export function blend(stops: Colour[], at: number): Colour {
  const place = Math.min(1, Math.max(0, at)) * (stops.length - 1);
  const index = Math.min(stops.length - 2, Math.floor(place));
  const [from, to] = [stops[index], stops[index + 1]];
  if (!from || !to) return [0, 0, 0];
  const mix = (channel: 0 | 1 | 2) => Math.round(from[channel] + (to[channel] - from[channel]) * (place - index));
  return [mix(0), mix(1), mix(2)];
}

/**
 * Return the colour of a cell. Mistakes have a square-root scale of their own: one in a hundred is visible beside one in three.
 * @param share of the row
 * @param top the end of the scale of mistakes
 */
export function cellColour(palette: Palette, isRight: boolean, share: number, top: number): Colour {
  if (share <= 0) return palette.empty;
  if (isRight) return blend(palette.right, share);
  return blend(palette.wrong, FAINTEST_MISTAKE + (1 - FAINTEST_MISTAKE) * Math.sqrt(Math.min(1, share / top)));
}

/** Return whether white is easier to read on a colour than black. */
export function isDark([red, green, blue]: Colour): boolean {
  return 0.299 * red + 0.587 * green + 0.114 * blue < 140;
}

/** Return a pixel for each cell, in the shown order. */
export function matrixPixels(run: Confusion, order: number[], palette: Palette, top: number): Uint8ClampedArray<ArrayBuffer> {
  const count = order.length;
  const pixels = new Uint8ClampedArray(4 * count * count);
  for (let at = 3; at < pixels.length; at += 4) pixels[at] = 255;
  order.forEach((truth, row) => {
    order.forEach((prediction, column) => {
      const { share } = pairAt(run, truth, prediction);
      pixels.set(cellColour(palette, row === column, share, top), 4 * (row * count + column));
    });
  });
  return pixels;
}
