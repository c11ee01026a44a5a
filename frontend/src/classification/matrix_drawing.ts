/** Drawing of the confusion matrix on a canvas: cells, and names and numbers if the cells are large enough. */

import { colourReader, cssColour } from "../ui/theme.ts";
import { fitClassName } from "./class_names.ts";
import { type ClassResults, categoryOf, pairAt } from "./class_results.ts";
import { cellColour, isDark, type Palette } from "./matrix_colours.ts";
import { type MatrixView, type Position, visibleRange } from "./matrix_geometry.ts";

/** The space for class names beside and above the cells, in CSS pixels. */
export interface Gutters {
  left: number;
  top: number;
}

/** The colours of the theme. */
export interface MatrixTheme {
  background: string;
  ink: string;
  dim: string;
  accent: string;
  palette: Palette;
}

export interface MatrixScene {
  view: MatrixView;
  gutters: Gutters;
  /** An image with one pixel per cell. */
  cells: CanvasImageSource;
  run: ClassResults;
  /** The classes in sort order. */
  order: number[];
  /** The maximum of the colour scale of errors. */
  scaleMax: number;
  theme: MatrixTheme;
  hovered: Position | null;
  selected: Position | null;
  fontFamily: string;
}

// Minimum sizes of cells in CSS pixels:
const MIN_SIZE_NAMES = 11;
const MIN_SIZE_NUMBERS = 24;
const MIN_SIZE_LINES = 5;
export const MIN_SIZE_HORIZONTAL_NAMES = 88; // column names are vertical in smaller cells
const MIN_FRAME = 9; // CSS pixels of the frame around a selected cell
const AXIS_LABELS = ["predicted →", "true class ↓"] as const;

/** @param probe an invisible element of the widget */
export function readTheme(probe: HTMLElement): MatrixTheme {
  const colour = colourReader(probe);
  const css = (variable: string) => cssColour(colour(variable));
  const palette: Palette = {
    empty: colour("--dwc-empty"),
    right: ["--dwc-right-0", "--dwc-right-1"].map(colour),
    wrong: ["--dwc-wrong-0", "--dwc-wrong-1", "--dwc-wrong-2"].map(colour),
  };
  return { background: css("--dwx-bg"), ink: css("--dwx-ink"), dim: css("--dwx-dim"), accent: css("--dwx-accent"), palette };
}

/** @param ratio device pixels per CSS pixel */
export function drawMatrix(context: CanvasRenderingContext2D, scene: MatrixScene, ratio: number): void {
  const { view, gutters, theme } = scene;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, gutters.left + view.side, gutters.top + view.side);
  context.save();
  context.translate(gutters.left, gutters.top);
  context.beginPath();
  context.rect(0, 0, view.side, view.side);
  context.clip();
  drawCells(context, scene, ratio);
  if (view.size >= MIN_SIZE_NUMBERS) drawNumbers(context, scene);
  drawBands(context, scene);
  if (scene.selected) drawFrame(context, scene, scene.selected, theme.ink, 2.5);
  if (scene.hovered) drawFrame(context, scene, scene.hovered, theme.ink, 1.5);
  context.restore();
  drawNames(context, scene);
}

function drawCells(context: CanvasRenderingContext2D, { view, cells, theme }: MatrixScene, ratio: number): void {
  const { count, side, size, left, top } = view;
  context.imageSmoothingEnabled = size * ratio < 1; // more classes than pixels: interpolate, so that no cell is skipped
  context.drawImage(cells, -left * size, -top * size, count * size, count * size);
  if (size < MIN_SIZE_LINES) return;
  context.fillStyle = theme.background;
  const thin = 1 / ratio;
  const snap = (position: number) => Math.round(position * ratio) / ratio;
  for (let index = Math.floor(left); (index - left) * size <= side; index += 1)
    context.fillRect(snap((index - left) * size), 0, thin, side);
  for (let index = Math.floor(top); (index - top) * size <= side; index += 1) context.fillRect(0, snap((index - top) * size), side, thin);
}

function drawNumbers(context: CanvasRenderingContext2D, { view, run, order, scaleMax, theme, fontFamily }: MatrixScene): void {
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
      context.fillStyle = isDark(cellColour(theme.palette, row === column, share, scaleMax)) ? "#fff" : "#111";
      context.fillText(String(count), (column + 0.5 - view.left) * view.size, (row + 0.5 - view.top) * view.size, view.size - 2);
    });
  });
}

/** Shade the row and the column of the hovered or selected cell. */
function drawBands(context: CanvasRenderingContext2D, { view, hovered, selected, theme }: MatrixScene): void {
  const position = hovered ?? selected;
  if (!position) return;
  const [row, column] = position;
  const [x, y] = [(column - view.left) * view.size, (row - view.top) * view.size];
  context.fillStyle = theme.ink;
  context.globalAlpha = 0.09;
  context.fillRect(0, y, x, view.size);
  context.fillRect(x + view.size, y, view.side, view.size);
  context.fillRect(x, 0, view.size, y);
  context.fillRect(x, y + view.size, view.size, view.side);
  context.globalAlpha = 1;
}

