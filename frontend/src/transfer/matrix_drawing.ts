import { cellColour, isDark } from "./transfer_matrix.js";
import { shortName } from "./transfer_names.js";

/**
 * The confusion matrix on a canvas: its cells, and names and numbers as soon as there is room for them.
 *
 * @typedef {{left: number, top: number}} Gutters CSS pixels for the names beside and above the cells
 * @typedef {object} Look colours as a canvas wants them
 * @property {string} background
 * @property {string} ink
 * @property {string} dim
 * @property {string} accent
 * @property {import("./transfer_matrix.js").Palette} palette
 *
 * @typedef {object} Scene
 * @property {import("./transfer_matrix.js").MatrixView} view
 * @property {Gutters} gutters
 * @property {CanvasImageSource | null} cells a pixel for each
 * @property {import("./transfer_runs.js").RunView} run
 * @property {number[]} order
 * @property {number} top the share at which the scale of mistakes ends
 * @property {Look} look
 * @property {[number, number] | null} pointed row and column
 * @property {[number, number] | null} selected
 * @property {string} font its family
 */

const NAMED_FROM = 11; // CSS pixels of a cell from which all names are written
const NUMBERED_FROM = 24; // and numbers
const LINED_FROM = 5; // and cells are set apart
export const FLAT_FROM = 88; // and those of the columns lie
const LEAST_FRAME = 9; // the least side of the frame around a chosen cell

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {number} ratio device pixels per CSS pixel
 */
export function drawMatrix(context, scene, ratio) {
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

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {number} ratio */
function drawCells(context, { view, cells, look }, ratio) {
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

/** @param {number} place @param {number} ratio */
function snapped(place, ratio) {
  return Math.round(place * ratio) / ratio;
}

/** The places in sight along one side, as [first, last + 1). @param {import("./transfer_matrix.js").MatrixView} view @param {number} from */
function placesInSight({ count, side, size }, from) {
  return [Math.max(0, Math.floor(from)), Math.min(count, Math.ceil(from + side / size))];
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawNumbers(context, { view, run, order, top, look, font }) {
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

/** The row and the column of what is pointed at, or chosen. @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawBands(context, { view, pointed, selected, look }) {
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

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {[number, number]} place @param {string} colour @param {number} width */
function drawFrame(context, { view, look }, [row, column], colour, width) {
  const side = Math.max(LEAST_FRAME, view.size - width);
  // Whole also at the border, as long as the cell is in sight.
  const inside = (/** @type {number} */ from, /** @type {number} */ place) => {
    const middle = (place + 0.5 - from) * view.size;
    const seen = middle > -view.size / 2 && middle < view.side + view.size / 2;
    return (seen ? Math.min(Math.max(middle, side / 2 + 1), view.side - side / 2 - 1) : middle) - side / 2;
  };
  const [x, y] = [inside(view.left, column), inside(view.top, row)];
  context.lineJoin = "round";
  for (const [stroke, thick] of /** @type {[string, number][]} */ ([[look.background, width + 3], [colour, width]])) {
    context.strokeStyle = stroke;
    context.lineWidth = thick;
    context.strokeRect(x, y, side, side);
  }
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawNames(context, scene) {
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

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {number | undefined} marked */
function drawRowNames(context, { view, gutters, run, order, look }, marked) {
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

/** Upright where cells are narrow. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {number | undefined} marked */
function drawColumnNames(context, { view, gutters, run, order, look }, marked) {
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

/** Where cells are too small for names, those of the pointed or chosen one alone. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {[number, number]} marked */
function drawMarkedNames(context, { view, gutters, run, order, look }, [row, column]) {
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

/** @param {CanvasRenderingContext2D} context @param {string} name @param {number} room */
function shortened(context, name, room) {
  return shortName(name, room, (words) => context.measureText(words).width);
}
