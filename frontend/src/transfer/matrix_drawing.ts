import { colourReader, cssColour } from "../ui/theme.ts";
import { cellColour, isDark } from "./matrix_geometry.ts";
import { shortName } from "./class_names.ts";
import type { MatrixView, Palette } from "./matrix_geometry.ts";
import type { RunView } from "./run_results.ts";

/** CSS pixels for the names beside and above the cells */
export type Gutters = { left: number; top: number };

/** colours as a canvas wants them */
export interface Look {
  background: string;
  ink: string;
  dim: string;
  accent: string;
  palette: Palette;
}

export interface Scene {
  view: MatrixView;
  gutters: Gutters;
  /** a pixel for each */
  cells: CanvasImageSource | null;
  run: RunView;
  order: number[];
  /** the share at which the scale of mistakes ends */
  top: number;
  look: Look;
  /** row and column */
  pointed: [number, number] | null;
  selected: [number, number] | null;
  /** its family */
  font: string;
}

/**
 * Return the theme's colours.
 * @param probe an element of the widget that is not shown
 */
export function readLook(probe: HTMLElement): Look {
  const colour = colourReader(probe);
  const css = (variable: string) => cssColour(colour(variable));
  const palette: Palette = {
    empty: colour("--dwt-empty"),
    right: [colour("--dwt-right-0"), colour("--dwt-right-1")],
    wrong: [colour("--dwt-wrong-0"), colour("--dwt-wrong-1"), colour("--dwt-wrong-2")],
  };
  return { background: css("--dwx-bg"), ink: css("--dwx-ink"), dim: css("--dwx-dim"), accent: css("--dwx-accent"), palette };
}

/** The confusion matrix on a canvas: its cells, and names and numbers as soon as there is room for them. */

const NAMED_FROM = 11; // CSS pixels of a cell from which all names are written
const NUMBERED_FROM = 24; // and numbers
const LINED_FROM = 5; // and cells are set apart
export const FLAT_FROM = 88; // and those of the columns lie
const LEAST_FRAME = 9; // the least side of the frame around a chosen cell

/** @param ratio device pixels per CSS pixel */
export function drawMatrix(context: CanvasRenderingContext2D, scene: Scene, ratio: number) {
  const { view, gutters, look } = scene;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, gutters.left + view.side, gutters.top + view.side);
  context.save();
  context.translate(gutters.left, gutters.top);
  context.beginPath();
  context.rect(0, 0, view.side, view.side);
  context.clip();
  drawCells(context, scene, ratio);
  if (view.size >= NUMBERED_FROM) drawNumbers(context, scene);
  drawBands(context, scene);
  if (scene.selected) drawFrame(context, scene, scene.selected, look.ink, 2.5);
  if (scene.pointed) drawFrame(context, scene, scene.pointed, look.ink, 1.5);
  context.restore();
  drawNames(context, scene);
}

function drawCells(context: CanvasRenderingContext2D, { view, cells, look }: Scene, ratio: number) {
  const { count, side, size, left, top } = view;
  if (!cells) return;
  context.imageSmoothingEnabled = size * ratio < 1; // more classes than pixels: none may vanish
  context.drawImage(cells, -left * size, -top * size, count * size, count * size);
  if (size < LINED_FROM) return;
  context.fillStyle = look.background;
  const thin = 1 / ratio;
  for (let at = Math.floor(left); (at - left) * size <= side; at += 1) context.fillRect(snapped((at - left) * size, ratio), 0, thin, side);
  for (let at = Math.floor(top); (at - top) * size <= side; at += 1) context.fillRect(0, snapped((at - top) * size, ratio), side, thin);
}

function snapped(place: number, ratio: number) {
  return Math.round(place * ratio) / ratio;
}

/** The places in sight along one side, as [first, last + 1). */
function placesInSight({ count, side, size }: MatrixView, from: number) {
  return [Math.max(0, Math.floor(from)), Math.min(count, Math.ceil(from + side / size))];
}

