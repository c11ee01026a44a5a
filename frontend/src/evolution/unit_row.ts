/** One row: a unit, and its strongest activation at each checkpoint. One canvas has all pictures of the row. */

import { drawPlaceholder } from "../layers/mosaics.ts";
import { context2d, h, setText } from "../ui/dom.ts";
import type { CellStore, Part } from "./cell_store.ts";
import { GAP } from "./layout.ts";
import { countJumps, describeCell } from "./texts.ts";
import type { Cell, CellKey, Column, Row, Show } from "./wire.ts";

const INSET = 0.42; // side of a patch over a projection, as a share of the cell
const PLACEHOLDER = "rgba(127, 127, 127, 0.14)";

export interface RowContent {
  row: Row;
  /** The first row of its layer. */
  isFirst: boolean;
  columns: readonly Column[];
  /** Of the cells of the row. */
  epochs: readonly number[];
  show: Show;
  /** The side of a cell in CSS pixels. */
  cell: number;
  /** The side of its picture in pixels. */
  tile: number;
  epoch: number | null;
  selected: boolean;
}

export function partsOf(show: Show): Part[] {
  if (show === "both") return ["projections", "patches"];
  return [show];
}

export class UnitRow {
  readonly element: HTMLElement;
  readonly cells: HTMLElement[] = [];
  content: RowContent | null = null;
  isVisible = false;
  private readonly layer = h("span", { class: "dwv-row-layer" });
  private readonly unit = h("b", {});
  private readonly jumps = h("span", { class: "dwv-row-jumps" });
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly strip = h("div", { class: "dwv-strip", role: "presentation" }, this.canvas);
  private drawn = "";
  /** By epoch: the cell of the row. */
  private values: ReadonlyMap<number, Cell | undefined> = new Map();

  constructor(
    private readonly store: CellStore,
    private readonly pick: (row: UnitRow, epoch: number) => void,
  ) {
    const label = h("div", { class: "dwv-row-label", role: "rowheader" }, this.layer, this.unit, this.jumps);
    this.element = h("div", { class: "dwv-row", role: "row" }, label, this.strip);
    this.strip.addEventListener("click", ({ target }) => {
      const cell = target instanceof Element ? target.closest<HTMLElement>(".dwv-cell") : null;
      if (cell) this.pick(this, Number(cell.dataset.epoch));
    });
  }

  /** The cells whose pictures are shown. */
  get keys(): CellKey[] {
    const { content } = this;
    if (!content) return [];
    const { row, columns } = content;
    const isShown = ({ epoch }: Column) => this.values.get(epoch)?.active === true;
    return columns.filter(isShown).map(({ epoch }): CellKey => [epoch, row.layer, row.unit]);
  }

  update(content: RowContent): void {
    const previous = this.content;
    this.content = content;
    const { row, columns, epochs, isFirst, epoch, selected } = content;
    if (previous?.row !== row || previous.epochs !== epochs) this.values = new Map(epochs.map((at, index) => [at, row.cells[index]]));
    const isMarked = (shown: RowContent) => (shown.selected ? shown.epoch : null);
    const isSame = previous?.row === row && previous.columns === columns && previous.isFirst === isFirst;
    if (!isSame) this.describe(content);
    if (!isSame || isMarked(previous) !== isMarked(content)) {
      this.element.classList.toggle("dwv-selected-row", selected);
      for (const cell of this.cells) {
        const isSelected = selected && Number(cell.dataset.epoch) === epoch;
        cell.setAttribute("aria-selected", String(isSelected));
        cell.tabIndex = isSelected ? 0 : -1;
      }
    }
    this.draw();
  }

  private describe({ row, columns, isFirst }: RowContent): void {
    this.element.dataset.layer = row.layer;
    this.element.dataset.unit = String(row.unit);
    this.element.classList.toggle("dwv-first", isFirst);
    setText(this.layer, isFirst ? row.layer : "");
    this.layer.title = row.layer;
    setText(this.unit, String(row.unit));
    setText(this.jumps, countJumps(row));
    while (this.cells.length > columns.length) this.cells.pop()?.remove();
    columns.forEach((column, index) => {
      const cell = this.cells[index] ?? this.addCell();
      const value = this.values.get(column.epoch);
      cell.dataset.epoch = String(column.epoch);
      cell.dataset.state = column.state;
      cell.classList.toggle("dwv-changed", value?.changed === true);
      const text = describeCell(row, value, column);
      if (cell.title === text) return;
      cell.title = text;
      cell.setAttribute("aria-label", text);
    });
  }

  /** Draw the pictures that are loaded, if the row is visible and they are others than those that are drawn. */
  draw(): void {
    const { content } = this;
    if (!content || !this.isVisible) return;
    const { row, columns, cell, tile, show } = content;
    const ratio = globalThis.devicePixelRatio || 1;
    const parts = partsOf(show);
    const pictures = columns.map(({ epoch }) => parts.map((part) => this.store.picture([epoch, row.layer, row.unit], part, tile)));
    const step = (cell + GAP) * ratio;
    const loaded = pictures.map((list) => list.map((picture) => (picture ? idOf(picture) : "-")).join()).join(";");
    const key = [row.layer, row.unit, loaded, cell, ratio, show, columns.map(({ epoch }) => epoch)].join("|");
    if (key === this.drawn) return;
    this.drawn = key;
    const side = cell * ratio;
    this.canvas.width = Math.max(1, Math.round(columns.length * step - GAP * ratio));
    this.canvas.height = Math.max(1, Math.round(side));
    const context = context2d(this.canvas);
    context.imageSmoothingQuality = "high";
    columns.forEach(({ epoch }, index) => {
      const value = this.values.get(epoch);
      const left = Math.round(index * step);
      if (value && !value.active) drawPlaceholder(context, left, Math.round(side));
      else if (value) this.drawCell(context, left, Math.round(side), pictures[index] ?? [], show, ratio);
    });
  }

  private drawCell(
    context: CanvasRenderingContext2D,
    left: number,
    side: number,
    pictures: (ImageBitmap | undefined)[],
    show: Show,
    ratio: number,
  ): void {
    const [first, second] = pictures;
    if (first) context.drawImage(first, left, 0, side, side);
    else {
      context.fillStyle = PLACEHOLDER;
      context.fillRect(left, 0, side, side);
    }
    if (show !== "both" || !second) return;
    const inset = Math.round(INSET * side);
    const edge = Math.max(1, Math.round(ratio));
    const [x, y] = [left + side - inset - 2 * edge, side - inset - 2 * edge];
    context.fillStyle = "#fff";
    context.fillRect(x - edge, y - edge, inset + 2 * edge, inset + 2 * edge);
    context.drawImage(second, x, y, inset, inset);
  }

  private addCell(): HTMLElement {
    const cell = h("div", { class: "dwv-cell", role: "gridcell", tabindex: -1 });
    this.cells.push(cell);
    this.strip.append(cell);
    return cell;
  }
}

const ids = new WeakMap<ImageBitmap, number>();
let count = 0;

function idOf(bitmap: ImageBitmap): number {
  const id = ids.get(bitmap) ?? ++count;
  ids.set(bitmap, id);
  return id;
}