function drawFrame(
  context: CanvasRenderingContext2D,
  { view, theme }: MatrixScene,
  [row, column]: Position,
  colour: string,
  width: number,
): void {
  const side = Math.max(MIN_FRAME, view.size - width);
  // Keep the whole frame inside the square if the cell is visible.
  const start = (from: number, position: number) => {
    const middle = (position + 0.5 - from) * view.size;
    const isVisible = middle > -view.size / 2 && middle < view.side + view.size / 2;
    return (isVisible ? Math.min(Math.max(middle, side / 2 + 1), view.side - side / 2 - 1) : middle) - side / 2;
  };
  const [x, y] = [start(view.left, column), start(view.top, row)];
  context.lineJoin = "round";
  for (const [stroke, thickness] of [
    [theme.background, width + 3],
    [colour, width],
  ] as const) {
    context.strokeStyle = stroke;
    context.lineWidth = thickness;
    context.strokeRect(x, y, side, side);
  }
}

function drawNames(context: CanvasRenderingContext2D, scene: MatrixScene): void {
  const { view, gutters, theme, hovered, selected, fontFamily } = scene;
  const marked = hovered ?? selected;
  if (view.size >= MIN_SIZE_NAMES) {
    context.font = `${Math.min(12, Math.max(10, view.size - 2))}px ${fontFamily}`;
    drawRowNames(context, scene, marked?.[0]);
    drawColumnNames(context, scene, marked?.[1]);
  } else if (marked) {
    context.font = `600 11px ${fontFamily}`;
    drawMarkedNames(context, scene, marked);
  }
  if (view.size < MIN_SIZE_NAMES && marked) return; // the marked names replace the axis labels
  context.font = `11px ${fontFamily}`;
  context.fillStyle = theme.dim;
  context.textBaseline = "alphabetic";
  context.textAlign = "right";
  context.fillText(AXIS_LABELS[0], gutters.left - 6, gutters.top - 17);
  context.fillText(AXIS_LABELS[1], gutters.left - 6, gutters.top - 4);
}

function drawRowNames(
  context: CanvasRenderingContext2D,
  { view, gutters, run, order, theme }: MatrixScene,
  marked: number | undefined,
): void {
  const [first, end] = visibleRange(view, view.top);
  context.textAlign = "right";
  context.textBaseline = "middle";
  order.slice(first, end).forEach((label, index) => {
    const y = (first + index + 0.5 - view.top) * view.size;
    if (y < 4 || y > view.side - 4) return;
    context.fillStyle = first + index === marked ? theme.accent : theme.ink;
    context.fillText(fitName(context, categoryOf(run, label), gutters.left - 10), gutters.left - 6, gutters.top + y);
  });
}

/** Draw the column names, vertically if cells are narrow. */
function drawColumnNames(
  context: CanvasRenderingContext2D,
  { view, gutters, run, order, theme }: MatrixScene,
  marked: number | undefined,
): void {
  const [first, end] = visibleRange(view, view.left);
  const horizontal = view.size >= MIN_SIZE_HORIZONTAL_NAMES;
  context.textBaseline = horizontal ? "alphabetic" : "middle";
  context.textAlign = horizontal ? "center" : "left";
  order.slice(first, end).forEach((label, index) => {
    const x = (first + index + 0.5 - view.left) * view.size;
    if (x < 4 || x > view.side - 4) return;
    context.fillStyle = first + index === marked ? theme.accent : theme.ink;
    context.save();
    context.translate(gutters.left + x, gutters.top - 6);
    if (!horizontal) context.rotate(-Math.PI / 2);
    context.fillText(fitName(context, categoryOf(run, label), horizontal ? view.size - 8 : gutters.top - 10), 0, 0);
    context.restore();
  });
}

/** Draw only the names of the hovered or selected cell: cells are too small for all names. */
function drawMarkedNames(
  context: CanvasRenderingContext2D,
  { view, gutters, run, order, theme }: MatrixScene,
  [row, column]: Position,
): void {
  const y = Math.min(view.side - 6, Math.max(6, (row + 0.5 - view.top) * view.size));
  const x = (column + 0.5 - view.left) * view.size;
  context.fillStyle = theme.ink;
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillText(fitName(context, categoryOf(run, order[row] ?? -1), gutters.left - 10), gutters.left - 6, gutters.top + y);
  const name = fitName(context, categoryOf(run, order[column] ?? -1), view.side);
  const half = context.measureText(name).width / 2;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.fillText(name, gutters.left + Math.min(view.side - half, Math.max(half - gutters.left + 8, x)), gutters.top - 6);
}

function fitName(context: CanvasRenderingContext2D, name: string, maxWidth: number): string {
  return fitClassName(name, maxWidth, (text) => context.measureText(text).width);
}
