/** The confusion matrix on a canvas: its cells, and names and numbers as soon as there is room for them. */
import { colourReader, cssColour } from "../ui/theme.ts";
import { fitClassName } from "./class_names.ts";
import { cellColour, isDark, type Palette } from "./matrix_colours.ts";
import { type MatrixView, type Place, visibleRange } from "./matrix_geometry.ts";
import { categoryOf, pairAt, type RunResults } from "./run_results.ts";

/** CSS pixels for the names beside and above the cells. */
export interface Gutters {
  left: number;
  top: number;
}

/** The theme's colours. */
export interface Look {
  background: string;
  ink: string;
  dim: string;
  accent: string;
  palette: Palette;
}

export interface MatrixScene {
  view: MatrixView;
  gutters: Gutters;
  /** A pixel for each cell. */
  cells: CanvasImageSource;
  run: RunResults;
  /** The class at each place. */
  order: number[];
  /** The end of the scale of mistakes. */
  top: number;
  look: Look;
  pointed: Place | null;
  selected: Place | null;
  fontFamily: string;
}

// CSS pixels of a cell from which
const NAMES_FROM = 11; // all names are written,
const NUMBERS_FROM = 24; // numbers are,
const LINES_FROM = 5; // cells are separated by lines,
export const FLAT_NAMES_FROM = 88; // and names of columns are horizontal
const MIN_FRAME = 9; // CSS pixels of the frame around a chosen cell
const AXIS_LABELS = ["predicted →", "true class ↓"] as const;

/** @param probe an element of the widget that is not shown */
export function readLook(probe: HTMLElement): Look {
  const colour = colourReader(probe);
  const css = (variable: string) => cssColour(colour(variable));
  const palette: Palette = {
    empty: colour("--dwt-empty"),
    right: ["--dwt-right-0", "--dwt-right-1"].map(colour),
    wrong: ["--dwt-wrong-0", "--dwt-wrong-1", "--dwt-wrong-2"].map(colour),
  };
  return { background: css("--dwx-bg"), ink: css("--dwx-ink"), dim: css("--dwx-dim"), accent: css("--dwx-accent"), palette };
}

/** @param ratio device pixels per CSS pixel */
export function drawMatrix(context: CanvasRenderingContext2D, scene: MatrixScene, ratio: number): void {
  const { view, gutters, look } = scene;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, gutters.left + view.side, gutters.top + view.side);
  context.save();
  context.translate(gutters.left, gutters.top);
  context.beginPath();
  context.rect(0, 0, view.side, view.side);
  context.clip();
  drawCells(context, scene, ratio);
  if (view.size >= NUMBERS_FROM) drawNumbers(context, scene);
  drawBands(context, scene);
  if (scene.selected) drawFrame(context, scene, scene.selected, look.ink, 2.5);
  if (scene.pointed) drawFrame(context, scene, scene.pointed, look.ink, 1.5);
  context.restore();
  drawNames(context, scene);
}

function drawCells(context: CanvasRenderingContext2D, { view, cells, look }: MatrixScene, ratio: number): void {
  const { count, side, size, left, top } = view;
  context.imageSmoothingEnabled = size * ratio < 1; // more classes than pixels: none may vanish
  context.drawImage(cells, -left * size, -top * size, count * size, count * size);
  if (size < LINES_FROM) return;
  context.fillStyle = look.background;
  const thin = 1 / ratio;
  const snap = (place: number) => Math.round(place * ratio) / ratio;
  for (let at = Math.floor(left); (at - left) * size <= side; at += 1) context.fillRect(snap((at - left) * size), 0, thin, side);
  for (let at = Math.floor(top); (at - top) * size <= side; at += 1) context.fillRect(0, snap((at - top) * size), side, thin);
}