function drawNumbers(context: CanvasRenderingContext2D, { view, run, order, top, look, font }: Scene) {
  const count = order.length;
  const [firstRow, lastRow] = placesInSight(view, view.top);
  const [firstColumn, lastColumn] = placesInSight(view, view.left);
  context.font = `${Math.min(14, Math.max(10, view.size / 3.2))}px ${font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let row = firstRow; row < lastRow; row += 1) {
    for (let column = firstColumn; column < lastColumn; column += 1) {
      const number = run.confusion[order[row] * count + order[column]];
      if (!number) continue;
      const colour = cellColour(look.palette, row === column, number / run.tests[order[row]], top);
      context.fillStyle = isDark(colour) ? "#fff" : "#111";
      context.fillText(String(number), (column + 0.5 - view.left) * view.size, (row + 0.5 - view.top) * view.size, view.size - 2);
    }
  }
}

/** The row and the column of what is pointed at, or chosen. */
function drawBands(context: CanvasRenderingContext2D, { view, pointed, selected, look }: Scene) {
  const place = pointed ?? selected;
  if (!place) return;
  const [row, column] = place;
  const [x, y] = [(column - view.left) * view.size, (row - view.top) * view.size];
  context.fillStyle = look.ink;
  context.globalAlpha = 0.09;
  context.fillRect(0, y, x, view.size);
  context.fillRect(x + view.size, y, view.side, view.size);
  context.fillRect(x, 0, view.size, y);
  context.fillRect(x, y + view.size, view.size, view.side);
  context.globalAlpha = 1;
}

function drawFrame(
  context: CanvasRenderingContext2D,
  { view, look }: Scene,
  [row, column]: [number, number],
  colour: string,
  width: number,
) {
  const side = Math.max(LEAST_FRAME, view.size - width);
  // Whole also at the border, as long as the cell is in sight.
  const inside = (from: number, place: number) => {
    const middle = (place + 0.5 - from) * view.size;
    const seen = middle > -view.size / 2 && middle < view.side + view.size / 2;
    return (seen ? Math.min(Math.max(middle, side / 2 + 1), view.side - side / 2 - 1) : middle) - side / 2;
  };
  const [x, y] = [inside(view.left, column), inside(view.top, row)];
  context.lineJoin = "round";
  for (const [stroke, thick] of [
    [look.background, width + 3],
    [colour, width],
  ] as [string, number][]) {
    context.strokeStyle = stroke;
    context.lineWidth = thick;
    context.strokeRect(x, y, side, side);
  }
}

function drawNames(context: CanvasRenderingContext2D, scene: Scene) {
  const { view, gutters, look, pointed, selected, font } = scene;
  const marked = pointed ?? selected;
  const points = Math.min(12, Math.max(10, view.size - 2));
  if (view.size >= NAMED_FROM) {
    context.font = `${points}px ${font}`;
    drawRowNames(context, scene, marked?.[0]);
    drawColumnNames(context, scene, marked?.[1]);
  } else if (marked) {
    context.font = `600 11px ${font}`;
    drawMarkedNames(context, scene, marked);
  }
  context.font = `10px ${font}`;
  context.fillStyle = look.dim;
  context.textBaseline = "alphabetic";
  context.textAlign = "right";
  if (view.size >= NAMED_FROM || !marked) {
    context.fillText("taken for →", gutters.left - 6, gutters.top - 16);
    context.fillText("truth ↓", gutters.left - 6, gutters.top - 4);
  }
}

function drawRowNames(context: CanvasRenderingContext2D, { view, gutters, run, order, look }: Scene, marked: number | undefined) {
  const [first, last] = placesInSight(view, view.top);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let row = first; row < last; row += 1) {
    const y = (row + 0.5 - view.top) * view.size;
    if (y < 4 || y > view.side - 4) continue;
    context.fillStyle = row === marked ? look.accent : look.ink;
    context.fillText(shortened(context, run.categories[order[row]], gutters.left - 10), gutters.left - 6, gutters.top + y);
  }
}

/** Upright where cells are narrow. */
function drawColumnNames(context: CanvasRenderingContext2D, { view, gutters, run, order, look }: Scene, marked: number | undefined) {
  const [first, last] = placesInSight(view, view.left);
  const names = order.slice(first, last).map((one) => run.categories[one]);
  const flat = view.size >= FLAT_FROM;
  context.textBaseline = flat ? "alphabetic" : "middle";
  context.textAlign = flat ? "center" : "left";
  names.forEach((name, at) => {
    const x = (first + at + 0.5 - view.left) * view.size;
    if (x < 4 || x > view.side - 4) return;
    context.fillStyle = first + at === marked ? look.accent : look.ink;
    context.save();
    context.translate(gutters.left + x, gutters.top - 6);
    if (!flat) context.rotate(-Math.PI / 2);
    context.fillText(shortened(context, name, flat ? view.size - 8 : gutters.top - 10), 0, 0);
    context.restore();
  });
}

/** Where cells are too small for names, those of the pointed or chosen one alone. */
function drawMarkedNames(context: CanvasRenderingContext2D, { view, gutters, run, order, look }: Scene, [row, column]: [number, number]) {
  const y = Math.min(view.side - 6, Math.max(6, (row + 0.5 - view.top) * view.size));
  const x = (column + 0.5 - view.left) * view.size;
  context.fillStyle = look.ink;
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillText(shortened(context, run.categories[order[row]], gutters.left - 10), gutters.left - 6, gutters.top + y);
  const name = shortened(context, run.categories[order[column]], view.side);
  const half = context.measureText(name).width / 2;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.fillText(name, gutters.left + Math.min(view.side - half, Math.max(half - gutters.left + 8, x)), gutters.top - 6);
}

function shortened(context: CanvasRenderingContext2D, name: string, room: number) {
  return shortName(name, room, (words) => context.measureText(words).width);
}
