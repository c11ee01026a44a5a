/** The toolbar of the confusion matrix: order of the classes, zoom buttons, and colour scales. */

import { h } from "../ui/dom.ts";
import { formatPercent } from "../ui/format.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import type { Colour } from "../ui/theme.ts";
import type { MatrixOrder } from "./class_results.ts";
import { cellColour, type Palette } from "./matrix_colours.ts";
import { isFullyZoomed, isZoomed, type MatrixView } from "./matrix_geometry.ts";

const ORDERS: Choice<MatrixOrder>[] = [
  ["name", "By name", "Sort the classes by name"],
  ["accuracy", "Worst first", "Sort the classes by accuracy"],
];
const CORRECT_HINT = "Share of a class that was predicted correctly";
const ERRORS_HINT = "Share of a class that was predicted as one other class, on a square-root scale";

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
  const zoomInButton = createButton("in", "+", "Zoom in (+)", zoomIn);
  const zoomOutButton = createButton("out", "−", "Zoom out (−)", zoomOut);
  const showAllButton = createButton("whole", "All", "All classes (0)", showAll);
  const zooms = h("span", { class: "dwc-zooms" }, zoomOutButton, zoomInButton, showAllButton);
  const legend = h("div", { class: "dwc-legend", "data-testid": "confusion-legend" });
  const element = h("div", { class: "dwc-tools" }, orders.element, zooms, legend);

  const showZoom = (view: MatrixView) => {
    zoomInButton.disabled = isFullyZoomed(view);
    zoomOutButton.disabled = showAllButton.disabled = !isZoomed(view);
  };
  /** @param scaleMax the maximum of the colour scale of errors */
  const showScales = (palette: Palette, scaleMax: number) => {
    legend.replaceChildren(
      createScale("correct", "100%", CORRECT_HINT, (position) => cellColour(palette, true, position, 1)),
      createScale("misclassified", formatPercent(scaleMax), ERRORS_HINT, (position) => cellColour(palette, false, position, 1)),
    );
  };
  return { element, showOrder: orders.show, showZoom, showScales };
}

function createButton(name: string, text: string, label: string, onclick: () => void): HTMLButtonElement {
  const properties = { type: "button", class: "dwx-menu-button dwc-zoom", "aria-label": label, title: label };
  return h("button", { ...properties, "data-testid": `zoom-${name}`, onclick }, text);
}

/** Create a colour scale from 0 to a maximum. */
function createScale(text: string, maximum: string, hint: string, colour: (position: number) => Colour): HTMLElement {
  const stops = [0.001, 0.05, 0.15, 0.3, 0.5, 0.75, 1].map((position) => `rgb(${colour(position).join(" ")}) ${100 * position}%`);
  const scale = h("i", { class: "dwc-scale", style: `background:linear-gradient(90deg, ${stops.join(", ")})` });
  return h("span", { title: hint }, `${text} `, scale, ` ${maximum}`);
}