function drawNumbers(context: CanvasRenderingContext2D, { view, run, order, top, look, fontFamily }: MatrixScene): void {
  const [firstRow, endRow] = visibleRange(view, view.top);
  const [firstColumn, endColumn] = visibleRange(view, view.left);
  context.font = `${Math.min(14, Math.max(11, view.size / 3.2))}px ${fontFamily}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  order.slice(firstRow, endRow).forEach((truth, rowAt) => {
    order.slice(firstColumn, endColumn).forEach((prediction, columnAt) => {
      const { count, share } = pairAt(run, truth, prediction);
      if (!count) return;
      const [row, column] = [firstRow + rowAt, firstColumn + columnAt];
      context.fillStyle = isDark(cellColour(look.palette, row === column, share, top)) ? "#fff" : "#111";
      context.fillText(String(count), (column + 0.5 - view.left) * view.size, (row + 0.5 - view.top) * view.size, view.size - 2);
    });
  });
}

/** Shade the row and the column of the cell that is pointed at, or chosen. */
function drawBands(context: CanvasRenderingContext2D, { view, pointed, selected, look }: MatrixScene): void {
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
  { view, look }: MatrixScene,
  [row, column]: Place,
  colour: string,
  width: number,
): void {
  const side = Math.max(MIN_FRAME, view.size - width);
  // The whole frame is visible at the border, too, as long as the cell is.
  const start = (from: number, place: number) => {
    const middle = (place + 0.5 - from) * view.size;
    const isVisible = middle > -view.size / 2 && middle < view.side + view.size / 2;
    return (isVisible ? Math.min(Math.max(middle, side / 2 + 1), view.side - side / 2 - 1) : middle) - side / 2;
  };
  const [x, y] = [start(view.left, column), start(view.top, row)];
  context.lineJoin = "round";
  for (const [stroke, thickness] of [
    [look.background, width + 3],
    [colour, width],
  ] as const) {
    context.strokeStyle = stroke;
    context.lineWidth = thickness;
    context.strokeRect(x, y, side, side);
  }
}

function drawNames(context: CanvasRenderingContext2D, scene: MatrixScene): void {
  const { view, gutters, look, pointed, selected, fontFamily } = scene;
  const marked = pointed ?? selected;
  if (view.size >= NAMES_FROM) {
    context.font = `${Math.min(12, Math.max(10, view.size - 2))}px ${fontFamily}`;
    drawRowNames(context, scene, marked?.[0]);
    drawColumnNames(context, scene, marked?.[1]);
  } else if (marked) {
    context.font = `600 11px ${fontFamily}`;
    drawMarkedNames(context, scene, marked);
  }
  if (view.size < NAMES_FROM && marked) return; // the names are there
  context.font = `11px ${fontFamily}`;
  context.fillStyle = look.dim;
  context.textBaseline = "alphabetic";
  context.textAlign = "right";
  context.fillText(AXIS_LABELS[0], gutters.left - 6, gutters.top - 17);
  context.fillText(AXIS_LABELS[1], gutters.left - 6, gutters.top - 4);
}

function drawRowNames(
  context: CanvasRenderingContext2D,
  { view, gutters, run, order, look }: MatrixScene,
  marked: number | undefined,
): void {
  const [first, end] = visibleRange(view, view.top);
  context.textAlign = "right";
  context.textBaseline = "middle";
  order.slice(first, end).forEach((label, at) => {
    const y = (first + at + 0.5 - view.top) * view.size;
    if (y < 4 || y > view.side - 4) return;
    context.fillStyle = first + at === marked ? look.accent : look.ink;
    context.fillText(fitName(context, categoryOf(run, label), gutters.left - 10), gutters.left - 6, gutters.top + y);
  });
}

/** Write the names of columns, upright where cells are narrow. */
function drawColumnNames(
  context: CanvasRenderingContext2D,
  { view, gutters, run, order, look }: MatrixScene,
  marked: number | undefined,
): void {
  const [first, end] = visibleRange(view, view.left);
  const flat = view.size >= FLAT_NAMES_FROM;
  context.textBaseline = flat ? "alphabetic" : "middle";
  context.textAlign = flat ? "center" : "left";
  order.slice(first, end).forEach((label, at) => {
    const x = (first + at + 0.5 - view.left) * view.size;
    if (x < 4 || x > view.side - 4) return;
    context.fillStyle = first + at === marked ? look.accent : look.ink;
    context.save();
    context.translate(gutters.left + x, gutters.top - 6);
    if (!flat) context.rotate(-Math.PI / 2);
    context.fillText(fitName(context, categoryOf(run, label), flat ? view.size - 8 : gutters.top - 10), 0, 0);
    context.restore();
  });
}

/** Write the names of the pointed or chosen cell alone, where cells are too small for all. */
function drawMarkedNames(context: CanvasRenderingContext2D, { view, gutters, run, order, look }: MatrixScene, [row, column]: Place): void {
  const y = Math.min(view.side - 6, Math.max(6, (row + 0.5 - view.top) * view.size));
  const x = (column + 0.5 - view.left) * view.size;
  context.fillStyle = look.ink;
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillText(fitName(context, categoryOf(run, order[row] ?? -1), gutters.left - 10), gutters.left - 6, gutters.top + y);
  const name = fitName(context, categoryOf(run, order[column] ?? -1), view.side);
  const half = context.measureText(name).width / 2;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.fillText(name, gutters.left + Math.min(view.side - half, Math.max(half - gutters.left + 8, x)), gutters.top - 6);
}

function fitName(context: CanvasRenderingContext2D, name: string, room: number): string {
  return fitClassName(name, room, (text) => context.measureText(text).width);
}
