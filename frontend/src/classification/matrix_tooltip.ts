import { h, setText } from "../ui/dom.ts";
import type { MatrixView, Position } from "./matrix_geometry.ts";

const GAP = 7; // CSS pixels between a cell and its tooltip

/** The tooltip of a cell: above it, or below it in the top rows. */
export class MatrixTooltip {
  readonly element = h("div", { class: "dwc-tooltip", hidden: true, "data-testid": "confusion-tip" });

  hide(): void {
    this.element.hidden = true;
  }

  /** @param gutters the CSS pixels left of and above the square of cells */
  show(text: string, [row, column]: Position, view: MatrixView, gutters: { left: number; top: number }): void {
    const { element } = this;
    element.hidden = false;
    setText(element, text);
    const x = gutters.left + (column + 0.5 - view.left) * view.size;
    const y = gutters.top + (row + 0.5 - view.top) * view.size;
    const half = element.offsetWidth / 2;
    const gap = Math.max(5, view.size / 2) + GAP;
    const fitsAbove = y - gap - element.offsetHeight > gutters.top - 4;
    element.style.left = `${Math.min(Math.max(half + 2, x), Math.max(half + 2, gutters.left + view.side - half))}px`;
    element.style.top = `${fitsAbove ? y - gap - element.offsetHeight : y + gap}px`;
  }
}
