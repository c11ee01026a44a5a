/** The matrix of the linear CKA of each layer of A with each layer of B. A click shows the two layers. */
import { colourPixel, GRADIENTS } from "../ui/colormap.ts";
import { h, setText } from "../ui/dom.ts";
import { nextInGrid } from "../ui/grid_navigation.ts";
import { formatCorrelation } from "./pairs.ts";
import type { Similarity } from "./store.ts";
import type { PairState } from "./wire.ts";

const SIDE = 150; // pixels of the whole matrix
const MAX_CELL = 26;

function css(value: number): string {
  if (Number.isNaN(value)) return "transparent";
  const pixel = colourPixel(value, [0, 1]);
  return `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
}

export function createCkaMatrix({ pick }: { pick: (layerA: string, layerB: string) => void }) {
  const grid = h("div", { class: "dwc-cka-grid", role: "grid", "aria-label": "CKA of each layer of A with each layer of B" });
  const reading = h("output", { class: "dwc-cka-reading", "data-testid": "cka-reading" });
  const scale = h("div", { class: "dwc-cka-scale" }, "0", h("i", { style: `background:${GRADIENTS.viridis}` }), "1");
  const title = h("div", { class: "dwc-cka-title" }, h("span", {}, "CKA: A down, B across"), scale);
  const element = h("div", { class: "dwc-cka", "data-testid": "cka", hidden: true }, title, grid, reading);
  let shown: Similarity | null = null;
  let state: PairState | null = null;

  const layersOf = (cell: HTMLElement): [string, string] => [
    shown?.layers_a[Number(cell.dataset.row)] ?? "",
    shown?.layers_b[Number(cell.dataset.column)] ?? "",
  ];
  const describe = (row: number, column: number) =>
    `${shown?.layers_a[row]} | ${shown?.layers_b[column]}: ${formatCorrelation(shown?.cka[row * (shown?.layers_b.length ?? 0) + column])}`;
  const read = (cell: HTMLElement | null) => setText(reading, cell ? describe(Number(cell.dataset.row), Number(cell.dataset.column)) : "");
  const cellOf = (event: Event) => (event.target instanceof Element ? event.target.closest<HTMLElement>(".dwc-cka-cell") : null);

  grid.addEventListener("pointerover", (event) => read(cellOf(event)));
  grid.addEventListener("pointerleave", () => mark());
  grid.addEventListener("focusin", (event) => read(cellOf(event)));
  grid.addEventListener("click", (event) => {
    const cell = cellOf(event);
    if (cell) pick(...layersOf(cell));
  });
  grid.addEventListener("keydown", (event) => {
    const cells = [...grid.querySelectorAll<HTMLElement>(".dwc-cka-cell")];
    const index = cells.indexOf(event.target as HTMLElement);
    const next = index < 0 || !shown ? null : nextInGrid(event.key, index, shown.layers_b.length, cells.length);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    cells[next]?.focus();
  });

  /** Mark the layers that are shown. */
  const mark = () => {
    let current: HTMLElement | null = null;
    for (const cell of grid.querySelectorAll<HTMLElement>(".dwc-cka-cell")) {
      const [a, b] = layersOf(cell);
      const isShown = a === state?.layer_a && b === state?.layer_b;
      cell.setAttribute("aria-selected", String(isShown));
      cell.tabIndex = isShown ? 0 : -1;
      if (isShown) current = cell;
    }
    if (!current) grid.querySelector<HTMLElement>(".dwc-cka-cell")?.setAttribute("tabindex", "0");
    if (!grid.matches(":hover")) read(current);
  };

  const rebuild = (similarity: Similarity) => {
    const { layers_a, layers_b, cka } = similarity;
    const cell = Math.max(4, Math.min(MAX_CELL, Math.floor(SIDE / Math.max(layers_a.length, layers_b.length))));
    grid.style.gridTemplateColumns = `repeat(${layers_b.length}, ${cell}px)`;
    grid.style.gridAutoRows = `${cell}px`;
    const rows = layers_a.map((_, row) => {
      const cells = layers_b.map((_, column) => {
        const label = describe(row, column);
        const position = { "data-row": row, "data-column": column, "data-testid": `cka-${row}-${column}` };
        const style = `background:${css(cka[row * layers_b.length + column] ?? Number.NaN)}`;
        return h("button", {
          type: "button",
          role: "gridcell",
          class: "dwc-cka-cell",
          tabindex: -1,
          "aria-label": label,
          style,
          ...position,
        });
      });
      return h("div", { role: "row", class: "dwc-cka-row" }, ...cells);
    });
    grid.replaceChildren(...rows);
  };

  const update = (similarity: Similarity | undefined, next: PairState) => {
    element.hidden = !similarity;
    if (!similarity) return;
    const isNew = similarity !== shown;
    const moved = state?.layer_a !== next.layer_a || state?.layer_b !== next.layer_b;
    shown = similarity;
    state = next;
    if (isNew) rebuild(similarity);
    if (isNew || moved) mark();
  };
  return { element, update };
}
