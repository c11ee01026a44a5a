/** Above the confusion matrix: the order of the classes, zoom buttons, and the colour scales. */
import { h } from "../ui/dom.ts";
import { formatPercent } from "../ui/format.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import type { Colour } from "../ui/theme.ts";
import { cellColour, type Palette } from "./matrix_colours.ts";
import { isFullyZoomed, isZoomed, type MatrixView } from "./matrix_geometry.ts";
import type { MatrixOrder } from "./wire.ts";

const ORDERS: Choice<MatrixOrder>[] = [
  ["name", "By name", "Sort the classes by name"],
  ["accuracy", "Worst first", "Sort the classes by accuracy"],
];
const CORRECT_HINT = "Share of a class's tests that were predicted correctly";
const MISTAKES_HINT = "Share of a class's tests that were predicted as one other class, on a square-root scale";

export function createMatrixTools({
  order,
  zoomIn,
  zoomOut,
  showAll,
}: {
  order: (name: MatrixOrder) => void;
  zoomIn: () => void;
  zoomOut: () => void;
  showAll: () => void;
}) {
  const orders = createRadioGroup({ label: "Order of the classes", prefix: "order", choices: ORDERS, pick: order });
  const nearer = createButton("in", "+", "Zoom in (+)", zoomIn);
  const farther = createButton("out", "−", "Zoom out (−)", zoomOut);
  const all = createButton("whole", "All", "All classes (0)", showAll);
  const zooms = h("span", { class: "dwt-zooms" }, farther, nearer, all);
  const legend = h("div", { class: "dwt-legend", "data-testid": "confusion-legend" });
  const element = h("div", { class: "dwt-tools" }, orders.element, zooms, legend);

  const showZoom = (view: MatrixView) => {
    nearer.disabled = isFullyZoomed(view);
    farther.disabled = all.disabled = !isZoomed(view);
  };
  /** @param top the end of the scale of mistakes */
  const showScales = (palette: Palette, top: number) => {
    legend.replaceChildren(
      createScale("correct", "100%", CORRECT_HINT, (at) => cellColour(palette, true, at, 1)),
      createScale("misclassified", formatPercent(top), MISTAKES_HINT, (at) => cellColour(palette, false, at, 1)),
    );
  };
  return { element, showOrder: orders.show, showZoom, showScales };
}

function createButton(name: string, words: string, label: string, onclick: () => void): HTMLButtonElement {
  const properties = { type: "button", class: "dwx-menu-button dwt-zoom", "aria-label": label, title: label };
  return h("button", { ...properties, "data-testid": `zoom-${name}`, onclick }, words);
}

/** A scale as it is drawn, from next to nothing to its end. */
function createScale(words: string, end: string, hint: string, colour: (at: number) => Colour): HTMLElement {
  const stops = [0.001, 0.05, 0.15, 0.3, 0.5, 0.75, 1].map((at) => `rgb(${colour(at).join(" ")}) ${100 * at}%`);
  const scale = h("i", { class: "dwt-scale", style: `background:linear-gradient(90deg, ${stops.join(", ")})` });
  return h("span", { title: hint }, `${words} `, scale, ` ${end}`);
}
